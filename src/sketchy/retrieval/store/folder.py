"""Opening, creating and replacing index folders, and the lock of the single writer."""

import errno
import os
import sqlite3
from pathlib import Path

from sketchy.errors import DamagedError, GalleryError, LockedError, StorageError
from sketchy.retrieval.store.base import Identity
from sketchy.retrieval.store.embedded import DEFAULT_TUNING, EmbeddedStore, Tuning, now
from sketchy.retrieval.store.faults import damaged, translated
from sketchy.retrieval.store.meta import Meta
from sketchy.retrieval.store.metadata import MetadataDatabase
from sketchy.retrieval.store.state import vectors_path
from sketchy.retrieval.store.vectors import sync_folder
from sketchy.storage import os_problem, refuse_unwritable

DATABASE, LOCK = "index.sqlite", "lock.sqlite"
OWN_FILES = ("index.sqlite*", "vectors-*.f32", "ann-*.faiss", ".ann-*.faiss*", ".index.sqlite*")
"""Files of an index folder beside the lock; they are removed to rebuild it."""


def is_index(folder: Path) -> bool:
    """Return whether a folder is an index, intact or damaged. Raises StorageError if it cannot be read."""
    try:
        return (folder / DATABASE).exists() or any(file.stat().st_size for file in folder.glob("vectors-*.f32"))
    except (OSError, ValueError) as error:
        raise StorageError(os_problem(error, folder, "read")) from None


def open_to_read(folder: Path, identity: Identity | None = None, *, tuning: Tuning = DEFAULT_TUNING) -> EmbeddedStore:
    """Open an index read-only, which any number of processes may do at once.

    Args:
        folder: Index folder.
        identity: Model that the index must have been made with; None accepts any.
        tuning: Thresholds of the store.

    Raises:
        GalleryError: There is no index, it is damaged, or it was made with another model.
        StorageError: It cannot be read.
    """
    if not is_index(folder):
        raise GalleryError(f"no index at {folder}; make one with `sketchy index PHOTOS --out {folder}`")
    if not (folder / DATABASE).exists():
        raise damaged(folder, f"{DATABASE} is missing")
    return _open(folder, identity, None, tuning)


def open_to_write(
    folder: Path, identity: Identity, *, force: bool = False, tuning: Tuning = DEFAULT_TUNING
) -> EmbeddedStore:
    """Open an index for writing; create it if there is none.

    Args:
        folder: Index folder, or an empty or new folder.
        identity: Model of the embeddings.
        force: Delete the existing index first, even a damaged one.
        tuning: Thresholds of the store.

    Raises:
        LockedError: Another process is writing the index.
        GalleryError: It is damaged or was made with another model, or the folder holds other files.
        StorageError: It cannot be written.
    """
    if os.path.isfile(folder):  # noqa: PTH113 - False on errors
        raise StorageError(f"cannot write {folder}: it is a file, and an index is a folder; choose a place with --out")
    refuse_unwritable(folder / DATABASE)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not is_index(folder) and any(not _is_ours(file) for file in folder.iterdir()):
            raise GalleryError(f"{folder} holds other files and is not an index; name a new folder with --out")
        lock = _take_lock(folder)
        try:
            if force:
                _remove_files(folder)
            if not (folder / DATABASE).exists():
                _create(folder, identity)
            store = _open(folder, identity, lock, tuning)
            store.tidy()
        except BaseException:
            lock.close()
            raise
        return store
    except OSError as error:
        raise StorageError(os_problem(error, error.filename or folder)) from error


def _is_ours(file: Path) -> bool:
    return file.name.startswith(LOCK) or any(file.match(pattern) for pattern in OWN_FILES)


def _take_lock(folder: Path) -> sqlite3.Connection:
    """Take the lock, an SQLite transaction, until the connection is closed or the process ends."""
    file = folder / LOCK
    try:
        with translated(file, "write"):
            lock = sqlite3.connect(file, timeout=0, isolation_level=None, check_same_thread=False)
            try:
                lock.execute("BEGIN EXCLUSIVE")
                if not os.access(file, os.W_OK):  # SQLite would take a lock that excludes no other process
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))
            except (sqlite3.DatabaseError, OSError) as error:
                lock.close()
                if getattr(error, "sqlite_errorname", "") == "SQLITE_BUSY":
                    raise LockedError(f"another process is writing the index {folder}; wait until it is done") from None
                raise
    except DamagedError:  # a file that is not a database locks nothing
        file.unlink()
        return _take_lock(folder)
    return lock


def _remove_files(folder: Path) -> None:
    for pattern in OWN_FILES:
        for file in folder.glob(pattern):
            file.unlink()


def _create(folder: Path, identity: Identity) -> None:
    """Create an empty index; the metadata database gets its final name once it is complete."""
    if is_index(folder):
        raise damaged(folder, f"{DATABASE} is missing")
    vectors_path(folder, 1).touch()
    unfinished = folder / f".{DATABASE}"
    for stale in (unfinished, *folder.glob(f"{DATABASE}-*")):  # SQLite would apply the log of a deleted database
        stale.unlink(missing_ok=True)
    with translated(unfinished, "write"):
        MetadataDatabase.create(unfinished, Meta(identity.model, identity.size, identity.checkpoint, updated=now()))
    unfinished.replace(folder / DATABASE)
    sync_folder(folder)


def _open(folder: Path, identity: Identity | None, lock: sqlite3.Connection | None, tuning: Tuning) -> EmbeddedStore:
    with translated(folder / DATABASE, "read" if lock is None else "write"):
        metadata = MetadataDatabase(folder / DATABASE, write=lock is not None)
        try:
            store = EmbeddedStore(folder, metadata, lock, tuning)
            _check_model(store, identity)
        except BaseException:
            metadata.close()
            raise
    return store


def _check_model(store: EmbeddedStore, identity: Identity | None) -> None:
    made = store.identity
    if identity is not None and (identity.model, identity.size) != (made.model, made.size):
        raise GalleryError(
            f"the index {store.folder} was made with another model, {made.checkpoint}; name that one with "
            f"--checkpoint, or run `sketchy index PHOTOS --out {store.folder} --force` to rebuild it"
        )
