"""Finding the photos below a folder, and deciding what is left out."""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from sketchy.containers import HEAD, detect_format
from sketchy.errors import GalleryError, ImageError
from sketchy.image import KNOWN_UNREADABLE, RAW_SUFFIXES, SUFFIXES, photo_suffixes
from sketchy.results import Skipped
from sketchy.retrieval.dataset_layout import category_of, sketch_folders
from sketchy.retrieval.foreign import is_cache, is_companion, is_foreign
from sketchy.retrieval.store.base import matches
from sketchy.storage import os_reason

LIBRARY_SUFFIXES = (".photoslibrary", ".photolibrary", ".aplibrary", ".migratedphotolibrary")
LIBRARY_NAMES = ("iphoto library", "aperture library")
ORIGINALS = ("originals", "masters")
"""The only folders that are searched in a photo library of Apple's programs, in lower case."""
LIVE_SUFFIX, LIVE_PHOTO_SUFFIXES = ".mov", (".heic", ".heif", ".jpg", ".jpeg")
"""The video of a live photo lies beside the photo and has the same name."""
HIDDEN, EXCLUDED, NO_SUFFIX, OTHER = "hidden", "excluded", "without a suffix", "of another kind"
"""Reasons to leave something out; further ones are suffixes of KNOWN_UNREADABLE and folders, such as `in #recycle`."""
UNREPORTED = ""
"""The reason for what nobody misses: it is not reported."""

Report = Callable[[Skipped], object]
"""Callback for folders that cannot be listed, or files that are left out."""


class PhotoFile(NamedTuple):
    """An image file: its absolute path, and its category if it belongs to a dataset."""

    path: str
    category: str | None


@dataclass(frozen=True)
class Scan:
    """Options of a scan.

    Attributes:
        exclude: Globs of files and folders to leave out, with the rules of `Where.path_glob`.
        drop_missing: Also remove the photos of missing and empty folders, whose drive may not be mounted.
        name_left_out: Log every file that is left out.
    """

    exclude: tuple[str, ...] = ()
    drop_missing: bool = False
    name_left_out: bool = False


DEFAULT_SCAN = Scan()


def absolute_sources(sources: Sequence[Path], known: Callable[[str], bool] = lambda path: False) -> list[Path]:
    """Return folders and files as sorted absolute paths, without those inside another one.

    Args:
        sources: Folders and files.
        known: Returns whether a path may be missing, because an index has photos of it.

    Raises:
        GalleryError: A source is missing, and `known` returns False for it.
    """
    paths = {Path(os.path.abspath(source)) for source in sources}  # noqa: PTH100 - keeps links
    for path in sorted(paths):
        if is_missing(str(path)) and not known(str(path)):
            raise GalleryError(f"no such folder of photos: {path}; name one that exists")
    return sorted(path for path in paths if paths.isdisjoint(path.parents))


def is_missing(path: str) -> bool:
    """Return whether nothing exists at a path; False if that cannot be determined, as with a server that is down."""
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

    Files are known as images by their suffixes; without one, by their first bytes. Hidden files and folders are left
    out, as are folders of other programs and, in a dataset, the `sketch` folder beside the `photo` folder. Links to
    folders are followed last, so that a photo gets its real path. No folder is entered twice, so links may form cycles.

    Args:
        sources: Folders and files, as `absolute_sources` returns them.
        report: Called with each folder that cannot be listed.
        leave_out: Called with each file that is left out, and with each hidden folder.
        exclude: Globs of files and folders to leave out, with the rules of `Where.path_glob`.
    """
    walker = _Walker(report, leave_out, tuple(exclude))
    for source in sources:
        if os.path.isdir(source):  # noqa: PTH112 - False on errors
            yield from walker.below(str(source))
        else:
            yield PhotoFile(str(source), None)


@lru_cache(maxsize=4096)
def is_left_out(folder: str, source: str, exclude: tuple[str, ...]) -> bool:
    """Return whether `walk` leaves out a folder below a source, for any reason but being hidden."""
    if len(folder) <= len(source):
        return False
    parent, name = os.path.split(folder)
    return _why_left_out(parent, name, exclude) not in (None, HIDDEN) or is_left_out(parent, source, exclude)


class _Names(NamedTuple):
    """Sorted names of the image files, folders, links to folders, and possible videos of live photos in a folder."""

    files: list[str]
    folders: list[str]
    links: list[str]
    videos: list[str]


class _Walker:
    """A running walk, which remembers the folders it has entered."""

    def __init__(self, report: Report, leave_out: Report, exclude: tuple[str, ...]) -> None:
        self._report = report
        self._leave_out = leave_out
        self._exclude = exclude
        self._entered: set[tuple[int, int]] = set()

    def below(self, source: str) -> Iterator[PhotoFile]:
        """Yield the image files below a folder."""
        pending = [source]
        links: list[str] = []
        while pending or links:
            folder = pending.pop() if pending else links.pop(0)
            names = self._enter(folder)
            category = category_of(folder)
            for name in names.files:
                yield PhotoFile(f"{folder}{os.sep}{name}", category)
            pending += [f"{folder}{os.sep}{name}" for name in reversed(names.folders)]
            links += [f"{folder}{os.sep}{name}" for name in names.links]

    def _enter(self, folder: str) -> _Names:
        """List a folder; the second time the result is empty."""
        names = _Names([], [], [], [])
        try:
            status = Path(folder).stat()
            if (status.st_dev, status.st_ino) in self._entered:
                return names
            self._entered.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                for entry in entries:
                    self._add(entry, folder, names)
        except OSError as error:
            self._report(_skipped(folder, error))
        self._report_videos(folder, names)
        for name in sketch_folders(folder, [*names.folders, *names.links]):
            (names.folders if name in names.folders else names.links).remove(name)
            self._report_images(f"{folder}{os.sep}{name}", f"in {name}")
        for some in names:
            some.sort()
        return names

    def _add(self, entry: os.DirEntry[str], folder: str, names: _Names) -> None:
        """Add an entry of a folder to the names, or report why it is left out."""
        path = f"{folder}{os.sep}{entry.name}"
        try:
            is_folder = entry.is_dir()
        except OSError as error:  # such as a link to an unreachable drive
            self._report(_skipped(path, error))
            return
        if not is_folder:
            self._add_file(entry, path, names)
            return
        reason = _why_left_out(folder, entry.name, self._exclude)
        if reason is None:
            (names.links if entry.is_symlink() else names.folders).append(entry.name)
        elif reason == HIDDEN:
            self._leave_out(Skipped(path, reason))
        elif reason != UNREPORTED:
            self._report_images(path, reason)

    def _add_file(self, entry: os.DirEntry[str], path: str, names: _Names) -> None:
        reason = _why_not_photo(entry.name, path, self._exclude)
        if reason == NO_SUFFIX and _begins_like_an_image(path):
            reason = None
        if reason is None:
            names.files.append(entry.name)
        elif reason == OTHER and _suffix(entry.name) == LIVE_SUFFIX:
            names.videos.append(entry.name)
        elif reason != UNREPORTED:
            self._leave_out(Skipped(path, reason))

    def _report_videos(self, folder: str, names: _Names) -> None:
        """Report the videos that do not belong to a live photo."""
        photos = {name.lower() for name in names.files if names.videos}
        for name in names.videos:
            stem = name.lower().removesuffix(LIVE_SUFFIX)
            if not any(stem + suffix in photos for suffix in LIVE_PHOTO_SUFFIXES):
                self._leave_out(Skipped(f"{folder}{os.sep}{name}", OTHER))

    def _report_images(self, folder: str, reason: str) -> None:
        """Report the images in a folder that is left out."""
        for parent, _, files in os.walk(folder):
            for name in files:
                if _suffix(name) in SUFFIXES or _suffix(name) in KNOWN_UNREADABLE:
                    self._leave_out(Skipped(f"{parent}{os.sep}{name}", reason))


def raw_remedy(left_out: Collection[str]) -> str:
    """Return how the raw files of cameras are read, if some are left out; else empty."""
    is_raw = not RAW_SUFFIXES.isdisjoint(left_out)
    return "`pip install 'sketchy-search[raw]'` reads the previews of raw files" if is_raw else ""


def _why_left_out(parent: str, name: str, exclude: tuple[str, ...]) -> str | None:
    """Return why a folder is left out; None if it is not."""
    if is_cache(name):
        return UNREPORTED
    if name.startswith("."):
        return HIDDEN
    if _is_library(parent) and name.lower() not in ORIGINALS:
        return f"in {os.path.basename(parent)}"  # noqa: PTH119 - speed
    if is_foreign(name):
        return f"in {name}"
    return EXCLUDED if exclude and matches(f"{parent}{os.sep}{name}", exclude) else None


def _why_not_photo(name: str, path: str, exclude: tuple[str, ...]) -> str | None:
    """Return why a file is left out; None if it is a photo."""
    suffix = _suffix(name)
    known = suffix in SUFFIXES or suffix in KNOWN_UNREADABLE
    if is_companion(name):
        return UNREPORTED
    if name.startswith("."):
        return HIDDEN if known else UNREPORTED
    if exclude and matches(path, exclude):
        return EXCLUDED
    if suffix in photo_suffixes():
        return None
    return suffix if known else OTHER if suffix else NO_SUFFIX


def _begins_like_an_image(path: str) -> bool:
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            detect_format(file.read(HEAD))
    except (OSError, ImageError):
        return False
    return True


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a pipe would wait for its writer


@lru_cache(maxsize=1024)
def _is_library(folder: str) -> bool:
    name = os.path.basename(folder).lower()  # noqa: PTH119
    return name in LIBRARY_NAMES or name.endswith(LIBRARY_SUFFIXES)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - speed


def _skipped(path: str, error: OSError) -> Skipped:
    return Skipped(path, os_reason(error).lower())
