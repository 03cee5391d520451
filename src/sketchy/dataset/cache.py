"""Folders that are made once and then only read, however many processes want one and wherever they are killed."""

import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar

from sketchy.errors import StorageError
from sketchy.paths import as_path
from sketchy.talk import Talk

if sys.platform != "win32":
    import fcntl

T = TypeVar("T")

REMEDY = "set data.cache or SKETCHY_CACHE to a folder that can be written to and has room"


def cache_folder(cache: Path | None) -> Path:
    """Return `cache`, else $SKETCHY_CACHE, else the user's cache folder; it need not exist."""
    if cache is not None:
        return cache
    if own := os.environ.get("SKETCHY_CACHE"):
        return _named("SKETCHY_CACHE", own)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return _named("XDG_CACHE_HOME", shared) / "sketchy"
    try:
        return Path.home() / ".cache" / "sketchy"
    except RuntimeError:
        raise StorageError(f"no home folder to keep packed images in; {REMEDY}") from None


def _named(variable: str, text: str) -> Path:
    try:
        return as_path(text)
    except ValueError as error:
        raise StorageError(f"{variable}: {error}") from None


def make_once(folder: Path, load: Callable[[Path], T | None], make: Callable[[Path], None], talk: Talk) -> T:
    """Load `folder`, after making it if it is not there or not whole.

    It is made under another name and renamed when complete. Of several processes one makes it and the others wait;
    where files cannot be locked all make it and the first one counts. What killed ones left behind is removed.

    Args:
        folder: wanted; the cache folder is its parent.
        load: returns None when the folder is missing or not whole.
        make: fills the empty folder that it is given, and syncs its files.
        talk: hears when there is another process to wait for.

    Raises:
        StorageError: it cannot be written.
    """
    if (loaded := load(folder)) is not None:
        return loaded
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_dead(folder.parent)
        with _lock(folder, talk):
            loaded = load(folder)
            return _make(folder, load, make) if loaded is None else loaded
    except OSError as error:
        raise StorageError(
            f"cannot keep packed images in {folder.parent}: {error.strerror or error}; {REMEDY}"
        ) from error


def _make(folder: Path, load: Callable[[Path], T | None], make: Callable[[Path], None]) -> T:
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}-{threading.get_ident()}.part")
    unfinished.mkdir()
    try:
        make(unfinished)
        if load(folder) is None:
            shutil.rmtree(folder, ignore_errors=True)
            unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    if (loaded := load(folder)) is None:
        raise OSError("what was written cannot be read again")
    return loaded


def _remove_dead(cache: Path) -> None:
    """Remove what killed processes left half made: the lock of a living one is held."""
    for unfinished in cache.glob(".*.part"):
        with _lock(cache / unfinished.name.split(".")[1], None) as held:
            if held:
                shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def _lock(folder: Path, talk: Talk | None) -> Iterator[bool]:
    """Take the lock of a folder, which ends with the process, and give whether it is held.

    Waits for it where there is a `talk` to say so. Not held: another process has it, or locks do not work here.
    """
    with folder.with_name(f".{folder.name}.lock").open("w") as file:
        yield _take(file, talk)


def _take(file: IO[str], talk: Talk | None) -> bool:
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if talk is None:
            return False
        talk.say("waiting for another process that packs the same images")
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:  # a file system without locks
        return False
    return True
