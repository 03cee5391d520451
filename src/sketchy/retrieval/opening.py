"""From what a user names as a gallery to one that is open: an index, or a folder, with or without an index."""

import hashlib
import os
from contextlib import ExitStack, suppress
from pathlib import Path

from sketchy.errors import DamagedError, FormatError, GalleryError, LockedError, SketchyError, StorageError
from sketchy.image import SUFFIXES
from sketchy.model.checkpoint import Checkpoint
from sketchy.results import left_out_text
from sketchy.retrieval.embed import Embedder
from sketchy.retrieval.gallery import Gallery, IndexedPhotos, open_test_photos
from sketchy.retrieval.store.address import is_store, open_reader
from sketchy.retrieval.store.embedded import EmbeddedStore
from sketchy.retrieval.store.folder import open_to_read, open_to_write
from sketchy.retrieval.store.records import Identity, Store
from sketchy.retrieval.update import Changes, update
from sketchy.retrieval.walk import USUAL, Scan, absolute_sources
from sketchy.storage import cache_folder, replacing
from sketchy.talk import SILENT, Talk


def identity_of(checkpoint: Checkpoint, path: Path) -> Identity:
    """Name the model of a checkpoint that lies at a path."""
    return Identity(checkpoint.fingerprint(), checkpoint.config.model.embedding_size, str(path.absolute()))


def open_gallery(
    address: str | None,
    checkpoint: Checkpoint,
    identity: Identity,
    embedder: Embedder,
    *,
    exact: bool = False,
    scan: Scan = USUAL,
    talk: Talk = SILENT,
) -> Gallery:
    """Open what is to be searched.

    Args:
        address: an index folder; milvus://host:port/collection; a folder of photos, searched by the index that
            `sketchy index` last made of it with this model, else by one in the cache, which is brought up to date
            first; None for the test photos of the checkpoint's dataset.
        checkpoint: the model.
        identity: of that model.
        embedder: of that model.
        exact: measure every photo, also where there is an approximate index.
        scan: how a folder is looked through.
        talk: hears what is searched, and shows the progress of what must be embedded.

    Raises:
        GalleryError: there are no photos, or the index is of another model, damaged or empty.
        DataError, StorageError: the dataset is missing; the cache cannot be written.
    """
    if address is None:
        return open_test_photos(checkpoint, embedder, talk)
    path = Path(address)
    if is_store(address):
        return _filled(open_reader(address, identity, exact=exact), address)
    if not path.is_dir():
        raise GalleryError(f"no such folder of photos: {path}; name one, or an index, with --gallery")
    made = None if scan.exclude else _noted_index(path, identity, exact)
    if made is not None:
        talk.say(
            f"using the index {made.folder} of {path}, updated {made.meta().updated}; "
            f"`sketchy index {path} --out {made.folder}` brings it up to date"
        )
        return _filled(made, address)
    return _cached(path, identity, embedder, exact, scan, talk)


def note_index(folder: Path, identity: Identity, index: Path) -> None:
    """Remember, in the cache, where the index of a folder lies. Raises StorageError."""
    with replacing(_cache_place(folder, identity).with_suffix(".note")) as temporary:
        temporary.write_bytes(os.fsencode(os.path.abspath(index)))  # noqa: PTH100 - keeps links


def check_found(changes: Changes, count: int, named: str) -> None:
    """Raise GalleryError when an update found nothing to search."""
    if changes.kept and not changes.found:
        raise GalleryError("no photos found; " + "; ".join(map(str, changes.kept)))
    if count:
        return
    left_out = left_out_text(changes.left_out)
    if changes.skipped:
        first = changes.skipped[0]
        raise GalleryError(
            f"none of {len(changes.skipped)} images below {named} can be read; {first.path}: {first.reason}"
            + (f"; {left_out}" if left_out else "")
        )
    known = f"known are {', '.join(sorted(SUFFIXES))}"
    raise GalleryError(f"no images below {named}; {f'{left_out}; export them as JPEG first; ' * bool(left_out)}{known}")


def _filled(store: Store, name: str) -> IndexedPhotos:
    if store.count() == 0:
        store.close()
        raise GalleryError(f"the index {name} is empty; fill it with `sketchy index PHOTOS --out {name}`")
    return IndexedPhotos(store, name)


def _noted_index(folder: Path, identity: Identity, exact: bool) -> EmbeddedStore | None:
    """Open the index that was made of a folder, if it is still there, fits, and holds nothing else."""
    with suppress(OSError, GalleryError, StorageError), ExitStack() as stack:
        noted = _cache_place(folder, identity).with_suffix(".note").read_bytes()
        store = open_to_read(Path(os.fsdecode(noted)), identity, exact=exact)
        stack.callback(store.close)
        (source,) = absolute_sources([folder])
        if store.count(f"{source}{os.sep}") == store.count():
            stack.pop_all()
            return store
    return None


def _cached(folder: Path, identity: Identity, embedder: Embedder, exact: bool, scan: Scan, talk: Talk) -> IndexedPhotos:
    """Bring the index in the cache up to date where that can be done, and open it."""
    place = _cache_place(folder, identity, scan.exclude)
    changes = Changes()
    try:
        changes = _update_cached(place, folder, identity, embedder, scan, talk)
    except LockedError:
        busy = LockedError(f"another process is indexing {folder}; run the command again when it is done")
        store = _as_it_is(place, identity, exact, busy, talk)
    except StorageError as error:
        store = _as_it_is(place, identity, exact, error, talk)
    else:
        store = open_to_read(place, identity, exact=exact)
    try:
        check_found(changes, store.count(), str(folder))
    except GalleryError:
        store.close()
        raise
    for kept in changes.kept:
        talk.say(str(kept))
    return IndexedPhotos(store, str(folder), tuple(changes.skipped), dict(changes.left_out))


def _as_it_is(place: Path, identity: Identity, exact: bool, why: SketchyError, talk: Talk) -> EmbeddedStore:
    """Open the cached index that could not be brought up to date. Raises `why` when there is nothing in it."""
    with suppress(GalleryError, StorageError), ExitStack() as stack:
        store = open_to_read(place, identity, exact=exact)
        stack.callback(store.close)
        if store.count():
            stack.pop_all()
            talk.say(f"searching the photos that are indexed already: {why}")
            return store
    raise why


def _update_cached(
    place: Path, folder: Path, identity: Identity, embedder: Embedder, scan: Scan, talk: Talk
) -> Changes:
    for force in (False, True):
        try:
            store = open_to_write(place, identity, force=force)
            try:
                changes = update(store, [folder], embedder, talk=talk, scan=scan)
                store.improve(embedder.probes, talk)
                return changes
            finally:
                store.close()
        except (DamagedError, FormatError) as error:
            if force:
                raise
            reason = "is damaged" if isinstance(error, DamagedError) else "has another format than this version reads"
            talk.say(f"the index of {folder} in the cache {reason}; making it anew")
    raise AssertionError("unreachable")


def _cache_place(folder: Path, identity: Identity, exclude: tuple[str, ...] = ()) -> Path:
    """Name the cached index of a folder and a model; a folder of which some is left out has one of its own."""
    named = [str(folder.resolve()), identity.model, *sorted(exclude)]
    return cache_folder(None) / "galleries" / hashlib.sha256(os.fsencode("\0".join(named))).hexdigest()[:32]
