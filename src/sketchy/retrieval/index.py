"""The searchable photos of an index folder, a server or a dataset."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack, cast

from sketchy.errors import GalleryError
from sketchy.paths import as_path
from sketchy.progress import Progress, no_progress
from sketchy.results import Advice, Hits, Skipped
from sketchy.retrieval.folders import Folders
from sketchy.retrieval.images import AnyKind, ImageLike, as_sequence
from sketchy.retrieval.model import Model
from sketchy.retrieval.query import Extras, Query, combine, examples, make_query
from sketchy.retrieval.scan import DEFAULT_SCAN, Scan
from sketchy.retrieval.search import Filters, Request, Wanted, calibration_of, search, unmatched, where_of
from sketchy.retrieval.store.address import open_writer
from sketchy.retrieval.store.base import Store, Vectors, Where
from sketchy.retrieval.update import update
from sketchy.retrieval.update_result import UpdateResult


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
        images: ImageLike | Sequence[ImageLike] = (),
        k: int = 10,
        kind: AnyKind = "auto",
        *,
        max_distance: float | None = None,
        min_score: float | None = None,
        exact: bool = False,
        spatial_share: float | None = None,
        **wanted: Unpack[Wanted],
    ) -> Hits:
        """Find the photos nearest to an image or to the mean of several, to words, or to both.

        Args:
            images: One image, or several to average; see `Model.embed`. None are needed with `text` or `like`.
            k: Greatest number of hits.
            kind: Kind of the images, "sketch" or "photo"; "auto" takes each for what it is.
            max_distance: Greatest distance of a hit.
            min_score: Least score of a hit, 0 to 1.
            exact: Measure every photo, even if there is an approximate index.
            spatial_share: Share of the spatial part in the squared distance, 0 to 1: how much it counts how things lie,
                against what they are. None takes the model's share; hits with another have no score.
            wanted: Words and examples, `text`, `like`, `unlike` and `without`, see `Extras`; and which photos may be
                found: `folder`, `since`, `until`, `name`, `path_glob` and `categories`, see `Filters`.

        Returns:
            Hits, nearest first, missing files last; copies of one picture are one hit. Photos that are part of the
            query are left out. See `Hits.advice`.

        Raises:
            SketchyError: An image or the index cannot be used, a word or a folder is unknown, hits have no score.
            ValueError: An argument has another value than described above, or the index is closed.
        """
        where = self._resolved(where_of(**cast(Filters, wanted)))
        request = Request(k, where, max_distance, min_score, exact, spatial_share)
        return self.find(make_query(self.model, as_sequence(images), kind, **cast(Extras, wanted)), request)

    def find(self, query: Query, request: Request) -> Hits:
        """Search with a query by the model of the index; see `search`."""
        calibration = calibration_of(self.model, query, request)
        like, unlike = (examples(self._store, names, self._embedded) for names in (query.like, query.unlike))
        vector, has_spatial = combine(query, list(like.values()), list(unlike.values()), self.model.spatial)
        share = request.spatial_share if has_spatial else 0.0
        request = replace(request, where=self._resolved(request.where), spatial_share=share)
        copies = (photo.path for photo in self._store.copies(query.contents))
        own = {*like, *unlike, *map(os.path.abspath, query.without), *query.without, *copies}
        hits = search(self._store, vector, request, calibration, self.model.spatial, own)
        return Hits(hits, Advice.KEEP_DRAWING) if query.is_single_mark else hits

    def _embedded(self, photo: Path) -> Vectors:
        """Embed a photo that is not in the index."""
        embedded: Vectors = self.model.embed(photo, "photo")[0]
        return embedded

    def unmatched(self, where: Where) -> list[str]:
        """Return a message for each part of a filter that no photo passes."""
        return unmatched(self._store, where)

    def folders(self) -> Folders:
        """Return the folders of the photos."""
        self._folders = Folders.of(path for path, _ in self.photos())
        return self._folders

    def _resolved(self, where: Where) -> Where:
        """Return a filter with the absolute paths of its folders. Raises GalleryError if one has no photo."""
        store = self._store
        if not where.folders or all(store.count(Where(folders=(folder,))) for folder in where.folders):
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
        pause: Callable[[], object] = lambda: None,
    ) -> UpdateResult:
        """Update the index: embed new photos, remove deleted ones, leave the others alone.

        Args:
            photos: Folders and files to scan; None takes those that the index was opened with.
            progress: Shows the progress.
            pause: Called again and again, and may wait, so that searches go first; see `update`.

        Raises:
            GalleryError: The index is of a dataset, no photos are named, or another process is writing the index.
            StorageError: The index cannot be written; earlier commits remain.
        """
        sources = self.sources if photos is None else [as_path(os.fspath(path)) for path in photos]
        if self._store and self.address is None:
            raise GalleryError(f"{self.name} cannot be updated; make an index of a folder of photos")
        if not sources:
            raise GalleryError(f"no photos named to update {self.name} with; name the folders")
        changes = update_at(str(self.address), sources, self.model, scan=self._scan, progress=progress, pause=pause)
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
    pause: Callable[[], object] = lambda: None,
) -> UpdateResult:
    """Open or create the store at an address, and update it; see `update`."""
    store = open_writer(address, model.identity, force=force)
    try:
        return update(store, sources, model, scan=scan, progress=progress, pause=pause)
    finally:
        store.close()
