"""Photos whose files cannot be found: deleted ones, and those on a drive that may not be mounted."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from sketchy.retrieval.foreign import is_foreign
from sketchy.retrieval.scan import Scan, is_left_out
from sketchy.retrieval.store.base import Photo, Store, Where, WritableStore, is_gone, matches
from sketchy.storage import os_reason

DRIVES = re.compile(r"(/media(/[^/]+)?|/run/media/[^/]+|/mnt|/Volumes)/[^/]+")
"""Mount points that the system creates when a drive is mounted, and removes afterwards."""
Why = tuple[str, str]
"""A folder that is not available, and the reason."""
GONE: Why = ("", "")
"""No folder is unavailable: the file is gone for good."""


def stored(store: Store, source: str) -> Iterator[list[Photo]]:
    """Yield in batches the photos of a source, a folder or a file, that are in a store."""
    if photo := list(store.get([source]).values()):
        yield photo
    yield from store.scan(f"{source}{os.sep}")


class Pruning:
    """Removes photos from a store whose files are gone, except those that may come back with their drive.

    Args:
        store: Store to update.
        sources: Absolute paths of folders and files.
        takes: Returns whether a path belongs to this process's shard.
        scan: Options of the scan.
        write: Remove the photos; False only counts them.

    Attributes:
        folders: Folders that contain photos; to be filled before `drop_gone`.
        contents: Contents that were found at new paths; to be filled before `drop_gone`.
        removed: Number of photos removed.
        unavailable: Number of photos kept though their files cannot be found, by folder and reason.
    """

    def __init__(
        self, store: WritableStore, sources: Sequence[Path], takes: Callable[[str], bool], scan: Scan, *, write: bool
    ) -> None:
        self.folders: set[str] = set()
        self.contents: set[str] = set()
        self.removed = 0
        self.unavailable: Counter[tuple[str, str]] = Counter()
        self._store = store
        self._sources = [str(source) for source in sources]
        self._takes = takes
        self._scan = scan
        self._write = write
        self._removed: set[str] = set()
        self._below = tuple(f"{source}{os.sep}" for source in self._sources)
        # The files of photos in a shared store may exist on another machine only.
        self._has_others = not store.shared and store.count() > store.count(Where(folders=tuple(self._sources)))

    def drop_moved(self, photos: Sequence[Photo]) -> None:
        """Remove photos outside the sources whose files were moved to one of these photos, as by a renamed folder."""
        if self._has_others:
            copies = self._store.copies(sorted({photo.content for photo in photos}))
            self._remove(copy.path for copy in copies if not copy.path.startswith(self._below) and is_gone(copy.path))

    def drop_gone(self) -> None:
        """Remove photos of the sources that are gone or left out, but keep those whose drive may not be mounted."""
        unavailable = cache(self._unavailable_folder)  # many photos share a folder
        for source in self._sources:
            for batch in stored(self._store, source):
                own = [photo for photo in batch if self._takes(photo.path)]
                absent = {photo: why for photo in own if (why := self._why_absent(photo.path, source, unavailable))}
                moved = self._existing_contents(list(absent))
                kept = {
                    photo: why
                    for photo, why in absent.items()
                    if why != GONE and not (photo.content in moved and is_gone(photo.path))
                }
                self.unavailable.update(kept.values())
                self._remove(photo.path for photo in absent if photo not in kept)

    def _why_absent(self, path: str, source: str, unavailable: Callable[[str, str], Why | None]) -> Why | None:
        """Return None for a photo that exists, GONE for one to remove, else the unavailable folder and the reason."""
        folder, exclude = os.path.dirname(path), self._scan.exclude  # noqa: PTH120 - speed
        # A source that is a file was named explicitly, so it is never left out.
        if path != source and (is_left_out(folder, source, exclude) or matches(path, exclude)):
            return GONE
        gone = is_gone(path)
        if gone is False:
            return None
        if gone and self._scan.drop_missing:
            return GONE
        why = (source, "is missing") if path == source else unavailable(folder, source)
        return why or (GONE if gone else (path, "cannot be read"))

    def _existing_contents(self, photos: Sequence[Photo]) -> set[str]:
        """Return the contents found so far, and those of the photos that exist at another path."""
        copies = self._store.copies(sorted({photo.content for photo in photos})) if photos else []
        return self.contents | {copy.content for copy in copies if is_gone(copy.path) is False}

    def _unavailable_folder(self, folder: str, source: str) -> Why | None:
        """Return where a drive may not be mounted, of a folder and those above it up to the source, and the reason.

        Returns:
            The source if it is missing or has no photo at all; else a folder below it that is empty, as a mount point
            is, or a broken link or a missing mount point; None if only photos are missing.
        """
        while folder != source and not os.path.isdir(folder):  # noqa: PTH112 - False on errors
            parent = os.path.dirname(folder)  # noqa: PTH120
            if os.path.islink(folder) or (DRIVES.fullmatch(folder) and not os.path.ismount(parent)):  # noqa: PTH114
                return folder, "is missing"
            folder = parent
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
        return folder in self.folders or any(other.startswith(f"{folder}{os.sep}") for other in self.folders)

    def _remove(self, paths: Iterable[str]) -> None:
        fresh = set(paths) - self._removed
        self._removed |= fresh
        self.removed += len(fresh)
        if fresh and self._write:
            self._store.delete(sorted(fresh))
