"""The photos of an index by id, and which of them may be shown.

Clients name photos by ids that are hashes; only what the index holds has one. A path never comes from a request.
"""

import hashlib
import os
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from sketchy.errors import GalleryError, SketchyError
from sketchy.retrieval.index import Index
from sketchy.retrieval.store.base import label
from sketchy.web.refusal import Refusal

KNOWN = 1_000_000
"""Photos whose ids are known from the start, 200 MB of them."""


class Catalogue:
    """What an index holds.

    Args:
        index: Photos to show.
        root: The folder that all photos really lie in; None takes the common folder of their paths, one for each
            folder at the top of the file system.
        known: Photos whose ids are known from the start; further ones get theirs when they are found.

    Attributes:
        categories: Number of photos of each category, among those known from the start.
    """

    def __init__(self, index: Index, root: Path | None = None, known: int = KNOWN) -> None:
        self._index = index
        self._paths: dict[str, str] = {}
        self._reading = threading.Lock()
        counts: Counter[str] = Counter()
        for path, category in islice(index.photos(), known):
            self.id_of(path)
            if category is not None:
                counts[label(category)] += 1
        self.categories = dict(sorted(counts.items()))
        roots = [root] if root is not None else _common_folders(self._paths.values())
        self._roots = tuple(folder.resolve() for folder in roots)

    def id_of(self, path: str) -> str:
        """Return the id of a photo of the gallery; it is the same after a restart."""
        photo = hashlib.blake2b(os.fsencode(path), digest_size=12).hexdigest()
        self._paths[photo] = path  # the index may have grown since the catalogue was made
        return photo

    def path_of(self, photo: str) -> str:
        """Return the path of a photo, for people to read. Raises Refusal for an unknown id."""
        try:
            return self._paths[photo]
        except KeyError:
            raise Refusal(404, "no photo has this id") from None

    def file_of(self, photo: str) -> Path | bytes:
        """Return where a photo really lies, or its content. Raises Refusal: unknown, gone, or outside the gallery."""
        path = self.path_of(photo)
        try:
            with self._reading:  # an archive has one handle
                found = self._index.image(path)
        except GalleryError:
            raise Refusal(404, "this photo has left the gallery") from None
        except SketchyError:
            raise Refusal(404, "this photo cannot be read any more") from None
        if isinstance(found, bytes):
            if Path(path).exists():
                self._real(Path(path))
            return found
        return self._real(found)

    def _real(self, path: Path) -> Path:
        """Resolve links, and refuse what they lead to outside the gallery."""
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError):
            raise Refusal(404, "the file of this photo is gone") from None
        if not any(real.is_relative_to(root) for root in self._roots):
            raise Refusal(403, "this photo is a link that leads out of the gallery")
        if not real.is_file():  # opening a pipe would wait for ever
            raise Refusal(404, "the file of this photo is gone")
        return real


def shown(text: str) -> str:
    """Make a file name fit for JSON: bytes that are no UTF-8 become replacement characters."""
    return os.fsencode(text).decode("utf-8", "replace")


def _common_folders(paths: Iterable[str]) -> list[Path]:
    groups: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for folder in {os.path.dirname(path) for path in paths}:  # noqa: PTH120 - 100,000 times
        groups[Path(folder).parts[:2]].add(folder)
    return [Path(os.path.commonpath(folders)) for folders in groups.values()]
