"""The one thing that is searched: photos, from wherever they come, by an embedded query."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sketchy.dataset.loader import Dataset, load_dataset, refuse_moved
from sketchy.errors import GalleryError
from sketchy.model.checkpoint import Checkpoint
from sketchy.results import Hit, Skipped
from sketchy.retrieval.embed import Embedder, embed_pixels
from sketchy.retrieval.missing import is_gone
from sketchy.retrieval.nearest import nearest, rough_distances, rounding_slack, squared_norms
from sketchy.retrieval.store.records import EVERYTHING, Photo, Store, Where, label
from sketchy.talk import SILENT, Talk

Floats = NDArray[np.float32]
FURTHER = 16
"""How many times as many photos are looked at, to find enough whose files are there."""


class Gallery(Protocol):
    """Photos that can be searched and shown. A photo is known by its path.

    Attributes:
        name: what to call it.
        skipped: files that could not be used when it was made.
        left_out: how many other files were left out then, by reason.
    """

    name: str
    skipped: tuple[Skipped, ...]
    left_out: Mapping[str, int]

    def count(self) -> int:
        """Return how many photos there are."""

    def search(self, query: Floats, k: int, where: Where = EVERYTHING) -> tuple[Hit, ...]:
        """Return the k photos nearest to a (D,) query, nearest first; fewer where there are fewer."""

    def photos(self) -> Iterator[tuple[str, str | None]]:
        """Yield path and category of every photo."""

    def image(self, path: str) -> Path | bytes:
        """Return the file of a photo, or its content. Raises GalleryError for a path that is not in the gallery."""

    def holds(self, file: Path) -> bool:
        """Whether a file is one of the photos."""

    def close(self) -> None:
        """Let go of what is open."""


class IndexedPhotos:
    """The photos of a store."""

    def __init__(
        self, store: Store, name: str, skipped: tuple[Skipped, ...] = (), left_out: Mapping[str, int] | None = None
    ) -> None:
        self.name = name
        self.skipped = skipped
        self.left_out = left_out or {}
        self._store = store
        self.count: Callable[[], int] = store.count
        self.close: Callable[[], None] = store.close

    def search(self, query: Floats, k: int, where: Where = EVERYTHING) -> tuple[Hit, ...]:
        """Return the k nearest; copies of one picture are one hit, with all their paths.

        Those whose files are not there, as on a drive that is not mounted, stand behind all others.
        """
        looked_at = k
        while True:
            matches = self._store.search(query, looked_at, where)
            hits = [_hit(match.distance, match.photos, where) for match in matches]
            if sum(not hit.missing for hit in hits) >= k or len(hits) < looked_at or looked_at >= FURTHER * k:
                break
            looked_at *= 4
        ranked = sorted(hits, key=lambda hit: hit.missing)[:k]
        return tuple(replace(hit, rank=rank) for rank, hit in enumerate(ranked, start=1))

    def photos(self) -> Iterator[tuple[str, str | None]]:
        """Yield path and category of every photo, copies too."""
        return ((photo.path, photo.category) for batch in self._store.scan() for photo in batch)

    def image(self, path: str) -> Path | bytes:
        """Return the file of a photo of the index."""
        if path not in self._store.get([path]):
            raise GalleryError(f"{path} is not in {self.name}; name a photo that was found there")
        return Path(path)

    def holds(self, file: Path) -> bool:
        """Whether a file is one of the photos, by its path or, as links lead to one file, by its content."""
        paths = [os.path.abspath(file), os.path.realpath(file)]  # noqa: PTH100 - as paths are in an index
        if self._store.get(paths):
            return True
        with file.open("rb") as opened:
            return bool(self._store.copies([hashlib.file_digest(opened, "sha256").hexdigest()]))


def _hit(distance: float, photos: tuple[Photo, ...], where: Where) -> Hit:
    """Show the first file that was asked for and is there; the rank is not known yet."""
    asked = [photo for photo in photos if where.allows(photo.path, photo.category)] or list(photos)
    there = next((photo for photo in asked if is_gone(photo.path) is False), None)
    shown = there or asked[0]
    category = shown.category and label(shown.category)
    return Hit(0, shown.path, distance, category, tuple(photo.path for photo in photos), missing=there is None)


class TestPhotos:
    """The held-out photos of a checkpoint's dataset, embedded anew from its pack; they may lie in an archive."""

    __test__ = False  # its name makes pytest look

    def __init__(self, data: Dataset, embedder: Embedder, talk: Talk = SILENT) -> None:
        rows = data.parts["test"].photos
        if not len(rows):
            raise GalleryError(f"the test split of {data.source.path} has no photos; name a folder with --gallery")
        pack = data.pack
        self.name = f"the test photos of {data.source.path}"
        self.skipped: tuple[Skipped, ...] = ()
        self.left_out: Mapping[str, int] = {}
        self._data = data
        encoder = embedder.encoder_for(len(rows))
        self._vectors: Floats = embed_pixels(encoder, pack.photos, "photo", rows, talk).numpy()
        self._norms = squared_norms(self._vectors)
        self._paths = [data.photo_path(row) for row in rows.tolist()]
        self._rows = dict(zip(self._paths, rows.tolist(), strict=True))
        self._categories = [pack.categories[number] for number in pack.photo_category[rows]]

    def count(self) -> int:
        """Return how many photos there are."""
        return len(self._paths)

    def search(self, query: Floats, k: int, where: Where = EVERYTHING) -> tuple[Hit, ...]:
        """Return the k nearest."""
        rough = rough_distances(query, self._vectors, self._norms)
        allowed = map(where.allows, self._paths, self._categories)
        rough[~np.fromiter(allowed, np.bool_, len(rough))] = np.inf
        found = nearest(
            query, rough, k, rounding_slack(query, float(self._norms.max())), lambda rows: self._vectors[rows]
        )
        return tuple(
            Hit(rank, self._paths[row], distance, self._categories[row], (self._paths[row],))
            for rank, (row, distance) in enumerate(found, start=1)
        )

    def photos(self) -> Iterator[tuple[str, str | None]]:
        """Yield path and category of every photo."""
        return zip(self._paths, self._categories, strict=True)

    def image(self, path: str) -> Path | bytes:
        """Read a photo of the dataset."""
        if path not in self._rows:
            raise GalleryError(f"{path} is not among {self.name}; name a photo that was found there")
        return self._data.photo_file(self._rows[path])

    def holds(self, file: Path) -> bool:
        """Whether a file is one of the photos."""
        real = file.resolve()
        return any(Path(path).resolve() == real for path in self._paths if os.path.basename(path) == real.name)  # noqa: PTH119

    def close(self) -> None:
        """Let go of the dataset."""
        self._data.source.close()


def open_test_photos(checkpoint: Checkpoint, embedder: Embedder, talk: Talk = SILENT) -> TestPhotos:
    """Embed the test photos that belong to a checkpoint. Raises DataError, GalleryError, StorageError."""
    refuse_moved(checkpoint.config, "name a folder of photos with --gallery")
    return TestPhotos(load_dataset(checkpoint.config, progress=talk.bar), embedder, talk)
