"""`sketchy index`: embed folders of photos, so that they can be searched."""

import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sketchy.errors import GalleryError, Interrupted, SketchyError
from sketchy.extras import require
from sketchy.progress import Progress, no_progress
from sketchy.results import Indexed
from sketchy.retrieval.cached import note_index
from sketchy.retrieval.model import Model, load_model
from sketchy.retrieval.open import check_found, log_unused_globs
from sketchy.retrieval.scan import DEFAULT_SCAN, Scan
from sketchy.retrieval.store.address import is_server, is_store, open_reader, open_writer
from sketchy.retrieval.store.base import Identity, WritableStore
from sketchy.retrieval.store.folder import open_to_write
from sketchy.retrieval.update import Shard, preview, update
from sketchy.retrieval.update_result import UpdateResult, summed
from sketchy.runtime import keep_freed_memory

if TYPE_CHECKING:
    from sketchy.trainer.parallel import World

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Job:
    """What to index, where and how; see `run`."""

    photos: Sequence[Path]
    out: str
    scan: Scan
    progress: Progress


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
    job = _Job(photos, out, scan, progress)
    if dry_run:
        changes, count = _preview(job, load_model(checkpoint, "cpu").identity, force)
    else:
        made = _embed(job, checkpoint, force, device)
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
        for result in _updates(changed, partial(_updated, _Job(photos, out, scan, progress), model), force):
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


def _updated(job: _Job, model: Model, force: bool) -> tuple[Indexed, bool]:
    """Update an index once, and return the result and whether anything changed."""
    started = time.perf_counter()
    changes, count = _update(job, model, force)
    check_found(changes, count, job.photos)
    note_index(job.photos, model.identity, job.out, job.scan.exclude)
    result = _result(changes, job.out, False, count, time.perf_counter() - started)
    return result, bool(changes.embedded or changes.reused or changes.removed)


def _embed(job: _Job, checkpoint: Path, force: bool, device: str) -> tuple[UpdateResult, int] | None:
    """Update an index; return the changes and the number of photos, or None in all processes but the main one."""
    keep_freed_memory()
    if os.environ.get("WORLD_SIZE", "1") in ("", "1"):
        model = load_model(checkpoint, device)
        changes, count = _update(job, model, force)
    else:  # torchrun started several processes
        from sketchy.trainer.parallel import join_world

        with join_world(device) as world:
            model = load_model(checkpoint, str(world.device))
            changes, count = _update_together(job, model, force, world)
            if not world.is_main:
                return None
    _conclude(job, model, changes, count)
    return changes, count


def _conclude(job: _Job, model: Model, changes: UpdateResult, count: int) -> None:
    """Remember where the photos are indexed. Raises GalleryError if there is no photo, and none was just removed."""
    if count or not changes.removed:
        check_found(changes, count, job.photos)
    log_unused_globs(changes, job.scan)
    note_index(job.photos, model.identity, job.out, job.scan.exclude)


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


def _update(job: _Job, model: Model, force: bool) -> tuple[UpdateResult, int]:
    """Update an index; return the changes and the number of photos."""
    with _interruptible(open_writer(job.out, model.identity, force=force), job.out) as store:
        return update(store, job.photos, model, scan=job.scan, progress=job.progress), store.count()


def _update_together(job: _Job, model: Model, force: bool, world: "World") -> tuple[UpdateResult, int]:
    """Embed the share of this process; return the changes by all processes, and the number of photos."""
    if not is_server(job.out):
        raise GalleryError(
            f"an index folder takes one writer, and there are {world.size}; run {job.out} without torchrun, or name "
            "milvus://host:port/collection"
        )
    with world.main_first():
        opened = open_writer(job.out, model.identity, force=force and world.is_main)
    with _interruptible(opened, job.out) as store:
        shard, progress = Shard(world.rank, world.size), job.progress if world.is_main else no_progress
        with world.fail_together():
            changes = update(store, job.photos, model, shard=shard, scan=job.scan, progress=progress)
        return summed(world.all_gather_object(changes)), store.count()


def _preview(job: _Job, identity: Identity, force: bool) -> tuple[UpdateResult, int]:
    """Count the changes to the existing index, or to an empty one if it would be replaced."""
    with tempfile.TemporaryDirectory() as folder:
        compared = is_store(job.out) and not force
        store = open_reader(job.out, identity) if compared else open_to_write(Path(folder, "index"), identity)
        try:
            changes = preview(store, job.photos, scan=job.scan, progress=job.progress)
            log_unused_globs(changes, job.scan)
            return changes, store.count()
        finally:
            store.close()
