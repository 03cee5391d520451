"""Photos that were found, copied or linked into a folder of the user's."""

import filecmp
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from itertools import chain, count
from pathlib import Path, PurePath
from typing import Literal

from sketchy.errors import SketchyError, StorageError
from sketchy.results import Hit
from sketchy.retrieval.index import Index
from sketchy.storage import os_problem, os_reason, replacing

log = logging.getLogger(__name__)

How = Literal["copy", "link"]


def distinct(name: str, is_taken: Callable[[str], bool]) -> str:
    """Return a file name that is not taken: the name itself, else `name (2).jpg` and so on."""
    path = PurePath(name)
    others = (f"{path.stem} ({number}){path.suffix}" for number in count(2))
    return next(each for each in chain([name], others) if not is_taken(each))


def refuse_folder(folder: Path) -> None:
    """Raise StorageError if photos cannot be put into a folder because it is a file."""
    if folder.exists() and not folder.is_dir():
        raise StorageError(f"cannot write to {folder}: it is a file; name a folder")


def collect(index: Index, hits: Sequence[Hit], folder: Path, how: How) -> None:
    """Copy or link the photos of hits into a folder, which is made if it does not exist, and log what was done.

    No file is ever replaced: a photo of the same name and another content gets a number, and one that is there already
    stays. Photos that cannot be used are named and left out.

    Args:
        index: The index that was searched.
        hits: Its hits.
        folder: The folder to write to.
        how: Whether to copy the photos, or to make symbolic links to them.

    Raises:
        StorageError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(os_problem(error, folder)) from None
    written = present = 0
    for hit in hits:
        try:
            source = index.image(hit.path)
            if isinstance(source, Path) and not source.is_file():
                raise StorageError("no such file")
            if isinstance(source, bytes) and how == "link":
                raise StorageError("it is in an archive; use --copy-to")
        except SketchyError as error:
            log.warning(f"cannot {how} {hit.path}: {error}")
            continue
        if _put(source, folder, PurePath(hit.path).name, how):
            written += 1
        else:
            present += 1
    done = {"copy": "copied", "link": "linked"}[how]
    there = f"; {present:,} {'was' if present == 1 else 'were'} there already" if present else ""
    log.info(f"{done} {written:,} photo{'' if written == 1 else 's'} to {folder}{there}")


def _put(source: Path | bytes, folder: Path, name: str, how: How) -> bool:
    """Write one photo; return whether it was not there already. Raises StorageError."""
    name = distinct(name, lambda each: os.path.lexists(folder / each) and not _same(source, folder / each, how))
    target = folder / name
    if os.path.lexists(target):
        return False
    try:
        if isinstance(source, Path) and how == "link":
            target.symlink_to(source.absolute())
            return True
        with replacing(target) as temporary:
            if isinstance(source, bytes):
                temporary.write_bytes(source)
            else:
                shutil.copy2(source, temporary)  # with its time, by which photos are found
    except OSError as error:
        raise StorageError(os_problem(error, target)) from None
    return True


def _same(source: Path | bytes, target: Path, how: How) -> bool:
    """Return whether a file or link holds the photo already."""
    try:
        if how == "link":
            return target.is_symlink() and target.samefile(source) if isinstance(source, Path) else False
        if target.is_symlink():
            return False
        if isinstance(source, bytes):
            return target.read_bytes() == source
        return filecmp.cmp(source, target, shallow=False)
    except OSError as error:
        log.debug(f"cannot compare {target}: {os_reason(error)}")
        return False
