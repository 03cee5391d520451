"""Opening, making and replacing index folders, and the lock of the one writer."""

import sqlite3
from contextlib import suppress
from pathlib import Path

from sketchy.errors import DamagedError, GalleryError, LockedError, StorageError
from sketchy.retrieval.store.ann import ann_path
from sketchy.retrieval.store.embedded import EmbeddedStore, now
from sketchy.retrieval.store.faults import damaged, explained
from sketchy.retrieval.store.ledger import Ledger, Meta
from sketchy.retrieval.store.records import Identity
from sketchy.retrieval.store.state import vectors_path
from sketchy.retrieval.store.vectors import cut, sync_folder
from sketchy.storage import refuse_unwritable

LEDGER, LOCK = "index.sqlite", "lock.sqlite"
OWN_FILES = ("index.sqlite*", "vectors-*.f32", "ann-*.faiss", ".ann-*.faiss", ".index.sqlite*")
"""What an index folder holds beside the lock; what is removed to make it anew."""


def is_index(folder: Path) -> bool:
    """Whether a folder is an index, whole or damaged."""
    return (folder / LEDGER).exists() or any(file.stat().st_size for file in folder.glob("vectors-*.f32"))


def open_to_read(folder: Path, identity: Identity | None = None, *, exact: bool = False) -> EmbeddedStore:
    """Open an index to be searched; any number of processes may.

    Args:
        folder: as `open_to_write` left it, now or earlier.
        identity: the model that will ask; None asks nothing of the model.
        exact: measure every photo, also where an approximate index was built.

    Raises:
        GalleryError: there is none, it is damaged, or it was made with another model.
    """
    if not (folder / LEDGER).exists():
        if is_index(folder):
            raise damaged(folder, f"{LEDGER} is missing")
        raise GalleryError(f"no index at {folder}; make one with `sketchy index PHOTOS --out {folder}`")
    return _open(folder, identity, None, exact=exact)


def open_to_write(folder: Path, identity: Identity, *, force: bool = False) -> EmbeddedStore:
    """Open an index to be changed, or make one.

    Args:
        folder: an index, or new, or empty.
        identity: the model of the embeddings.
        force: begin with an empty index, whatever is in the one that is there.

    Raises:
        LockedError: another process writes it.
        GalleryError: it is damaged or of another model, or the folder holds other things.
        StorageError: it cannot be written.
    """
    refuse_unwritable(folder / LEDGER)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not is_index(folder) and any(not _is_ours(file) for file in folder.iterdir()):
            raise GalleryError(f"{folder} holds other files and is no index; name a new folder with --out")
        lock = _take_lock(folder)
        try:
            if force:
                _remove_files(folder)
            if not (folder / LEDGER).exists():
                _make(folder, identity)
            store = _open(folder, identity, lock)
            _tidy(store)
        except BaseException:
            lock.close()
            raise
        return store
    except OSError as error:
        raise StorageError(
            f"cannot write the index {folder}: {error.strerror or error}; choose a place that can be written to"
        ) from error


def _is_ours(file: Path) -> bool:
    return file.name.startswith(LOCK) or any(file.match(pattern) for pattern in OWN_FILES)


def _take_lock(folder: Path) -> sqlite3.Connection:
    """Hold the lock until the connection is closed or the process ends: SQLite's own works on every system."""
    lock = sqlite3.connect(folder / LOCK, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        with explained(folder):
            lock.execute("BEGIN EXCLUSIVE")
    except DamagedError:  # whatever it is that someone put there, it locks nothing
        lock.close()
        (folder / LOCK).unlink()
        return _take_lock(folder)
    except StorageError as error:
        lock.close()
        if "locked" in str(error):
            raise LockedError(f"another process is writing the index {folder}; wait until it is done") from None
        raise
    return lock


def _remove_files(folder: Path) -> None:
    for pattern in OWN_FILES:
        for file in folder.glob(pattern):
            file.unlink()


def _make(folder: Path, identity: Identity) -> None:
    """Make an empty index; the name of the ledger appears when it is whole."""
    if is_index(folder):
        raise damaged(folder, f"{LEDGER} is missing")
    vectors_path(folder, 1).touch()
    unfinished = folder / f".{LEDGER}"
    for left in (unfinished, *folder.glob(f"{LEDGER}-*")):  # the log of a ledger that is gone would spoil the new one
        left.unlink(missing_ok=True)
    with explained(folder):
        Ledger.create(unfinished, Meta(identity.model, identity.size, identity.checkpoint, updated=now()))
    unfinished.replace(folder / LEDGER)
    sync_folder(folder)


def _open(
    folder: Path, identity: Identity | None, lock: sqlite3.Connection | None, *, exact: bool = False
) -> EmbeddedStore:
    with explained(folder):
        ledger = Ledger(folder / LEDGER, write=lock is not None)
        try:
            store = EmbeddedStore(folder, ledger, lock, exact=exact)
            _check_model(store, identity)
        except BaseException:
            ledger.close()
            raise
    return store


def _check_model(store: EmbeddedStore, identity: Identity | None) -> None:
    made = store.identity
    if identity is not None and (identity.model, identity.size) != (made.model, made.size):
        raise GalleryError(
            f"the index {store.folder} was made with another model, {made.checkpoint}; name that one with "
            f"--checkpoint, or run `sketchy index PHOTOS --out {store.folder} --force` to make it anew"
        )


def _tidy(store: EmbeddedStore) -> None:
    """Remove what a killed writer left: vectors that were not committed, and files of other generations."""
    meta = store.meta()
    current = vectors_path(store.folder, meta.generation)
    cut(current, meta.size, meta.rows)
    kept = (current, ann_path(store.folder, meta.generation))
    for file in [*store.folder.glob("vectors-*.f32"), *store.folder.glob("*ann-*.faiss")]:
        if file not in kept:
            with suppress(OSError):  # still mapped by a reader, on a system that minds
                file.unlink()
