"""`sketchy index`: embed folders of photos, so that they can be searched."""

import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sketchy.errors import GalleryError, Interrupted, SketchyError
from sketchy.extras import require
from sketchy.progress import Progress, no_progress
from sketchy.results import Indexed
from sketchy.retrieval.cached import note_index
from sketchy.retrieval.changes import UpdateResult, summed
from sketchy.retrieval.model import Model, load_model
from sketchy.retrieval.open import check_found, log_unused_globs
from sketchy.retrieval.scan import DEFAULT_SCAN, Scan
from sketchy.retrieval.store.address import is_server, is_store, open_reader, open_writer
from sketchy.retrieval.store.base import Identity, WritableStore
from sketchy.retrieval.store.folder import open_to_write
from sketchy.retrieval.update import Shard, preview, update
from sketchy.runtime import keep_freed_memory

if TYPE_CHECKING:
    from sketchy.trainer.parallel import World

log = logging.getLogger(__name__)


def run(
    photos: Sequence[Path],
    out: str,
    checkpoint: Path,
    *,
    dry_run: bool = False,
    force: bool = False,
    scan: Scan = DEFAULT_SCAN,
    device: str = "auto",
    progress: Progress = no_progress,
) -> Indexed | None:
    """Create or update an index of photos; under torchrun, each process embeds its share.

    Args:
        photos: Folders and files; indexed photos elsewhere stay in the index, unless they were moved here.
        out: The index folder, or milvus://host:port/collection.
        dry_run: Whether to only count what would be done.
        force: Whether to replace the index, even if it is damaged or made by another model.

    Returns:
        The changes by all processes; None in all processes but the main one.

    Raises:
        GalleryError: There are no photos, or the index cannot be used.
        CheckpointError, StorageError: The checkpoint cannot be used, or the index cannot be written.
        Interrupted: Ctrl-C was pressed; photos that were committed stay in the index.
    """
    started = time.perf_counter()
    if dry_run:
        identity = load_model(checkpoint, "cpu").identity
        changes, count = _preview(photos, out, identity, force, scan, progress)
    else:
        made = _embed(photos, out, checkpoint, force, scan, device, progress)
        if made is None:
            return None
        changes, count = made
    return _result(changes, out, dry_run, count, time.perf_counter() - started)


def follow(
    photos: Sequence[Path],
    out: str,
    checkpoint: Path,
    updated: Callable[[Indexed], object],
    *,
    force: bool = False,
    scan: Scan = DEFAULT_SCAN,
    device: str = "auto",
    progress: Progress = no_progress,
) -> NoReturn:
    """Create or update an index of photos, and update it whenever they change, until Ctrl-C; see `run`.

    Args:
        updated: Called with the changes of the first update, and of each later one that changed something.
        force: Whether to replace the index at the start.

    Raises:
        MissingExtraError: The package that watches folders is not installed.
        SketchyError: The first update failed, see `run`; what prevents a later one is logged.
        Interrupted: Ctrl-C was pressed; photos that were committed stay in the index.
    """
    require("serve", "--watch")
    from sketchy.retrieval.watch import rounds

    keep_freed_memory()
    model = load_model(checkpoint, device)
    sources = [Path(os.path.abspath(source)) for source in photos]  # noqa: PTH100 - keeps links
    changed = rounds(sources, Path(os.path.abspath(out)), threading.Event())  # noqa: PTH100
    indexed = 0
    try:
        for result in _updates(changed, partial(_updated, photos, out, model, scan, progress), force):
            indexed = result.photos
            updated(result)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped; {indexed:,} photos are in {out}") from None
    raise AssertionError("the event that ends the rounds is never set")


def _updates(changed: Iterator[None], update: Callable[[bool], tuple[Indexed, bool]], force: bool) -> Iterator[Indexed]:
    """Yield the first update, and later ones that changed something; log a later error once while it lasts."""
    next(changed)
    yield update(force)[0]
    error = ""
    for _ in changed:
        try:
            result, is_new = update(False)
        except Interrupted:
            raise
        except SketchyError as problem:
            if str(problem) != error:
                log.warning(str(problem))
            error = str(problem)
            continue
        error = ""
        if is_new:
            yield result


def _updated(
    photos: Sequence[Path], out: str, model: Model, scan: Scan, progress: Progress, force: bool
) -> tuple[Indexed, bool]:
    """Update an index once, and return the result and whether anything changed."""
    started = time.perf_counter()
    changes, count = _update(photos, out, model, force, scan, progress)
    check_found(changes, count, photos)
    note_index(photos, model.identity, out, scan.exclude)
    result = _result(changes, out, False, count, time.perf_counter() - started)
    return result, bool(changes.embedded or changes.reused or changes.removed)


def _embed(
    photos: Sequence[Path], out: str, checkpoint: Path, force: bool, scan: Scan, device: str, progress: Progress
) -> tuple[UpdateResult, int] | None:
    """Update an index; return the changes and the number of photos, or None in all processes but the main one."""
    keep_freed_memory()
    if os.environ.get("WORLD_SIZE", "1") in ("", "1"):
        model = load_model(checkpoint, device)
        changes, count = _update(photos, out, model, force, scan, progress)
    else:  # torchrun started several processes
        from sketchy.trainer.parallel import join_world

        with join_world(device) as world:
            model = load_model(checkpoint, str(world.device))
            changes, count = _update_together(photos, out, model, force, scan, world, progress)
            if not world.is_main:
                return None
    _conclude(photos, out, model, changes, count, scan)
    return changes, count


def _conclude(photos: Sequence[Path], out: str, model: Model, changes: UpdateResult, count: int, scan: Scan) -> None:
    """Remember where the photos are indexed. Raises GalleryError if there is no photo, and none was just removed."""
    if count or not changes.removed:
        check_found(changes, count, photos)
    log_unused_globs(changes, scan)
    note_index(photos, model.identity, out, scan.exclude)


def _result(changes: UpdateResult, out: str, dry_run: bool, photos: int, seconds: float) -> Indexed:
    return Indexed(
        out=out,
        dry_run=dry_run,
        photos=photos,
        embedded=changes.embedded,
        reused=changes.reused,
        unchanged=changes.unchanged,
        removed=changes.removed,
        skipped=tuple(changes.skipped),
        left_out=dict(changes.left_out),  # asdict cannot copy a Counter
        kept=changes.kept,
        seconds=round(seconds, 3),
    )


@contextmanager
def _interruptible(store: WritableStore, out: str) -> Iterator[WritableStore]:
    """Close the store after the block, and say after Ctrl-C what it holds. Raises Interrupted."""
    try:
        yield store
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped; {store.count():,} photos are in {out}; run the command again without --force to go on"
        ) from None
    finally:
        store.close()


def _update(
    photos: Sequence[Path], out: str, model: Model, force: bool, scan: Scan, progress: Progress
) -> tuple[UpdateResult, int]:
    """Update an index; return the changes and the number of photos."""
    with _interruptible(open_writer(out, model.identity, force=force), out) as store:
        return update(store, photos, model, scan=scan, progress=progress), store.count()


def _update_together(
    photos: Sequence[Path], out: str, model: Model, force: bool, scan: Scan, world: "World", progress: Progress
) -> tuple[UpdateResult, int]:
    """Embed the share of this process; return the changes by all processes, and the number of photos."""
    if not is_server(out):
        raise GalleryError(
            f"an index folder takes one writer, and there are {world.size}; run {out} without torchrun, or name "
            "milvus://host:port/collection"
        )
    with world.main_first():
        opened = open_writer(out, model.identity, force=force and world.is_main)
    with _interruptible(opened, out) as store:
        shown = progress if world.is_main else no_progress
        with world.fail_together():
            changes = update(store, photos, model, shard=Shard(world.rank, world.size), scan=scan, progress=shown)
        return summed(world.all_gather_object(changes)), store.count()


def _preview(
    photos: Sequence[Path], out: str, identity: Identity, force: bool, scan: Scan, progress: Progress
) -> tuple[UpdateResult, int]:
    """Count the changes to the existing index, or to an empty one if it would be replaced."""
    with tempfile.TemporaryDirectory() as folder:
        compared = is_store(out) and not force
        store = open_reader(out, identity) if compared else open_to_write(Path(folder, "index"), identity)
        try:
            changes = preview(store, photos, scan=scan, progress=progress)
            log_unused_globs(changes, scan)
            return changes, store.count()
        finally:
            store.close()
