"""`sketchy index`: folders of photos, embedded once and searched ever after."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from sketchy.errors import Interrupted
from sketchy.model.checkpoint import load_checkpoint
from sketchy.results import Indexed
from sketchy.retrieval.embed import Embedder
from sketchy.retrieval.opening import check_found, identity_of, note_index
from sketchy.retrieval.store.folder import is_index, open_to_read, open_to_write
from sketchy.retrieval.store.records import Identity
from sketchy.retrieval.update import Changes, preview, update
from sketchy.runtime import pick_device
from sketchy.talk import SILENT, Talk


def run(
    photos: Sequence[Path],
    out: Path,
    checkpoint: Path,
    *,
    dry_run: bool = False,
    force: bool = False,
    device: str = "auto",
    talk: Talk = SILENT,
) -> Indexed:
    """Make an index of photos, or bring it up to date.

    Args:
        photos: folders and files; photos of the index that lie elsewhere stay in it.
        out: the index folder.
        checkpoint: a .pth file.
        dry_run: only count what would be done.
        force: begin anew, also where the index is damaged or of another model.

    Raises:
        GalleryError: no photos, or the index cannot be used.
        CheckpointError, StorageError: what is missing or unusable.
        Interrupted: Ctrl-C; what was committed stays.
    """
    started = time.perf_counter()
    loaded = load_checkpoint(checkpoint)
    identity = identity_of(loaded, checkpoint)
    if dry_run:
        changes, count = _preview(photos, out, identity, force, talk)
        return _result(out, changes, count, started, dry_run=True)
    embedder = Embedder.of(loaded, pick_device(device))
    store = open_to_write(out, identity, force=force)
    try:
        changes = update(store, photos, embedder, talk=talk)
        store.improve(talk)
        count = store.count()
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped; {store.count():,} photos are in {out}; run the command again without --force to go on"
        ) from None
    finally:
        store.close()
    check_found(changes, count, " and ".join(map(str, photos)))
    if len(photos) == 1 and photos[0].is_dir():
        note_index(photos[0], identity, out)
    return _result(out, changes, count, started, dry_run=False)


def _preview(photos: Sequence[Path], out: Path, identity: Identity, force: bool, talk: Talk) -> tuple[Changes, int]:
    """Compare with the index that is there, else with an empty one."""
    if is_index(out) and not force:
        store = open_to_read(out, identity)
        try:
            return preview(store, photos, talk), store.count()
        finally:
            store.close()
    with tempfile.TemporaryDirectory() as folder:
        store = open_to_write(Path(folder, "index"), identity)
        try:
            return preview(store, photos, talk), 0
        finally:
            store.close()


def _result(out: Path, changes: Changes, count: int, started: float, *, dry_run: bool) -> Indexed:
    return Indexed(
        out=str(out),
        dry_run=dry_run,
        photos=count,
        embedded=changes.embedded,
        reused=changes.reused,
        unchanged=changes.unchanged,
        removed=changes.removed,
        skipped=tuple(changes.skipped),
        seconds=round(time.perf_counter() - started, 3),
    )
