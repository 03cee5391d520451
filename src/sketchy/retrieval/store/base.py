"""The interface of a store of embedded photos, and its types."""

import os
import re
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sketchy.progress import Progress, no_progress
from sketchy.results import Hit
from sketchy.retrieval.dates import DAY, first_second, iso, local_seconds

Vectors = NDArray[np.float32]
"""Embeddings, float32: (N, D), or (D,) for one."""


class Photo(NamedTuple):
    """One file of a gallery.

    Attributes:
        path: Absolute path, unique in a store; bytes that are not UTF-8 are surrogates, see `os.fsdecode`.
        size: Size in bytes.
        mtime_ns: Time of the last change, ns since 1970; 0 if the file had changed too recently to rely on it.
        content: SHA-256 of the bytes, in hex. Files with equal content share an embedding and form one hit.
        category: Category of the picture in a dataset; None if it is unknown.
        taken: When it was taken, in seconds since 1970 of its clock, see `retrieval.dates`; None in indexes of earlier
            versions.
    """

    path: str
    size: int
    mtime_ns: int
    content: str
    category: str | None
    taken: int | None = None

    @property
    def date(self) -> int | None:
        """When it was taken, else when its file was changed; None if neither is known."""
        return local_seconds(self.mtime_ns) if self.taken is None else self.taken


def nfc(text: str) -> str:
    """Return text in the Unicode form NFC: macOS writes `é` as two characters, other systems as one."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def as_tuple(texts: str | Sequence[str]) -> tuple[str, ...]:
    """Return texts as a tuple; a single text counts as one, not as its letters."""
    return (texts,) if isinstance(texts, str) else tuple(texts)


def category_name(name: str) -> str:
    """Turn a folder's name into a category: in NFC, with bytes that are not UTF-8 replaced."""
    return nfc(os.fsencode(name).decode("utf-8", "replace"))


def base_name(path: str) -> str:
    """Return the file name of a path for comparisons, in NFC and lower case."""
    return nfc(path.rpartition(os.sep)[2]).lower()


@lru_cache(maxsize=64)
def whole_path(glob: str) -> str:
    """Turn a user's glob (see `Where.path_glob`) into one for absolute paths, in NFC."""
    pattern = os.path.normpath(nfc(glob))
    if re.match(r"\.\.?(/|$)", pattern):
        pattern = os.path.abspath(pattern)  # noqa: PTH100 - keeps links, as the paths of an index do
    if glob.endswith(os.sep):
        pattern += f"{os.sep}*"
    return pattern if pattern.startswith((os.sep, "*")) else f"*{os.sep}{pattern}"


def matches(path: str, globs: Sequence[str]) -> bool:
    """Return whether a path matches any of the globs; see `Where.path_glob`. Unicode forms make no difference."""
    return any(fnmatchcase(nfc(path), whole_path(glob)) for glob in globs)


@dataclass(frozen=True)
class Where:
    """A filter on the photos of a search; by default all pass. Unicode forms (NFC, NFD) make no difference.

    Attributes:
        categories: Names of the accepted categories; empty accepts all.
        path_glob: Glob that the path must match. `*` matches any characters, `/` too; a pattern without a leading `/`
            or `*` may begin at any folder.
        folders: Folders of which one must contain the photo, at any depth; empty accepts all. For a store they are
            absolute paths as the store spells them, for an index see `Folders.find`.
        since: First day on which the photo may have been taken.
        until: Last day on which it may have been taken.
        name: Glob that the file name must match, whatever the case.
    """

    categories: tuple[str, ...] = ()
    path_glob: str | None = None
    folders: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    name: str | None = None

    @property
    def everything(self) -> bool:
        """Whether all photos pass."""
        return self == EVERYTHING

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The texts that the path of a photo in one of the folders starts with."""
        return tuple(folder.rstrip(os.sep) + os.sep for folder in self.folders)

    @property
    def period(self) -> tuple[int | None, int | None]:
        """The first second when the photo may have been taken, and the first one when it may not any more."""
        since = None if self.since is None else first_second(self.since)
        return since, None if self.until is None else first_second(self.until) + DAY

    @property
    def name_glob(self) -> str | None:
        """The glob for file names, in NFC and lower case."""
        return None if self.name is None else nfc(self.name).lower()

    @property
    def glob(self) -> str | None:
        """The glob for absolute paths, in NFC."""
        return None if self.path_glob is None else whole_path(self.path_glob)

    @cached_property
    def spellings(self) -> tuple[str, ...]:
        """The categories in both Unicode forms: indexes of earlier versions have the form of the file system."""
        forms = {
            unicodedata.normalize(form, category_name(name)) for name in self.categories for form in ("NFC", "NFD")
        }
        return tuple(sorted(forms))

    def allows(self, photo: Photo) -> bool:
        """Return whether a photo passes."""
        return (
            (not self.categories or photo.category in self.spellings)
            and (self.path_glob is None or matches(photo.path, (self.path_glob,)))
            and (not self.folders or photo.path.startswith(self.prefixes))
            and (self.name_glob is None or fnmatchcase(base_name(photo.path), self.name_glob))
            and (self.since is None is self.until or self._was_taken_then(photo.date))
        )

    def _was_taken_then(self, seconds: int | None) -> bool:
        since, end = self.period
        return seconds is not None and (since is None or seconds >= since) and (end is None or seconds < end)


EVERYTHING = Where()


@dataclass(frozen=True)
class Identity:
    """The model that a store's embeddings come from.

    Attributes:
        model: Fingerprint of the model, in hex.
        size: Size of an embedding, D.
        checkpoint: Path of the checkpoint when the store was created; only for messages.
    """

    model: str
    size: int
    checkpoint: str


class Store(Protocol):
    """A searchable collection of photos with their embeddings.

    Safe to call from several threads. Every method raises GalleryError if the store is damaged or gone.

    Attributes:
        identity: The model that the embeddings come from.
    """

    identity: Identity

    def get(self, paths: Sequence[str]) -> dict[str, Photo]:
        """Return the photos of those paths that are in the store, by path."""

    def copies(self, contents: Sequence[str]) -> list[Photo]:
        """Return all photos with one of the contents, in no particular order."""

    def search(self, query: Vectors, k: int, where: Where = EVERYTHING, *, exact: bool = False) -> list[Hit]:
        """Return the k pictures nearest to a query, nearest first; fewer if the store has fewer.

        Args:
            query: Embedding, shape (D,), float32.
            k: Number of pictures, at least 1.
            where: Filter on the photos.
            exact: Measure every photo, even if there is an approximate index; ignored by a server.
        """

    def embeddings(self, contents: Sequence[str]) -> dict[str, Vectors]:
        """Return embeddings, shape (D,), by content, for those contents that are in the store."""

    def scan(self, below: str = "") -> Iterator[list[Photo]]:
        """Yield in batches all photos whose path starts with `below`; concurrent changes may be missed."""

    def count(self, where: Where = EVERYTHING) -> int:
        """Count the photos that pass a filter; copies of one picture count separately."""

    def close(self) -> None:
        """Release files, connections and locks."""


class WritableStore(Store, Protocol):
    """A store that can be changed. Every change is atomic, and durable once the method returns.

    Every method raises StorageError if the store cannot be written.

    Attributes:
        shared: Whether other machines, which may see other files, write to it too.
    """

    shared: bool

    def upsert(self, photos: Sequence[Photo], vectors: Vectors) -> None:
        """Add photos, or replace those with the same path; `vectors` has shape (len(photos), D)."""

    def delete(self, paths: Sequence[str]) -> None:
        """Remove photos by path; unknown paths are ignored."""

    def improve(self, queries: Vectors | None = None, progress: Progress = no_progress) -> None:
        """Build whatever makes searches faster, such as an approximate index, if it pays.

        Args:
            queries: Embeddings of typical queries, shape (Q, D), float32, to tune the recall on.
            progress: Shows the progress.
        """


def hit_of(distance: float, photos: Sequence[Photo], where: Where) -> Hit:
    """Make the hit of one picture. It shows the first file that passes the filter and exists.

    Args:
        distance: Euclidean distance to the query.
        photos: All files of the picture, sorted by path.
        where: Filter of the search.
    """
    allowed = [photo for photo in photos if where.allows(photo)] or photos
    existing = next((photo for photo in allowed if is_gone(photo.path) is False), None)
    shown = existing or allowed[0]
    return Hit(
        shown.path,
        distance,
        shown.category and category_name(shown.category),
        tuple(photo.path for photo in photos),
        taken=None if shown.date is None else iso(shown.date),
        missing=existing is None,
    )


def is_gone(path: str) -> bool | None:
    """Return whether no such file exists; None if that cannot be determined, such as without permission."""
    try:
        return not stat.S_ISREG(Path(path).stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return None
