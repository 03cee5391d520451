"""A read-only store in memory, for the few photos of a dataset."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from sketchy.results import Hit
from sketchy.retrieval.nearest import candidates, nearest_of, rough_distances, rounding_slack, squared_norms
from sketchy.retrieval.store.base import EVERYTHING, Identity, Photo, Store, Vectors, Where


class MemoryStore(Store):
    """A read-only store in memory. Copies of one picture are separate hits.

    Args:
        identity: The model that the embeddings come from.
        photos: Path and category of each of the N photos.
        vectors: Embeddings, shape (N, D), float32.
        close: Called when the store is closed.
    """

    def __init__(
        self,
        identity: Identity,
        photos: Sequence[tuple[str, str | None]],
        vectors: Vectors,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.identity = identity
        self._close = close
        self._photos = [Photo(path, 0, 0, path, category) for path, category in photos]  # no two contents are equal
        self._rows = {photo.path: row for row, photo in enumerate(self._photos)}
        self._vectors = vectors
        self._norms = squared_norms(vectors)

    def get(self, paths: Sequence[str]) -> dict[str, Photo]:
        return {path: self._photos[self._rows[path]] for path in paths if path in self._rows}

    def copies(self, contents: Sequence[str]) -> list[Photo]:
        """Return nothing: the contents are unknown."""
        return []

    def embeddings(self, contents: Sequence[str]) -> dict[str, Vectors]:
        return {content: self._vectors[self._rows[content]] for content in contents if content in self._rows}

    def search(self, query: Vectors, k: int, where: Where = EVERYTHING, *, exact: bool = False) -> list[Hit]:
        """Return the k photos nearest to a query, shape (D,), nearest first; always exact."""
        rough = rough_distances(query, self._vectors, self._norms)
        allowed = map(where.allows, self._photos)
        rough[~np.fromiter(allowed, np.bool_, len(rough))] = np.inf
        chosen = candidates(rough, k, rounding_slack(query, float(self._norms.max(initial=0))))
        rows = nearest_of(query, chosen, k, lambda rows: self._vectors[rows])
        hits = ((self._photos[row], distance) for row, distance in rows)
        return [Hit(photo.path, distance, photo.category, (photo.path,)) for photo, distance in hits]

    def scan(self, below: str = "") -> Iterator[list[Photo]]:
        """Yield in one batch all photos whose path starts with `below`."""
        yield [photo for photo in self._photos if photo.path.startswith(below)]

    def count(self, where: Where = EVERYTHING) -> int:
        return sum(map(where.allows, self._photos))

    def close(self) -> None:
        self._close()
