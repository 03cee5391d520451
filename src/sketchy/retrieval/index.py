"""Photos that can be searched and shown, from wherever they come: an index folder, a server, or a dataset."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from sketchy.errors import GalleryError
from sketchy.image import Kind
from sketchy.paths import as_path
from sketchy.progress import Progress, no_progress
from sketchy.results import Hit, Skipped
from sketchy.retrieval.model import ImageLike, Model, as_sequence
from sketchy.retrieval.scan import USUAL, Scan
from sketchy.retrieval.search import Request, calibration_of, search, unmatched
from sketchy.retrieval.store.address import open_writer
from sketchy.retrieval.store.base import Store, Vectors, Where
from sketchy.retrieval.update import UpdateResult, update


class Index:
    """Photos with their embeddings, opened to be searched. Make one with `Model.index`; close it after use.

    Safe to use from several threads. A photo is known by its path.

    Args:
        store: Photos and embeddings; the index closes it.
        name: What to call it.
        model: What the embeddings come from.
        address: Where the store can be opened to be changed; None where it cannot be.
        sources: Folders that `update` looks through if none are named.
        scan: How they are looked through.
        read: Returns the content of a photo; None where photos are files.

    Attributes:
        skipped: Files that could not be used at the last update.
        left_out: Number of other files that were left out then, by reason.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        model: Model,
        *,
        address: str | None = None,
        sources: Sequence[Path] = (),
        scan: Scan = USUAL,
        read: Callable[[str], bytes] | None = None,
    ) -> None:
        self.name = name
        self.model = model
        self.skipped: tuple[Skipped, ...] = ()
        self.left_out: Mapping[str, int] = {}
        self._open: Store | None = store
        self._address = address
        self._sources = sources
        self._scan = scan
        self._read = read

    @property
    def _store(self) -> Store:
        if self._open is None:
            raise ValueError(f"the index {self.name} is closed")
        return self._open

    def search(
        self,
        images: ImageLike | Sequence[ImageLike],
        k: int = 10,
        kind: Kind = "sketch",
        *,
        categories: Sequence[str] = (),
        path_glob: str | None = None,
        max_distance: float | None = None,
        min_score: float | None = None,
        exact: bool = False,
    ) -> list[Hit]:
        """Find the photos nearest to an image, or to several of one thing.

        Args:
            images: One image, or several whose mean is searched for; see `Model.embed`.
            k: Greatest number of hits.
            kind: What the images are; "photo" finds more like a photo.
            categories: Only photos of any of these; empty for all.
            path_glob: Only photos whose path matches, such as "holiday/*".
            max_distance: Only photos as near as this.
            min_score: Only photos whose score is at least this, 0 to 1.
            exact: Measure every photo, also where there is an approximate index.

        Returns:
            Hits, nearest first; copies of one picture are one hit. Photos whose files are missing come last.

        Raises:
            ImageError: An image cannot be used; the message names it.
            CheckpointError: A least score is asked for, and the model has no calibration.
            GalleryError: The index is damaged or gone.
            ValueError: k is below 1, there is no image, or the index is closed.
        """
        if k < 1:
            raise ValueError(f"k is {k}; give at least 1")
        where = Where((categories,) if isinstance(categories, str) else tuple(categories), path_glob)
        store = self._store  # a closed index is told before the work
        request = Request(k, where, max_distance, min_score, exact)
        calibration = calibration_of(self.model, kind, request)
        return search(store, self.model.query(as_sequence(images), kind), request, calibration)

    def find(self, query: Vectors, request: Request, kind: Kind = "sketch") -> list[Hit]:
        """Search for an embedded query of shape (D,), float32; see `search`."""
        return search(self._store, query, request, calibration_of(self.model, kind, request))

    def unmatched(self, query: Vectors, where: Where) -> list[str]:
        """Say which of some filters no photo fits."""
        return unmatched(self._store, query, where)

    def update(
        self, photos: Sequence[str | os.PathLike[str]] | None = None, *, progress: Progress = no_progress
    ) -> UpdateResult:
        """Bring the index up to date: embed what is new, forget what is gone, leave the rest.

        Args:
            photos: Folders and files to look through; None takes those that the index was made of here.
            progress: Shows the progress.

        Raises:
            GalleryError: The photos of a dataset cannot be changed; nothing is named; another process writes the index.
            StorageError: The index cannot be written; what was committed stays.
        """
        sources = self._sources if photos is None else [as_path(os.fspath(path)) for path in photos]
        if self._store and self._address is None:
            raise GalleryError(f"{self.name} are searched as they are; make an index of a folder of photos")
        if not sources:
            raise GalleryError(f"no photos named to bring {self.name} up to date with; name the folders")
        changes = update_at(str(self._address), sources, self.model, scan=self._scan, progress=progress)
        self.note(changes)
        return changes

    def note(self, changes: UpdateResult) -> None:
        """Take over what an update left out."""
        self.skipped, self.left_out = tuple(changes.skipped), dict(changes.left_out)

    def __len__(self) -> int:
        """Return how many photos there are; copies of one picture count each."""
        return self._store.count()

    def photos(self) -> Iterator[tuple[str, str | None]]:
        """Yield path and category of every photo, copies too; None where no category is known."""
        return ((photo.path, photo.category) for batch in self._store.scan() for photo in batch)

    def image(self, path: str) -> Path | bytes:
        """Return the file of a photo, or its content. Raises GalleryError for a path that is not in the index."""
        if path not in self._store.get([path]):
            raise GalleryError(f"{path} is not in {self.name}; name a photo that was found there")
        return Path(path) if self._read is None else self._read(path)

    def holds(self, file: Path) -> bool:
        """Whether a file is one of the photos, by its path or, as links lead to one file, by its content."""
        paths = [os.path.abspath(file), os.path.realpath(file)]  # noqa: PTH100 - as paths are in an index
        if self._store.get(paths):
            return True
        if self._read is not None:  # few photos, whose contents are not known
            name = os.path.basename(paths[1])  # noqa: PTH119
            return any(path.endswith(name) and os.path.realpath(path) == paths[1] for path, _ in self.photos())
        with file.open("rb") as opened:
            return bool(self._store.copies([hashlib.file_digest(opened, "sha256").hexdigest()]))

    def close(self) -> None:
        """Let go of what is open; the second time it does nothing."""
        store, self._open = self._open, None
        if store is not None:
            store.close()

    def __enter__(self) -> Self:
        """Return the index, to be closed at the end of the block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the index."""
        self.close()


def update_at(
    address: str,
    sources: Sequence[Path],
    model: Model,
    *,
    force: bool = False,
    scan: Scan = USUAL,
    progress: Progress = no_progress,
) -> UpdateResult:
    """Open the store at an address to be changed, or make it, and bring it up to date; see `update`."""
    store = open_writer(address, model.identity, force=force)
    try:
        return update(store, sources, model, scan=scan, progress=progress)
    finally:
        store.close()
