"""Opening the index of whatever a user names: an index, folders of photos, or a dataset."""

import logging
import os
import stat
from collections.abc import Collection, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from os import PathLike
from pathlib import Path

from sketchy.errors import DamagedError, FormatError, GalleryError, LockedError, SketchyError, StorageError
from sketchy.extras import is_installed
from sketchy.image import KNOWN_UNREADABLE
from sketchy.paths import as_path, expanded
from sketchy.progress import Progress, no_progress
from sketchy.results import left_out_text
from sketchy.retrieval.cached import cache_path, log_noted, note_index, noted_index
from sketchy.retrieval.index import Index, update_at
from sketchy.retrieval.model import Model
from sketchy.retrieval.scan import DEFAULT_SCAN, EXCLUDED, Scan, raw_remedy
from sketchy.retrieval.store.address import is_store, open_reader
from sketchy.retrieval.store.base import Identity
from sketchy.retrieval.store.embedded import EmbeddedStore
from sketchy.retrieval.store.folder import is_index, open_to_read, open_to_write
from sketchy.retrieval.update_result import UpdateResult
from sketchy.storage import os_problem

log = logging.getLogger(__name__)


def open_index(
    model: Model,
    address: str | None,
    *,
    scan: Scan = DEFAULT_SCAN,
    update: bool = True,
    progress: Progress = no_progress,
) -> Index:
    """Open an index for searching.

    Args:
        model: Model that embeds the queries.
        address: Index folder; milvus://host:port/collection; a folder of photos, for the index that `sketchy index`
            last made of it with this model, else one in the cache; None for the test photos of the model's dataset.
        scan: Options of the scan of a folder.
        update: Whether to update the index of a folder in the cache now; else `Index.update` does, and it may be empty.
        progress: Shows the progress of embedding.

    Raises:
        GalleryError: There are no photos, or the index is of another model, damaged or empty.
        DataError: The dataset is missing.
        StorageError: The cache cannot be written.
    """
    if address is None:
        from sketchy.retrieval.dataset_gallery import open_test_photos  # not needed for photos of one's own

        return open_test_photos(model, progress)
    if is_store(address):
        return _not_empty(Index(open_reader(address, model.identity), address, model, address=address))
    folder = Path(address)
    _refuse_no_folder(folder)
    noted = noted_index(folder, model.identity, scan.exclude)
    if noted is None:
        return _open_cached([folder], model, scan, progress) if update else _open_as_it_is([folder], model, scan)
    store, exclude = noted
    log_noted(store, exclude, folder, outdated=update)
    scan = replace(scan, exclude=exclude)
    return _not_empty(Index(store, address, model, address=str(store.folder), sources=[folder], scan=scan))


def _refuse_no_folder(folder: Path) -> None:
    """Raise GalleryError if a path is not a folder, and say what it is."""
    try:
        if not stat.S_ISDIR(folder.stat().st_mode):
            raise GalleryError(f"{folder} is a file, and only folders are searched; name the folder of your photos")
    except (FileNotFoundError, NotADirectoryError):
        raise GalleryError(f"no such folder of photos: {folder}; name one, or an index, with --gallery") from None
    except OSError as error:  # such as links that form a loop
        raise GalleryError(os_problem(error, folder, "read")) from None


def open_photos(
    model: Model,
    photos: str | PathLike[str] | Sequence[str | PathLike[str]],
    out: str | PathLike[str] | None,
    scan: Scan,
    progress: Progress,
) -> Index:
    """Open the index of photos, after creating or updating it; see `Model.index`."""
    paths = [photos] if isinstance(photos, str | PathLike) else list(photos)
    if not paths:
        raise ValueError("no photos to index; give at least one folder")
    if out is None and len(paths) == 1:
        return open_index(model, expanded(os.fspath(paths[0])), scan=scan, progress=progress)
    sources = [as_path(os.fspath(path)) for path in paths]
    if out is None:
        return _open_cached(sources, model, scan, progress)
    address = expanded(os.fspath(out))
    changes = update_at(address, sources, model, scan=scan, progress=progress)
    index = Index(open_reader(address, model.identity), address, model, address=address, sources=sources, scan=scan)
    _finish(index, changes)
    note_index(sources, model.identity, address, scan.exclude)
    return index


def log_unused_globs(changes: UpdateResult, scan: Scan) -> None:
    """Report that the globs to exclude matched nothing in a scan."""
    if scan.exclude and EXCLUDED not in changes.left_out:
        globs = ", ".join(map(repr, scan.exclude))
        log.info(f"no photo matches --exclude {globs}; `*` stands for any characters, as in 'holiday/*'")


def check_found(changes: UpdateResult, count: int, sources: Sequence[Path]) -> None:
    """Raise GalleryError if an index has nothing to search after an update.

    Args:
        changes: What the update did.
        count: Number of photos in the index now.
        sources: Folders and files that were scanned.
    """
    if changes.kept and not changes.found:
        raise GalleryError("no photos found; " + "; ".join(map(str, changes.kept)))
    if count:
        return
    named, left_out = _named(sources), left_out_text(changes.left_out)
    if changes.skipped:
        first, count = changes.skipped[0], len(changes.skipped)
        none = f"none of {count:,} images" if count > 1 else "no image"
        problem = f"{none} below {named} can be read; {first.path}: {first.reason}"
        raise GalleryError("; ".join(filter(None, [problem, left_out])))
    raise GalleryError("; ".join(filter(None, [f"no images below {named}", left_out, _remedy(changes.left_out)])))


def _remedy(left_out: Collection[str]) -> str:
    """Return what to do when all files are left out for these reasons."""
    if EXCLUDED in left_out:
        return "exclude less of it"
    if remedy := raw_remedy(left_out):
        return remedy
    export = "export them as JPEG first; " * any(reason in KNOWN_UNREADABLE for reason in left_out)
    raw = ", and cameras' raw files" * is_installed("raw")
    return f"{export}known are JPEG, PNG, HEIC, AVIF, WebP, GIF, BMP and TIFF{raw}"


def _named(sources: Sequence[Path]) -> str:
    return " and ".join(map(str, sources))


def _not_empty(index: Index) -> Index:
    """Return an index; if it has no photo, close it and raise GalleryError."""
    if len(index) == 0:
        index.close()
        raise GalleryError(f"the index {index.name} is empty; fill it with `sketchy index PHOTOS --out {index.name}`")
    return index


def _finish(index: Index, changes: UpdateResult) -> None:
    """Report an update of an index; if there is nothing to search, close the index and raise GalleryError."""
    try:
        check_found(changes, len(index), index.sources)
    except GalleryError:
        index.close()
        raise
    for kept in changes.kept:
        log.info(str(kept))
    index.note(changes)


def _open_as_it_is(sources: Sequence[Path], model: Model, scan: Scan) -> Index:
    """Open the index in the cache without an update; create an empty one if there is none, or it is damaged."""
    path = cache_path(sources, model.identity, scan.exclude)
    try:
        if not is_index(path):
            open_to_write(path, model.identity).close()
        store = open_to_read(path, model.identity)
    except (DamagedError, FormatError) as error:
        _log_rebuilding(sources, error)
        open_to_write(path, model.identity, force=True).close()
        store = open_to_read(path, model.identity)
    return Index(store, _named(sources), model, address=str(path), sources=sources, scan=scan)


def _open_cached(sources: Sequence[Path], model: Model, scan: Scan, progress: Progress) -> Index:
    """Open the index in the cache, after updating it if possible."""
    path = cache_path(sources, model.identity, scan.exclude)
    changes = UpdateResult()
    try:
        changes = _update_cached(path, sources, model, scan, progress)
    except LockedError:
        busy = LockedError(f"another process is indexing {_named(sources)}; run the command again when it is done")
        store = _open_outdated(path, model.identity, busy)
    except StorageError as error:
        store = _open_outdated(path, model.identity, error)
    else:
        store = open_to_read(path, model.identity)
        log_unused_globs(changes, scan)
    index = Index(store, _named(sources), model, address=str(path), sources=sources, scan=scan)
    _finish(index, changes)
    return index


def _open_outdated(path: Path, identity: Identity, cause: SketchyError) -> EmbeddedStore:
    """Open the index in the cache without an update, which `cause` prevented. Raises `cause` if it has no photos."""
    with suppress(GalleryError, StorageError), ExitStack() as stack:
        store = open_to_read(path, identity)
        stack.callback(store.close)
        if store.count():
            stack.pop_all()
            log.info(f"searching the photos indexed earlier: {cause}")
            return store
    raise cause


def _update_cached(path: Path, sources: Sequence[Path], model: Model, scan: Scan, progress: Progress) -> UpdateResult:
    try:
        return update_at(str(path), sources, model, scan=scan, progress=progress)
    except (DamagedError, FormatError) as error:
        _log_rebuilding(sources, error)
        return update_at(str(path), sources, model, force=True, scan=scan, progress=progress)


def _log_rebuilding(sources: Sequence[Path], error: DamagedError | FormatError) -> None:
    reason = "is damaged" if isinstance(error, DamagedError) else "has another format than this version reads"
    log.info(f"the index of {_named(sources)} in the cache {reason}; rebuilding it")
