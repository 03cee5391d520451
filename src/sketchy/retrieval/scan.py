"""Find the photos below folders, and count what is left out."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from sketchy.errors import GalleryError
from sketchy.image import KNOWN_UNREADABLE, SUFFIXES
from sketchy.results import Skipped
from sketchy.retrieval.store.base import label, matches
from sketchy.storage import os_reason

FOREIGN_FOLDERS = frozenset(
    {
        "@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "$recycle.bin", "recycler", "recycled",
        "system volume information", "lost+found", "__macosx", "files_trashbin", "thumbs", "thumbnails",
        "ipod photo cache",
    }
)  # fmt: skip
"""Names, in lower case, of folders in which other programs keep thumbnails and deleted files."""
FOREIGN_SUFFIXES = (".lrdata",)
"""Endings, in lower case, of further such folders: the previews of Lightroom."""
LIBRARY_SUFFIXES = (".photoslibrary", ".photolibrary", ".aplibrary", ".migratedphotolibrary")
LIBRARY_NAMES = ("iphoto library", "aperture library")
ORIGINALS = ("originals", "masters")
"""The only folders of a library of Apple's programs that are entered, in lower case."""
HIDDEN, EXCLUDED, NO_SUFFIX, OTHER = "hidden", "excluded", "without a suffix", "other"
"""Why something is left out; further reasons are `.heic` and other suffixes of KNOWN_UNREADABLE, and `in @eaDir`."""

Report = Callable[[Skipped], object]
"""Called with folders that cannot be listed, or with files that are left out."""


class PhotoFile(NamedTuple):
    """An image file: its absolute path, and the category that its folder's name gives it."""

    path: str
    category: str | None


@dataclass(frozen=True)
class Scan:
    """How folders are scanned.

    Attributes:
        exclude: Globs of files and folders to leave out; see `Where.path_glob`.
        drop_missing: Whether to drop also the photos of folders whose drive may be missing.
        name_left_out: Whether to log every file that is left out.
    """

    exclude: tuple[str, ...] = ()
    drop_missing: bool = False
    name_left_out: bool = False


USUAL = Scan()


def absolute_sources(sources: Sequence[Path], known: Callable[[str], bool] = lambda path: False) -> list[Path]:
    """Return folders and files as absolute paths, without those that lie in another.

    Args:
        sources: Folders and files.
        known: Tells whether a path may be missing, since an index has photos of it.

    Raises:
        GalleryError: A source is missing and not known.
    """
    paths = sorted({Path(os.path.abspath(source)) for source in sources})  # noqa: PTH100 - keeps links
    for path in paths:
        if is_missing(str(path)) and not known(str(path)):
            raise GalleryError(f"no such folder of photos: {path}; name one that is there")
    return [path for path in paths if not any(other in path.parents for other in paths)]


def is_missing(path: str) -> bool:
    """Whether nothing is at a path; where that cannot be told, as on a server that does not answer, it is not."""
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def walk(
    sources: Sequence[Path],
    report: Report,
    leave_out: Report = lambda left: None,
    exclude: Sequence[str] = (),
) -> Iterator[PhotoFile]:
    """Yield the image files below folders, and the files among the sources, in a fixed order.

    Hidden files and folders are left out, as are folders of other programs and, in a dataset, the `sketch` folder
    beside the `photo` folder. Links to folders are followed after all else, so that a photo keeps its real path, and
    no folder is entered twice, so that they may form circles.

    Args:
        sources: Folders and files, as `absolute_sources` returns them.
        report: Called with each folder that cannot be listed.
        leave_out: Called with each file that is left out, and with each hidden folder.
        exclude: Globs of files and folders to leave out, read as `Where.path_glob`.
    """
    walker = _Walker(report, leave_out, tuple(exclude))
    for source in sources:
        if os.path.isdir(source):  # noqa: PTH112 - false also where it cannot be told
            yield from walker.below(str(source))
        else:
            yield PhotoFile(str(source), None)


@lru_cache(maxsize=4096)
def is_left_out(folder: str, source: str, exclude: tuple[str, ...]) -> bool:
    """Whether a walk of a source leaves out a folder below it as another program's, or as excluded."""
    if len(folder) <= len(source):
        return False
    parent, name = os.path.split(folder)
    return _why_left_out(parent, name, exclude) not in (None, HIDDEN) or is_left_out(parent, source, exclude)


def is_foreign(name: str) -> bool:
    """Whether a folder of this name belongs to another program."""
    lower = name.lower()
    return lower in FOREIGN_FOLDERS or lower.endswith(FOREIGN_SUFFIXES)


class _Names(NamedTuple):
    """What a folder holds, each sorted."""

    files: list[str]
    folders: list[str]
    links: list[str]


class _Walker:
    """A walk under way."""

    def __init__(self, report: Report, leave_out: Report, exclude: tuple[str, ...]) -> None:
        self._report = report
        self._leave_out = leave_out
        self._exclude = exclude
        self._entered: set[tuple[int, int]] = set()

    def below(self, source: str) -> Iterator[PhotoFile]:
        """Yield the image files below a folder."""
        waiting = [source]
        links: list[str] = []
        while waiting or links:
            folder = waiting.pop() if waiting else links.pop(0)
            names = self._enter(folder)
            category = None if folder == source else _category(folder)
            for name in names.files:
                yield PhotoFile(f"{folder}{os.sep}{name}", category)
            waiting += [f"{folder}{os.sep}{name}" for name in reversed(names.folders)]
            links += [f"{folder}{os.sep}{name}" for name in names.links]

    def _enter(self, folder: str) -> _Names:
        """List a folder once; the second time it is empty."""
        names = _Names([], [], [])
        try:
            status = Path(folder).stat()
            if (status.st_dev, status.st_ino) in self._entered:
                return names
            self._entered.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                for entry in entries:
                    self._sort_in(entry, folder, names)
        except OSError as error:
            self._report(_skipped(folder, error))
        for name in _sketch_folders(folder, [*names.folders, *names.links]):
            (names.folders if name in names.folders else names.links).remove(name)
            self._count_below(f"{folder}{os.sep}{name}", f"in {name}")
        for some in names:
            some.sort()
        return names

    def _sort_in(self, entry: os.DirEntry[str], folder: str, names: _Names) -> None:
        path = f"{folder}{os.sep}{entry.name}"
        try:
            is_folder = entry.is_dir()
        except OSError as error:  # a link to what cannot be reached; the rest of the folder can
            self._report(_skipped(path, error))
            return
        if not is_folder:
            reason = _why_no_photo(entry.name, path, self._exclude)
            if reason is None:
                names.files.append(entry.name)
            elif reason:
                self._leave_out(Skipped(path, reason))
            return
        reason = _why_left_out(folder, entry.name, self._exclude)
        if reason is None:
            (names.links if entry.is_symlink() else names.folders).append(entry.name)
        elif reason == HIDDEN:
            self._leave_out(Skipped(path, reason))
        else:
            self._count_below(path, reason)

    def _count_below(self, folder: str, reason: str) -> None:
        """Tell of the images in a folder that is left out."""
        for parent, _, files in os.walk(folder):
            for name in files:
                if _suffix(name) in SUFFIXES or _suffix(name) in KNOWN_UNREADABLE:
                    self._leave_out(Skipped(f"{parent}{os.sep}{name}", reason))


def _why_left_out(parent: str, name: str, exclude: tuple[str, ...]) -> str | None:
    """Return why a folder is not entered, None where it is."""
    if name.startswith("."):
        return HIDDEN
    if _is_library(parent) and name.lower() not in ORIGINALS:
        return f"in {os.path.basename(parent)}"  # noqa: PTH119 - 100,000 times
    if is_foreign(name):
        return f"in {name}"
    return EXCLUDED if exclude and matches(f"{parent}{os.sep}{name}", exclude) else None


def _why_no_photo(name: str, path: str, exclude: tuple[str, ...]) -> str | None:
    """Return why a file is left out; None where it is a photo, nothing where nobody would look for one."""
    suffix = _suffix(name)
    known = suffix in SUFFIXES or suffix in KNOWN_UNREADABLE
    if name.startswith("."):
        return HIDDEN if known else ""
    if exclude and matches(path, exclude):
        return EXCLUDED
    if suffix in SUFFIXES:
        return None
    return suffix if known else OTHER if suffix else NO_SUFFIX


def _sketch_folders(folder: str, names: Sequence[str]) -> list[str]:
    """Return the sketch folders among the names, if the folder is a dataset: photos beside them, with like folders."""
    photos = [name for name in names if name.lower() in ("photo", "photos")]
    sketches = [name for name in names if name.lower() in ("sketch", "sketches")]
    if not photos or not sketches:
        return []
    inside = set().union(*(_folders_in(f"{folder}{os.sep}{name}") for name in photos))
    return [name for name in sketches if inside & _folders_in(f"{folder}{os.sep}{name}")]


def _folders_in(folder: str) -> set[str]:
    """Return the names of the category folders in a folder; all renderings `tx_...` of a dataset count as one."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    except OSError:
        return set()
    return {"tx_" if name.startswith("tx_") else name for name in names if any(map(str.isalpha, name))}


@lru_cache(maxsize=1024)
def _is_library(folder: str) -> bool:
    name = os.path.basename(folder).lower()  # noqa: PTH119
    return name in LIBRARY_NAMES or name.endswith(LIBRARY_SUFFIXES)


def _category(folder: str) -> str | None:
    """Take the folder's name, unless it is a date or number, or lies in a library, whose folders say nothing."""
    name = os.path.basename(folder)  # noqa: PTH119
    if not any(letter.isalpha() for letter in name) or any(_is_library(part) for part in Path(folder).parts):
        return None
    return label(name)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - 100,000 times


def _skipped(path: str, error: OSError) -> Skipped:
    return Skipped(path, os_reason(error).lower())
