"""The photos of an index by id, and which of them may be shown.

Clients refer to photos by ids, which are hashes of paths in the index; no path is ever taken from a request.
"""

import hashlib
import os
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from starlette.exceptions import HTTPException

from sketchy.errors import GalleryError, SketchyError
from sketchy.retrieval.folders import Folders
from sketchy.retrieval.index import Index
from sketchy.retrieval.search import unknown_category
from sketchy.retrieval.store.base import category_name

PRELOADED = 1_000_000
"""Number of photos whose ids are computed before they are found; they take 200 MB."""


class Catalogue:
    """The photos of an index by id.

    Args:
        index: The index.
        root: The folder that contains all photos, after resolving links; None takes the common folders of their paths,
            one for each top-level folder of the file system.
        preloaded: Number of photos whose ids are computed by `refresh`; others get theirs when they are found.

    Attributes:
        categories: Number of photos of each category, among the preloaded ones, at the last `refresh`.
        folders: The folders of these photos.
    """

    def __init__(self, index: Index, root: Path | None = None, preloaded: int = PRELOADED) -> None:
        self._index = index
        self._root = root
        self._preloaded = preloaded
        self._paths: dict[str, str] = {}
        self._reading = threading.Lock()
        self._photos = -1
        self.refresh()

    def refresh(self) -> None:
        """Read the photos of the index again if their number has changed."""
        photos = len(self._index)
        if photos == self._photos:
            return
        self._photos = photos
        counts: Counter[str] = Counter()
        folders: Counter[str] = Counter()
        for path, category in islice(self._index.photos(), self._preloaded):
            self.id_of(path)
            folders[os.path.dirname(path)] += 1  # noqa: PTH120 - 100,000 times
            if category is not None:
                counts[category_name(category)] += 1
        self.categories = dict(sorted(counts.items()))
        self.folders = Folders(folders)
        roots = [self._root] if self._root is not None else _common_folders(list(self._paths.values()))
        self._roots = tuple(folder.resolve() for folder in roots)

    def tree(self) -> list[tuple[str, int]]:
        """Return names and numbers of photos of the folders; of none in a dataset, which has categories instead."""
        folders = {} if self.categories else self.folders.photos
        return [(to_unicode(self.folders.name(folder)), count) for folder, count in folders.items()]

    def folder_of(self, path: str) -> str:
        """Return the name of the folder of a photo."""
        return to_unicode(self.folders.name(os.path.dirname(path)))  # noqa: PTH120

    def refuse_unknown(self, categories: Sequence[str]) -> None:
        """Raise HTTPException if no photo is of any of the categories, unless none are given."""
        if categories and not any(category_name(name) in self.categories for name in categories):
            known = [*self.categories]
            raise HTTPException(404, "; ".join(unknown_category(name, known) for name in categories))

    def id_of(self, path: str) -> str:
        """Return the id of a photo in the gallery, which is the same after a restart."""
        photo = hashlib.blake2b(os.fsencode(path), digest_size=12).hexdigest()
        self._paths[photo] = path  # the photo may have been indexed after the start
        return photo

    def path_of(self, photo: str) -> str:
        """Return the path of a photo for display. Raises HTTPException for an unknown id."""
        try:
            return self._paths[photo]
        except KeyError:
            raise HTTPException(404, "no photo has this id") from None

    def file_of(self, photo: str) -> Path | bytes:
        """Return the resolved path of a photo, or its content if it is in an archive.

        Raises:
            HTTPException: The photo is unknown, missing or outside the gallery.
        """
        path = self.path_of(photo)
        try:
            with self._reading:  # an archive has a single file handle
                found = self._index.image(path)
        except GalleryError:
            raise HTTPException(404, "this photo has left the gallery") from None
        except SketchyError:
            raise HTTPException(404, "this photo cannot be read any more") from None
        if isinstance(found, bytes):
            if Path(path).exists():
                self._resolve(Path(path))
            return found
        return self._resolve(found)

    def _resolve(self, path: Path) -> Path:
        """Resolve links. Raises HTTPException for a target outside the gallery, or one that is not a regular file."""
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError):
            raise HTTPException(404, "the file of this photo is gone") from None
        if not any(real.is_relative_to(root) for root in self._roots):
            raise HTTPException(403, "this photo is a link that leads out of the gallery")
        if not real.is_file():  # opening a pipe would block forever
            raise HTTPException(404, "the file of this photo is gone")
        return real


def to_unicode(text: str) -> str:
    """Make a file name valid for JSON: bytes that are not UTF-8 become replacement characters."""
    return os.fsencode(text).decode("utf-8", "replace")


def _common_folders(paths: Iterable[str]) -> list[Path]:
    groups: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for folder in {os.path.dirname(path) for path in paths}:  # noqa: PTH120 - 100,000 times
        groups[Path(folder).parts[:2]].add(folder)
    return [Path(os.path.commonpath(folders)) for folders in groups.values()]
