"""Which files of a folder are its photos."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from sketchy.errors import GalleryError
from sketchy.image import SUFFIXES
from sketchy.results import Skipped

Report = Callable[[Skipped], object]
"""Hears of folders that cannot be listed."""


class Found(NamedTuple):
    """An image file: its absolute path, and the category that its folder's name gives it."""

    path: str
    category: str | None


def absolute_sources(sources: Sequence[Path]) -> list[Path]:
    """Return folders and files as absolute paths, without those that lie in another. Raises GalleryError."""
    paths = sorted({Path(os.path.abspath(source)) for source in sources})  # noqa: PTH100 - keeps links
    for path in paths:
        if not path.exists():
            raise GalleryError(f"no such folder of photos: {path}; name one that is there")
    return [path for path in paths if not any(other in path.parents for other in paths)]


def walk(sources: Sequence[Path], report: Report) -> Iterator[Found]:
    """Yield the image files below folders, and the files among the sources, in a fixed order.

    Hidden files and folders are left out; so is a `sketch` folder beside a `photo` folder, since the folder is then a
    dataset, and its photos are meant. Links to folders are followed after all else, so that a photo keeps its real
    path, and no folder is entered twice, so that they may go round in circles.

    Args:
        sources: as `absolute_sources` gives them.
        report: hears of folders that cannot be listed.
    """
    entered: set[tuple[int, int]] = set()
    for source in sources:
        if not source.is_dir():
            yield Found(str(source), None)
            continue
        waiting = [str(source)]
        links: list[str] = []
        while waiting or links:
            folder = waiting.pop() if waiting else links.pop(0)
            names = _enter(folder, entered, report)
            for name in names.files:
                yield Found(f"{folder}{os.sep}{name}", _category(folder, source))
            waiting += [f"{folder}{os.sep}{name}" for name in reversed(names.folders)]
            links += [f"{folder}{os.sep}{name}" for name in names.links]


class _Names(NamedTuple):
    """What a folder holds, each sorted."""

    files: list[str]
    folders: list[str]
    links: list[str]


def _enter(folder: str, entered: set[tuple[int, int]], report: Report) -> _Names:
    """List a folder once; the second time it is empty."""
    names = _Names([], [], [])
    try:
        status = Path(folder).stat()
        if (status.st_dev, status.st_ino) in entered:
            return names
        entered.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            for entry in entries:
                _sort_in(entry, names)
    except OSError as error:
        report(Skipped(folder, (error.strerror or "cannot be listed").lower()))
    if {"photo", "photos"} & {*names.folders, *names.links}:
        for some in (names.folders, names.links):
            some[:] = [name for name in some if name not in ("sketch", "sketches")]
    for some in names:
        some.sort()
    return names


def _sort_in(entry: os.DirEntry[str], names: _Names) -> None:
    if entry.name.startswith("."):
        return
    if entry.is_dir():
        (names.links if entry.is_symlink() else names.folders).append(entry.name)
    elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:  # noqa: PTH122 - 100,000 times
        names.files.append(entry.name)


def _category(folder: str, source: Path) -> str | None:
    """Take the folder's name, unless it is the very folder that was named, or a date or number."""
    name = os.path.basename(folder)  # noqa: PTH119
    if folder == str(source) or not any(letter.isalpha() for letter in name):
        return None
    return os.fsencode(name).decode("utf-8", "replace")
