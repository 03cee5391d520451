"""Photos that are no files, their embeddings, and what is done with them; everything is drawn from their indices."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from sketchy.results import Hit
from sketchy.retrieval.store.base import Identity, Photo, Vectors
from sketchy.retrieval.store.embedded import EmbeddedStore

SIZE = 64
IDENTITY = Identity("t" * 64, SIZE, "stress test")
BATCH = 50
"""Photos a commit adds."""
HALF = BATCH // 2
"""Photos of a batch that the next commit deletes, the first ones."""


def batch(number: int) -> range:
    """Return the indices of the photos of a batch."""
    return range(number * BATCH, (number + 1) * BATCH)


def index_of(path: str) -> int:
    """Return the index of a photo."""
    return int(Path(path).stem)


def batch_sizes(paths: Iterable[str], at_least: int = 1) -> list[int]:
    """Count the photos of each batch, up to the last one that has any, and of `at_least` so many batches."""
    numbers = np.array([index_of(path) // BATCH for path in paths], np.int64)
    sizes: list[int] = np.bincount(numbers, minlength=at_least).tolist()
    return sizes


def photos(indices: Sequence[int]) -> list[Photo]:
    """Return the photos of some indices, which are no files."""
    return [
        Photo(f"/photos/{n:07}.jpg", n, n, hashlib.sha256(str(n).encode()).hexdigest(), f"c{n % 7}") for n in indices
    ]


def vectors(indices: Sequence[int]) -> Vectors:
    """Return their embeddings, each drawn from its index, so that a wrong answer is seen as one."""
    return np.stack([np.random.default_rng(n).standard_normal(SIZE, np.float32) for n in indices])


def add(store: EmbeddedStore, indices: Sequence[int]) -> None:
    """Commit photos."""
    store.upsert(photos(indices), vectors(indices))


def delete_half(store: EmbeddedStore, number: int) -> None:
    """Commit the deletion of half of a batch."""
    store.delete([photo.path for photo in photos(batch(number)[:HALF])])


def answers(store: EmbeddedStore, indices: Sequence[int]) -> list[list[Hit]]:
    """Search with the embeddings of some photos."""
    return [store.search(vectors([n])[0], 5) for n in indices]
