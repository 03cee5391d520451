"""Folders that are made once and then only read, however many processes want one and wherever they are killed."""

import logging
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sketchy.errors import StorageError
from sketchy.storage import os_problem

if sys.platform != "win32":
    import fcntl

T = TypeVar("T")

OTHER_CACHE = "set data.cache or SKETCHY_CACHE to a folder that can be written to"

log = logging.getLogger(__name__)


def make_once(folder: Path, load: Callable[[Path], T | None], make: Callable[[Path], None]) -> T:
    """Load `folder`, after making it if it is missing or incomplete.

    It is made under another name and renamed when complete. Of several processes one makes it and the others wait;
    where files cannot be locked all make it and the first one counts. What killed processes left is removed.

    Args:
        folder: Folder to load; its parent is the cache folder.
        load: Reads a folder; returns None if it is missing or incomplete.
        make: Fills an empty folder, and syncs its files.

    Raises:
        StorageError: The cache folder cannot be written.
    """
    if (loaded := load(folder)) is not None:
        return loaded
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder.parent)
        with _lock(folder, wait=True):
            if load(folder) is None:
                _make(folder, load, make)
        if (loaded := load(folder)) is None:
            raise OSError("what was written cannot be read again")
        return loaded
    except OSError as error:
        raise StorageError(os_problem(error, folder.parent, elsewhere=OTHER_CACHE)) from error


def _make(folder: Path, load: Callable[[Path], T | None], make: Callable[[Path], None]) -> None:
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}-{threading.get_ident()}.part")
    unfinished.mkdir()
    try:
        make(unfinished)
        if load(folder) is None:  # without locks, another process may have been faster
            shutil.rmtree(folder, ignore_errors=True)
            unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _remove_abandoned(cache: Path) -> None:
    """Remove the unfinished folders of killed processes: a living one holds the lock."""
    for unfinished in cache.glob(".*.part"):
        with _lock(cache / unfinished.name.split(".")[1], wait=False) as held:
            if held:
                shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def _lock(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Take the lock of a folder, which ends with the process; yield whether it is held.

    It is not held if another process has it and we do not wait, or if locks do not work here.
    """
    with folder.with_name(f".{folder.name}.lock").open("w") as file:
        if sys.platform == "win32":
            yield False
            return
        held = True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held = wait
            if wait:
                log.info("waiting for another process that packs the same images")
                fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:  # a file system without locks
            held = False
        yield held
