"""`sketchy index`: folders of photos, embedded once and searched ever after."""

import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sketchy.errors import GalleryError, Interrupted, StorageError
from sketchy.model.checkpoint import Checkpoint, load_checkpoint
from sketchy.results import Indexed
from sketchy.retrieval.embed import Embedder
from sketchy.retrieval.opening import check_found, identity_of, note_index
from sketchy.retrieval.store.address import is_server, is_store, open_reader, open_writer
from sketchy.retrieval.store.embedded import EmbeddedStore
from sketchy.retrieval.store.folder import open_to_write
from sketchy.retrieval.store.records import Identity
from sketchy.retrieval.update import Changes, Share, preview, summed, update
from sketchy.retrieval.walk import USUAL, Scan
from sketchy.runtime import keep_freed_memory
from sketchy.talk import SILENT, Talk
from sketchy.trainer.parallel import World, join_world


def run(
    photos: Sequence[Path],
    out: str,
    checkpoint: Path,
    *,
    dry_run: bool = False,
    force: bool = False,
    scan: Scan = USUAL,
    device: str = "auto",
    talk: Talk = SILENT,
) -> Indexed | None:
    """Make an index of photos, or bring it up to date. Started by torchrun, each process takes its share.

    Args:
        photos: folders and files; photos of the index that lie elsewhere stay in it, unless they were moved here.
        out: the index folder, or milvus://host:port/collection.
        checkpoint: a .pth file.
        dry_run: only count what would be done.
        force: begin anew, also where the index is damaged or of another model.
        scan: how the folders are looked through.

    Returns:
        What all processes did; None in all but the first.

    Raises:
        GalleryError: no photos, or the index cannot be used.
        CheckpointError, StorageError: what is missing or unusable.
        Interrupted: Ctrl-C; what was committed stays.
    """
    started = time.perf_counter()
    loaded = load_checkpoint(checkpoint)
    identity = identity_of(loaded, checkpoint)
    if dry_run:
        changes, count = _preview(photos, out, identity, force, scan, talk)
    else:
        keep_freed_memory()
        with join_world(device) as world:
            changes, count = _update(
                photos, out, loaded, identity, force, scan, world, talk if world.is_main else SILENT
            )
            if not world.is_main:
                return None
        if count or not changes.removed:
            check_found(changes, count, " and ".join(map(str, photos)))
        if not is_server(out) and len(photos) == 1 and photos[0].is_dir():
            with suppress(StorageError):  # without a cache the folder's index must be named
                note_index(photos[0], identity, Path(out))
    return Indexed(
        out=out,
        dry_run=dry_run,
        photos=count,
        embedded=changes.embedded,
        reused=changes.reused,
        unchanged=changes.unchanged,
        removed=changes.removed,
        skipped=tuple(changes.skipped),
        left_out=dict(changes.left_out),  # asdict makes no good copy of a Counter
        kept=changes.kept,
        seconds=round(time.perf_counter() - started, 3),
    )


def _update(
    photos: Sequence[Path],
    out: str,
    checkpoint: Checkpoint,
    identity: Identity,
    force: bool,
    scan: Scan,
    world: World,
    talk: Talk,
) -> tuple[Changes, int]:
    """Do this process's share; return what all did, and how many photos there are then."""
    if world.size > 1 and not is_server(out):
        raise GalleryError(
            f"an index folder takes one writer, and there are {world.size}; run {out} without torchrun, or name "
            "milvus://host:port/collection"
        )
    embedder = Embedder.of(checkpoint, world.device)
    with world.main_first():
        store = open_writer(out, identity, force=force and world.is_main)
    try:
        with world.fail_together():
            changes = update(store, photos, embedder, Share(world.rank, world.size), talk, scan)
            if isinstance(store, EmbeddedStore):
                store.improve(embedder.probes, talk)
        changes = summed(world.all_gather_object(changes))
        return changes, store.count()
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped; {store.count():,} photos are in {out}; run the command again without --force to go on"
        ) from None
    finally:
        store.close()


def _preview(
    photos: Sequence[Path], out: str, identity: Identity, force: bool, scan: Scan, talk: Talk
) -> tuple[Changes, int]:
    """Compare with the index that is there, else with an empty one."""
    if is_store(out) and not force:
        store = open_reader(out, identity)
        try:
            return preview(store, photos, talk, scan), store.count()
        finally:
            store.close()
    with tempfile.TemporaryDirectory() as folder:
        empty = open_to_write(Path(folder, "index"), identity)
        try:
            return preview(empty, photos, talk, scan), 0
        finally:
            empty.close()
