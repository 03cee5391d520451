"""What a store of embedded photos keeps, and the few things that can be asked of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""(N, D) float32 embeddings."""


class Photo(NamedTuple):
    """One file of a gallery.

    Attributes:
        path: absolute; bytes that are no UTF-8 are kept as surrogates, as `os.fsdecode` makes them. It is the identity:
            a store holds one photo a path.
        size: bytes.
        mtime_ns: time of the last change; 0 where the file was too fresh to trust it.
        content: SHA-256 of the bytes, in hex. Files of one content share an embedding and come back as one match.
        category: what is known about the picture, else None.
    """

    path: str
    size: int
    mtime_ns: int
    content: str
    category: str | None


class Match(NamedTuple):
    """One picture that was found: its Euclidean distance to the query, and its files, sorted by path."""

    distance: float
    photos: tuple[Photo, ...]


@dataclass(frozen=True)
class Where:
    """Which photos a search may find; the default is all.

    Attributes:
        categories: any of these; empty for all.
        path_glob: `*` matches any characters, also `/`; a pattern without a leading `/` or `*` may begin at any folder.
    """

    categories: tuple[str, ...] = ()
    path_glob: str | None = None

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return not self.categories and self.path_glob is None

    @property
    def glob(self) -> str | None:
        """The pattern for the whole path."""
        pattern = self.path_glob
        return pattern if pattern is None or pattern.startswith(("/", "*")) else f"*/{pattern}"

    def allows(self, path: str, category: str | None) -> bool:
        """Whether a photo may be found."""
        glob = self.glob
        return (not self.categories or category in self.categories) and (glob is None or fnmatchcase(path, glob))


EVERYTHING = Where()


@dataclass(frozen=True)
class Identity:
    """The model that a store's embeddings come from.

    Attributes:
        model: hash of all that makes an embedding, in hex.
        size: D, numbers in an embedding.
        checkpoint: where the model lay when the store was made; for people.
    """

    model: str
    size: int
    checkpoint: str


class Store(Protocol):
    """Photos with their embeddings, on this machine or another.

    A change is kept when the method returns, whole or not at all. Safe to call from several threads. Every method
    raises GalleryError when the store is damaged or gone, and StorageError when it cannot be written.

    Attributes:
        identity: the model that the embeddings come from.
    """

    identity: Identity

    def upsert(self, photos: Sequence[Photo], vectors: Vectors) -> None:
        """Add photos, or replace those of the same path; `vectors` is (len(photos), D)."""

    def delete(self, paths: Sequence[str]) -> None:
        """Drop photos; unknown paths are ignored."""

    def get(self, paths: Sequence[str]) -> dict[str, Photo]:
        """Return those of the paths that are known."""

    def embeddings(self, contents: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Return the (D,) embedding of those of the contents that are known."""

    def search(self, query: NDArray[np.float32], k: int, where: Where = EVERYTHING) -> list[Match]:
        """Return the k nearest pictures to a (D,) query, nearest first; fewer where there are fewer."""

    def scan(self, below: str = "") -> Iterator[list[Photo]]:
        """Yield all photos, or those whose path starts with `below`, in batches; changes meanwhile may be missed."""

    def count(self, below: str = "") -> int:
        """Return how many photos there are, or whose path starts with `below`; files of one content count each."""

    def close(self) -> None:
        """Let go of files, connections and locks."""
