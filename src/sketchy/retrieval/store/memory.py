"""A few photos with their embeddings in memory, only to be searched: those of a dataset."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from sketchy.results import Hit
from sketchy.retrieval.nearest import nearest, rough_distances, rounding_slack, squared_norms
from sketchy.retrieval.store.base import EVERYTHING, Identity, Photo, Vectors, Where


class MemoryStore:
    """A store that cannot be changed; see `Store` for the methods. No photo is a copy of another.

    Args:
        identity: The model that the embeddings come from.
        photos: Paths and categories, N of them.
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
        self.close = close
        self._photos = [Photo(path, 0, 0, "", category) for path, category in photos]
        self._by_path = {photo.path: photo for photo in self._photos}
        self._vectors = vectors
        self._norms = squared_norms(vectors)

    def get(self, paths: Sequence[str]) -> dict[str, Photo]:
        """Return those of the paths that are known."""
        return {path: self._by_path[path] for path in paths if path in self._by_path}

    def copies(self, contents: Sequence[str]) -> list[Photo]:
        """Return nothing: the contents are not known."""
        return []

    def search(self, query: Vectors, k: int, where: Where = EVERYTHING, *, exact: bool = False) -> list[Hit]:
        """Return the k photos nearest to a (D,) query, nearest first; always exact."""
        rough = rough_distances(query, self._vectors, self._norms)
        allowed = (where.allows(photo.path, photo.category) for photo in self._photos)
        rough[~np.fromiter(allowed, np.bool_, len(rough))] = np.inf
        slack = rounding_slack(query, float(self._norms.max(initial=0)))
        found = nearest(query, rough, k, slack, lambda rows: self._vectors[rows])
        shown = ((self._photos[row], distance) for row, distance in found)
        return [Hit(photo.path, distance, photo.category, (photo.path,)) for photo, distance in shown]

    def scan(self, below: str = "") -> Iterator[list[Photo]]:
        """Yield all photos, or those whose path starts with `below`, in one batch."""
        yield [photo for photo in self._photos if photo.path.startswith(below)]

    def count(self, below: str = "") -> int:
        """Return how many photos there are, or whose path starts with `below`."""
        return sum(photo.path.startswith(below) for photo in self._photos)
