"""The interface of a store of embedded photos, and its types."""

import os
import re
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sketchy.progress import Progress, no_progress
from sketchy.results import Hit

Vectors = NDArray[np.float32]
"""Embeddings, float32: (N, D), or (D,) for one."""


class Photo(NamedTuple):
    """One file of a gallery.

    Attributes:
        path: Absolute path; bytes that are not UTF-8 are kept as surrogates, as `os.fsdecode` returns them. It is the
            key: a store has one photo for each path.
        size: Size in bytes.
        mtime_ns: Time of the last change; 0 if the file was too new to rely on it.
        content: SHA-256 of the bytes, in hex. Files of one content share an embedding and come back as one hit.
        category: Category of the picture, or None.
    """

    path: str
    size: int
    mtime_ns: int
    content: str
    category: str | None


def nfc(text: str) -> str:
    """Return a text in the Unicode form NFC: macOS writes `é` as two characters, other systems as one."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def label(name: str) -> str:
    """Return the category that a folder's name stands for: in NFC, bytes that are no UTF-8 replaced."""
    return nfc(os.fsencode(name).decode("utf-8", "replace"))


@lru_cache(maxsize=64)
def whole_path(glob: str) -> str:
    """Return a glob for the whole path, in NFC, of one that may begin at any folder; see `Where.path_glob`."""
    pattern = os.path.normpath(nfc(glob))
    if re.match(r"\.\.?(/|$)", pattern):
        pattern = os.path.abspath(pattern)  # noqa: PTH100 - as paths are in an index
    if glob.endswith(os.sep):
        pattern += f"{os.sep}*"
    return pattern if pattern.startswith((os.sep, "*")) else f"*{os.sep}{pattern}"


def matches(path: str, globs: Sequence[str]) -> bool:
    """Whether a path fits any of some globs, read as `Where.path_glob`, whatever their Unicode forms."""
    return any(fnmatchcase(nfc(path), whole_path(glob)) for glob in globs)


@dataclass(frozen=True)
class Where:
    """Which photos a search may find; the default is all. Unicode forms (NFC, NFD) make no difference.

    Attributes:
        categories: Categories of which a photo must have one; empty for all.
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
        """The pattern for the whole path, in NFC."""
        return None if self.path_glob is None else whole_path(self.path_glob)

    @cached_property
    def spellings(self) -> tuple[str, ...]:
        """The categories in both Unicode forms, since indexes of earlier versions have them as the file system did."""
        forms = {unicodedata.normalize(form, label(name)) for name in self.categories for form in ("NFC", "NFD")}
        return tuple(sorted(forms))

    def allows(self, path: str, category: str | None) -> bool:
        """Whether a photo may be found."""
        if self.categories and category not in self.spellings:
            return False
        return self.path_glob is None or matches(path, (self.path_glob,))


EVERYTHING = Where()


@dataclass(frozen=True)
class Identity:
    """The model that a store's embeddings come from.

    Attributes:
        model: Fingerprint of the model, in hex.
        size: Size of an embedding, D.
        checkpoint: Where the checkpoint was when the store was made; only shown.
    """

    model: str
    size: int
    checkpoint: str


class Store(Protocol):
    """Photos with their embeddings, on this machine or another, to be searched.

    Safe to call from several threads. Every method raises GalleryError when the store is damaged or gone.

    Attributes:
        identity: The model that the embeddings come from.
    """

    identity: Identity

    def get(self, paths: Sequence[str]) -> dict[str, Photo]:
        """Return those of the paths that are known."""

    def copies(self, contents: Sequence[str]) -> list[Photo]:
        """Return all photos that have one of the contents, in no order."""

    def search(self, query: Vectors, k: int, where: Where = EVERYTHING, *, exact: bool = False) -> list[Hit]:
        """Return the k pictures nearest to a query, nearest first; fewer where there are fewer.

        Args:
            query: Embedding, shape (D,), float32.
            k: Number of pictures, at least 1.
            where: Which photos may be found.
            exact: Measure every photo, also where an approximate index was built; a server decides that itself.
        """

    def scan(self, below: str = "") -> Iterator[list[Photo]]:
        """Yield all photos, or those whose path starts with `below`, in batches; changes meanwhile may be missed."""

    def count(self, below: str = "") -> int:
        """Return how many photos there are, or whose path starts with `below`; files of one content count each."""

    def close(self) -> None:
        """Let go of files, connections and locks."""


class WritableStore(Store, Protocol):
    """A store that can be changed. A change is kept when the method returns, whole or not at all.

    Every method raises StorageError when the store cannot be written.

    Attributes:
        shared: Whether other machines, which may see other files, write it too.
    """

    shared: bool

    def upsert(self, photos: Sequence[Photo], vectors: Vectors) -> None:
        """Add photos, or replace those of the same path; `vectors` is (len(photos), D)."""

    def delete(self, paths: Sequence[str]) -> None:
        """Drop photos; unknown paths are ignored."""

    def embeddings(self, contents: Sequence[str]) -> dict[str, Vectors]:
        """Return the (D,) embedding of those of the contents that are known."""

    def improve(self, queries: Vectors | None = None, progress: Progress = no_progress) -> None:
        """Make searches faster where that pays, as with an approximate index.

        Args:
            queries: Embeddings of typical queries, shape (Q, D), float32, to decide how far a search looks.
            progress: Shows the progress.
        """


def hit_of(distance: float, photos: Sequence[Photo], where: Where) -> Hit:
    """Make the hit of one picture, shown by the first of its files that was asked for and is there.

    Args:
        distance: Euclidean distance to the query.
        photos: All files of the picture, sorted by path.
        where: What was asked for.
    """
    asked = [photo for photo in photos if where.allows(photo.path, photo.category)] or photos
    there = next((photo for photo in asked if is_gone(photo.path) is False), None)
    shown = there or asked[0]
    category = shown.category and label(shown.category)
    return Hit(shown.path, distance, category, tuple(photo.path for photo in photos), missing=there is None)


def is_gone(path: str) -> bool | None:
    """Whether there is no such file; None where that cannot be told, as without permission."""
    try:
        return not stat.S_ISREG(Path(path).stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return None
