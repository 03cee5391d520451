"""The searchable photos of an index folder, a server or a dataset."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack

from sketchy.errors import GalleryError
from sketchy.image import Kind
from sketchy.paths import as_path
from sketchy.progress import Progress, no_progress
from sketchy.results import Advice, Hits, Skipped
from sketchy.retrieval.changes import UpdateResult
from sketchy.retrieval.folders import Folders
from sketchy.retrieval.model import ImageLike, Model, as_sequence
from sketchy.retrieval.scan import DEFAULT_SCAN, Scan
from sketchy.retrieval.search import Filters, Request, calibration_of, search, unmatched, where_of
from sketchy.retrieval.store.address import open_writer
from sketchy.retrieval.store.base import Store, Vectors, Where
from sketchy.retrieval.update import FULL_SPEED, Pace, update


class Index:
    """Photos with their embeddings, open for searching. Make one with `Model.index`; close it after use.

    Safe to use from several threads. Photos are identified by their paths.

    Args:
        store: Photos and embeddings; closed with the index.
        name: Name of the index in messages.
        model: Model that made the embeddings.
        address: Address to open the store at for writing; None if it cannot be written.
        sources: Folders and files that `update` scans by default.
        scan: Options of that scan.
        read: Returns the content of a photo by path; None if photos are files.

    Attributes:
        address: Address that the index is updated at; None if it cannot be updated.
        sources: Folders and files that `update` scans by default.
        skipped: Files that the last update could not use, with the reason.
        left_out: Number of files that the last update left out on purpose, by reason.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        model: Model,
        *,
        address: str | None = None,
        sources: Sequence[Path] = (),
        scan: Scan = DEFAULT_SCAN,
        read: Callable[[str], bytes] | None = None,
    ) -> None:
        self.name = name
        self.model = model
        self.skipped: tuple[Skipped, ...] = ()
        self.left_out: Mapping[str, int] = {}
        self._open: Store | None = store
        self.address = address
        self.sources = sources
        self._scan = scan
        self._read = read
        self._folders: Folders | None = None

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
        max_distance: float | None = None,
        min_score: float | None = None,
        exact: bool = False,
        spatial_share: float | None = None,
        **filters: Unpack[Filters],
    ) -> Hits:
        """Find the photos nearest to an image, or to the mean of several.

        Args:
            images: One image, or several to average; see `Model.embed`.
            k: Greatest number of hits.
            kind: Kind of the images; "photo" finds similar photos.
            max_distance: Greatest distance of a hit.
            min_score: Least score of a hit, 0 to 1.
            exact: Measure every photo, even if there is an approximate index.
            spatial_share: How much it counts how things lie, against what they are: the share of the spatial part in
                the squared distance, 0 to 1. None takes the model's share; hits with another have no score.
            filters: Which photos may be found: `folder`, `since`, `until`, `name`, `path_glob` and `categories`, see
                `Filters`.

        Returns:
            Hits, nearest first, missing files last; copies of one picture are one hit. See `Hits.advice`.

        Raises:
            ImageError: An image cannot be used; the message names it.
            CheckpointError: Hits would have no score for `min_score`, or the model has no spatial embedding.
            GalleryError: The index is damaged or gone, or no photo is in the folder.
            ValueError: k is below 1, a date is none, there is no image, or the index is closed.
        """
        request = Request(k, self._resolved(where_of(**filters)), max_distance, min_score, exact, spatial_share)
        calibration_of(self.model, kind, request)  # fails before the forward pass
        given = as_sequence(images)
        hits = self.find(self.model.query(given, kind), request, kind)
        return Hits(hits, Advice.KEEP_DRAWING) if self.model.is_single_mark(given, kind) else hits

    def find(self, query: Vectors, request: Request, kind: Kind = "sketch") -> Hits:
        """Search with an embedding as query, shape (D,), float32; see `search`."""
        calibration = calibration_of(self.model, kind, request)
        request = replace(request, where=self._resolved(request.where))
        return search(self._store, query, request, calibration, self.model.spatial)

    def unmatched(self, query: Vectors, where: Where) -> list[str]:
        """Return a message for each part of a filter that no photo passes."""
        return unmatched(self._store, query, where)

    def folders(self) -> Folders:
        """Return the folders of the photos."""
        self._folders = Folders.of(path for path, _ in self.photos())
        return self._folders

    def _resolved(self, where: Where) -> Where:
        """Return a filter with the absolute paths of its folders. Raises GalleryError if one has no photo."""
        store = self._store
        if not where.folders or all(store.count(prefix) for prefix in where.prefixes):
            return where
        with suppress(GalleryError):  # of an unknown folder: it may be new
            if self._folders is not None:
                return replace(where, folders=tuple(map(self._folders.find, where.folders)))
        return replace(where, folders=tuple(map(self.folders().find, where.folders)))

    def update(
        self,
        photos: Sequence[str | os.PathLike[str]] | None = None,
        *,
        progress: Progress = no_progress,
        pace: Pace = FULL_SPEED,
    ) -> UpdateResult:
        """Update the index: embed new photos, remove deleted ones, leave the others alone.

        Args:
            photos: Folders and files to scan; None takes those that the index was opened with.
            progress: Shows the progress.
            pace: Leaves room for searches meanwhile.

        Raises:
            GalleryError: The index is of a dataset, no photos are named, or another process is writing the index.
            StorageError: The index cannot be written; earlier commits remain.
        """
        sources = self.sources if photos is None else [as_path(os.fspath(path)) for path in photos]
        if self._store and self.address is None:
            raise GalleryError(f"{self.name} cannot be updated; make an index of a folder of photos")
        if not sources:
            raise GalleryError(f"no photos named to update {self.name} with; name the folders")
        changes = update_at(str(self.address), sources, self.model, scan=self._scan, progress=progress, pace=pace)
        self.note(changes)
        return changes

    def note(self, changes: UpdateResult) -> None:
        """Record which files an update skipped and left out."""
        self.skipped, self.left_out = tuple(changes.skipped), dict(changes.left_out)

    def __len__(self) -> int:
        """Count the photos; copies of one picture count separately."""
        return self._store.count()

    def photos(self) -> Iterator[tuple[str, str | None]]:
        """Yield path and category, None if unknown, of every photo; copies of one picture are separate."""
        return ((photo.path, photo.category) for batch in self._store.scan() for photo in batch)

    def image(self, path: str) -> Path | bytes:
        """Return the file of a photo, or its content. Raises GalleryError if the path is not in the index."""
        if path not in self._store.get([path]):
            raise GalleryError(f"{path} is not in {self.name}; give the path of a hit")
        return Path(path) if self._read is None else self._read(path)

    def copies(self, path: str) -> list[str]:
        """Return the paths of the other photos with the content of one, sorted; of none in a dataset."""
        contents = [photo.content for photo in self._store.get([path]).values()]
        return sorted(photo.path for photo in self._store.copies(contents) if photo.path != path)

    def holds(self, file: Path) -> bool:
        """Return whether a file is one of the photos, by its path or, because of links, by its content."""
        paths = [os.path.abspath(file), os.path.realpath(file)]  # noqa: PTH100 - keeps links
        if self._store.get(paths):
            return True
        if self._read is not None:  # a dataset: few photos, contents unknown
            name = os.path.basename(paths[1])  # noqa: PTH119
            return any(path.endswith(name) and os.path.realpath(path) == paths[1] for path, _ in self.photos())
        with file.open("rb") as opened:
            return bool(self._store.copies([hashlib.file_digest(opened, "sha256").hexdigest()]))

    def close(self) -> None:
        """Close the store; closing twice does nothing."""
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
    scan: Scan = DEFAULT_SCAN,
    progress: Progress = no_progress,
    pace: Pace = FULL_SPEED,
) -> UpdateResult:
    """Open or create the store at an address, and update it; see `update`."""
    store = open_writer(address, model.identity, force=force)
    try:
        return update(store, sources, model, scan=scan, progress=progress, pace=pace)
    finally:
        store.close()
