"""Photos whose files cannot be found: those that are gone, and those whose drive may not be mounted."""

import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

from sketchy.retrieval.scan import Scan, is_foreign, is_left_out
from sketchy.retrieval.store.base import Photo, Store, WritableStore, is_gone, matches
from sketchy.storage import os_reason

DRIVES = re.compile(r"(/media(/[^/]+)?|/run/media/[^/]+|/mnt|/Volumes)/[^/]+")
"""Folders that systems make when a drive is mounted, and remove after it."""
GONE = ("", "")
"""Stands for a folder: the photo is gone for good."""


def stored(store: Store, source: str) -> Iterator[list[Photo]]:
    """Yield the photos that a store has of a source, a folder or a file."""
    if itself := list(store.get([source]).values()):
        yield itself
    yield from store.scan(f"{source}{os.sep}")


class Pruning:
    """Drops photos from a store whose files are gone, and keeps those that may come back.

    Args:
        store: The store that is brought up to date.
        sources: Folders and files, absolute.
        takes: Returns whether this process is responsible for a path.
        scan: How the folders are looked through.
        write: Whether to drop photos; else they are only counted.

    Attributes:
        folders: Folders that have photos now; to be filled before `drop_gone`.
        found: Contents that were found in the sources; to be filled before `drop_gone`.
        removed: Number of photos that were dropped.
        away: Number of photos that were kept, by folder and the folder's problem.
    """

    def __init__(
        self, store: WritableStore, sources: Sequence[Path], takes: Callable[[str], bool], scan: Scan, *, write: bool
    ) -> None:
        self.folders: set[str] = set()
        self.found: set[str] = set()
        self.removed = 0
        self.away: Counter[tuple[str, str]] = Counter()
        self._store = store
        self._sources = [str(source) for source in sources]
        self._takes = takes
        self._scan = scan
        self._write = write
        self._dropped: set[str] = set()
        self._below = tuple(f"{source}{os.sep}" for source in self._sources)
        # Another machine that writes a shared store may still see the files that it indexed.
        self._elsewhere = not store.shared and store.count() > sum(map(store.count, self._below))

    def drop_moved(self, photos: Sequence[Photo]) -> None:
        """Drop missing photos outside the sources whose content is that of given photos: their folder was renamed."""
        if self._elsewhere:
            copies = self._store.copies(sorted({photo.content for photo in photos}))
            self._drop(copy.path for copy in copies if not copy.path.startswith(self._below) and is_gone(copy.path))

    def drop_gone(self) -> None:
        """Drop photos of the sources that are gone or left out, but keep those whose drive may be missing."""
        missing = Missing(self.folders)
        for source in self._sources:
            for batch in stored(self._store, source):
                own = [photo for photo in batch if self._takes(photo.path)]
                away = {photo: folder for photo in own if (folder := self._missing_folder(photo.path, source, missing))}
                moved = self._found_elsewhere(list(away))
                kept = {
                    photo: folder
                    for photo, folder in away.items()
                    if folder != GONE and not (photo.content in moved and is_gone(photo.path))
                }
                self.away.update(kept.values())
                self._drop(photo.path for photo in away if photo not in kept)

    def _missing_folder(self, path: str, source: str, missing: "Missing") -> tuple[str, str] | None:
        """Return None for a photo that exists, GONE for one to drop, else the folder whose drive may be missing."""
        if self._is_left_out(path, source):
            return GONE
        gone = is_gone(path)
        if gone is False:
            return None
        if gone and self._scan.drop_missing:
            return GONE
        return missing.folder_of(path, source) or (GONE if gone else (path, "cannot be read"))

    def _is_left_out(self, path: str, source: str) -> bool:
        if path == source:  # the user named it
            return False
        exclude = self._scan.exclude
        return is_left_out(os.path.dirname(path), source, exclude) or matches(path, exclude)  # noqa: PTH120

    def _found_elsewhere(self, photos: Sequence[Photo]) -> set[str]:
        """Return the contents of photos that other, existing files have."""
        copies = self._store.copies(sorted({photo.content for photo in photos})) if photos else []
        return self.found | {copy.content for copy in copies if is_gone(copy.path) is False}

    def _drop(self, paths: Iterable[str]) -> None:
        fresh = set(paths) - self._dropped
        self._dropped |= fresh
        self.removed += len(fresh)
        if fresh and self._write:
            self._store.delete(sorted(fresh))


class Missing:
    """Tells photos whose drive may be missing from photos that were deleted.

    Args:
        folders: Folders that have photos now.
    """

    def __init__(self, folders: Collection[str]) -> None:
        self._folders = folders
        self._known: dict[tuple[str, str], tuple[str, str] | None] = {}

    def folder_of(self, path: str, source: str) -> tuple[str, str] | None:
        """Return the folder whose drive may be missing, and its problem.

        Args:
            path: A photo of the source that cannot be found.
            source: The folder or file that was indexed.

        Returns:
            The source, if it is missing or has no photo at all; else a folder below it that exists but is empty, as a
            mount point is, or a link or a mount point that leads nowhere; None if only the photo is missing.
        """
        if path == source:
            return source, "is missing"
        key = os.path.dirname(path), source  # noqa: PTH120 - 100,000 times
        if key not in self._known:
            self._known[key] = self._look(*key)
        return self._known[key]

    def _look(self, folder: str, source: str) -> tuple[str, str] | None:
        while folder != source and not os.path.isdir(folder):  # noqa: PTH112 - false also where it cannot be told
            above = os.path.dirname(folder)  # noqa: PTH120
            if os.path.islink(folder) or (DRIVES.fullmatch(folder) and not os.path.ismount(above)):  # noqa: PTH114
                return folder, "is missing"
            folder = above
        try:
            names = os.listdir(folder)  # noqa: PTH208
        except (FileNotFoundError, NotADirectoryError):
            return folder, "is missing"
        except OSError as error:
            return folder, f"cannot be listed ({os_reason(error).lower()})"
        if not any(not name.startswith(".") and not is_foreign(name) for name in names):
            return folder, "is empty"
        if (folder == source or os.path.ismount(folder)) and not self._has_photos(folder):
            return folder, "has no photos"
        return None

    def _has_photos(self, folder: str) -> bool:
        return folder in self._folders or any(other.startswith(f"{folder}{os.sep}") for other in self._folders)
