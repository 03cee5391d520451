"""Opening, making and replacing index folders, and the lock of the one writer."""

import errno
import os
import sqlite3
from pathlib import Path

from sketchy.errors import DamagedError, GalleryError, LockedError, StorageError
from sketchy.retrieval.store.base import Identity
from sketchy.retrieval.store.embedded import USUAL, EmbeddedStore, Tuning, now
from sketchy.retrieval.store.faults import damaged, explained
from sketchy.retrieval.store.meta import Meta
from sketchy.retrieval.store.metadata import MetadataDatabase
from sketchy.retrieval.store.state import vectors_path
from sketchy.retrieval.store.vectors import sync_folder
from sketchy.storage import os_problem, refuse_unwritable

DATABASE, LOCK = "index.sqlite", "lock.sqlite"
OWN_FILES = ("index.sqlite*", "vectors-*.f32", "ann-*.faiss", ".ann-*.faiss*", ".index.sqlite*")
"""What an index folder holds beside the lock; what is removed to make it anew."""


def is_index(folder: Path) -> bool:
    """Whether a folder is an index, whole or damaged. Raises StorageError when it cannot be looked into."""
    try:
        return (folder / DATABASE).exists() or any(file.stat().st_size for file in folder.glob("vectors-*.f32"))
    except (OSError, ValueError) as error:
        raise StorageError(os_problem(error, folder, "read")) from None


def open_to_read(folder: Path, identity: Identity | None = None, *, tuning: Tuning = USUAL) -> EmbeddedStore:
    """Open an index to be searched; any number of processes may.

    Args:
        folder: An index folder.
        identity: The model of the queries; None accepts any model.
        tuning: From how many rows on the store does what.

    Raises:
        GalleryError: there is none, it is damaged, or it was made with another model.
    """
    if not is_index(folder):
        raise GalleryError(f"no index at {folder}; make one with `sketchy index PHOTOS --out {folder}`")
    if not (folder / DATABASE).exists():
        raise damaged(folder, f"{DATABASE} is missing")
    return _open(folder, identity, None, tuning)


def open_to_write(folder: Path, identity: Identity, *, force: bool = False, tuning: Tuning = USUAL) -> EmbeddedStore:
    """Open an index to be changed, or make one.

    Args:
        folder: An index folder, a new folder or an empty one.
        identity: The model of the embeddings.
        force: Whether to begin with an empty index, whatever is in the folder.
        tuning: From how many rows on the store does what.

    Raises:
        LockedError: another process writes it.
        GalleryError: it is damaged or of another model, or the folder holds other things.
        StorageError: it cannot be written.
    """
    refuse_unwritable(folder / DATABASE)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not is_index(folder) and any(not _is_ours(file) for file in folder.iterdir()):
            raise GalleryError(f"{folder} holds other files and is no index; name a new folder with --out")
        lock = _take_lock(folder)
        try:
            if force:
                _remove_files(folder)
            if not (folder / DATABASE).exists():
                _make(folder, identity)
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
    """Hold the lock until the connection is closed or the process ends: SQLite's own works on every system."""
    file = folder / LOCK
    try:
        with explained(file, "write"):
            lock = sqlite3.connect(file, timeout=0, isolation_level=None, check_same_thread=False)
            try:
                lock.execute("BEGIN EXCLUSIVE")
                if not os.access(file, os.W_OK):  # SQLite then takes a lock that excludes nobody
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))
            except (sqlite3.DatabaseError, OSError) as error:
                lock.close()
                if getattr(error, "sqlite_errorname", "") == "SQLITE_BUSY":
                    raise LockedError(f"another process is writing the index {folder}; wait until it is done") from None
                raise
    except DamagedError:  # whatever it is that someone put there, it locks nothing
        file.unlink()
        return _take_lock(folder)
    return lock


def _remove_files(folder: Path) -> None:
    for pattern in OWN_FILES:
        for file in folder.glob(pattern):
            file.unlink()


def _make(folder: Path, identity: Identity) -> None:
    """Make an empty index; the name of the metadata database appears when it is whole."""
    if is_index(folder):
        raise damaged(folder, f"{DATABASE} is missing")
    vectors_path(folder, 1).touch()
    unfinished = folder / f".{DATABASE}"
    for left in (
        unfinished,
        *folder.glob(f"{DATABASE}-*"),
    ):  # the log of a database that is gone would spoil the new one
        left.unlink(missing_ok=True)
    with explained(unfinished, "write"):
        MetadataDatabase.create(unfinished, Meta(identity.model, identity.size, identity.checkpoint, updated=now()))
    unfinished.replace(folder / DATABASE)
    sync_folder(folder)


def _open(folder: Path, identity: Identity | None, lock: sqlite3.Connection | None, tuning: Tuning) -> EmbeddedStore:
    with explained(folder / DATABASE, "read" if lock is None else "write"):
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
            f"--checkpoint, or run `sketchy index PHOTOS --out {store.folder} --force` to make it anew"
        )
