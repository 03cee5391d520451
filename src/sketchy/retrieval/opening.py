"""From what a user names as a gallery to one that is open: an index, or a folder, with or without an index."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from sketchy.dataset.cache import cache_folder
from sketchy.errors import DamagedError, GalleryError, LockedError
from sketchy.image import SUFFIXES
from sketchy.model.checkpoint import Checkpoint
from sketchy.retrieval.embed import Embedder
from sketchy.retrieval.gallery import Gallery, IndexedPhotos, open_test_photos
from sketchy.retrieval.store.address import is_store, open_reader
from sketchy.retrieval.store.embedded import EmbeddedStore
from sketchy.retrieval.store.folder import open_to_read, open_to_write
from sketchy.retrieval.store.records import Identity, Store
from sketchy.retrieval.update import Changes, update
from sketchy.retrieval.walk import absolute_sources
from sketchy.storage import replacing
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
    made = _noted_index(path, identity, exact)
    if made is not None:
        talk.say(
            f"using the index {made.folder} of {path}, updated {made.meta().updated}; "
            f"`sketchy index {path} --out {made.folder}` brings it up to date"
        )
        return _filled(made, address)
    return _cached(path, identity, embedder, exact, talk)


def note_index(folder: Path, identity: Identity, index: Path) -> None:
    """Remember, in the cache, where the index of a folder lies. Raises StorageError."""
    with replacing(_cache_place(folder, identity).with_suffix(".note")) as temporary:
        temporary.write_bytes(os.fsencode(os.path.abspath(index)))  # noqa: PTH100 - keeps links


def check_found(changes: Changes, count: int, named: str) -> None:
    """Raise GalleryError when an update found nothing to search."""
    if count:
        return
    if changes.skipped:
        first = changes.skipped[0]
        raise GalleryError(
            f"none of {len(changes.skipped)} images below {named} can be read; {first.path}: {first.reason}"
        )
    raise GalleryError(f"no images below {named}; known are {', '.join(sorted(SUFFIXES))}")


def _filled(store: Store, name: str) -> IndexedPhotos:
    if store.count() == 0:
        store.close()
        raise GalleryError(f"the index {name} is empty; fill it with `sketchy index PHOTOS --out {name}`")
    return IndexedPhotos(store, name)


def _noted_index(folder: Path, identity: Identity, exact: bool) -> EmbeddedStore | None:
    """Open the index that was made of a folder, if it is still there, fits, and holds nothing else."""
    with suppress(OSError, GalleryError):
        noted = _cache_place(folder, identity).with_suffix(".note").read_bytes()
        store = open_to_read(Path(os.fsdecode(noted)), identity, exact=exact)
        (source,) = absolute_sources([folder])
        if store.count(f"{source}{os.sep}") == store.count():
            return store
        store.close()
    return None


def _cached(folder: Path, identity: Identity, embedder: Embedder, exact: bool, talk: Talk) -> IndexedPhotos:
    """Bring the index in the cache up to date and open it."""
    place = _cache_place(folder, identity)
    changes = Changes()
    try:
        changes = _update_cached(place, folder, identity, embedder, talk)
    except LockedError:
        talk.say(f"another process is indexing {folder}; searching what it has so far")
    store = open_to_read(place, identity, exact=exact)
    try:
        check_found(changes, store.count(), str(folder))
    except GalleryError:
        store.close()
        raise
    return IndexedPhotos(store, str(folder), tuple(changes.skipped))


def _update_cached(place: Path, folder: Path, identity: Identity, embedder: Embedder, talk: Talk) -> Changes:
    for force in (False, True):
        try:
            store = open_to_write(place, identity, force=force)
            try:
                changes = update(store, [folder], embedder, talk=talk)
                store.improve(embedder.probes, talk)
                return changes
            finally:
                store.close()
        except DamagedError as error:
            if force:
                raise
            talk.say(f"making it anew: {error}")
    raise AssertionError("unreachable")


def _cache_place(folder: Path, identity: Identity) -> Path:
    """Name the cached index of a folder and a model."""
    key = hashlib.sha256(os.fsencode(folder.resolve()) + b"\0" + identity.model.encode()).hexdigest()[:32]
    return cache_folder(None) / "galleries" / key
