"""Updating a store from folders of photos: embed new photos, remove deleted ones, leave the others alone."""

import hashlib
import logging
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sketchy.ahead import batched, map_ahead
from sketchy.errors import ImageError
from sketchy.inference.engine import decoding_pool
from sketchy.progress import Advance, Progress, no_progress
from sketchy.results import Skipped
from sketchy.retrieval.changes import UpdateResult
from sketchy.retrieval.missing import Pruning, stored
from sketchy.retrieval.model import Model
from sketchy.retrieval.scan import DEFAULT_SCAN, PhotoFile, Scan, absolute_sources, is_missing, walk
from sketchy.retrieval.store.base import Photo, Vectors, WritableStore, is_gone
from sketchy.retrieval.taken import date_taken, local_seconds
from sketchy.storage import os_reason

log = logging.getLogger(__name__)

BATCH_FILES = 256
"""Files per commit. One batch is decoded while another is embedded, which bounds the memory."""
INDEXING = "indexing"
"""Label of the progress of an update."""
FIRST_FILES = 32
"""Files in the first commit; each further one has twice as many, up to BATCH_FILES."""
MAX_FILE_BYTES = 256 * 2**20
"""Larger files are skipped, since reading them could exhaust the memory."""
FRESH_NS = 2 * 10**9
"""A file changed less than this ago could change again within the clock's resolution, so its time is not stored."""


@dataclass(frozen=True)
class Shard:
    """The part of all paths that process `rank` of `size` handles, by a hash of the path: the same on any machine."""

    rank: int = 0
    size: int = 1

    def takes(self, path: str) -> bool:
        """Return whether a path belongs to the shard."""
        digest = hashlib.blake2b(os.fsencode(path), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.size == self.rank


WHOLE = Shard()


NO_PIXELS = np.empty(0, np.uint8)


class _Loaded(NamedTuple):
    """A photo that was read: with its embedding if its content is in the store, else with its preprocessed pixels.

    Attributes:
        photo: The photo.
        stored: The photo that the store has at this path; None if it has none.
        vector: Embedding, shape (D,); None if the content is not in the store.
        pixels: Preprocessed image, shape (C, S, S), uint8; NO_PIXELS if it need not be embedded.
    """

    photo: Photo
    stored: Photo | None
    vector: Vectors | None
    pixels: NDArray[np.uint8]


class Pace(NamedTuple):
    """How an update leaves room for other work in its process.

    Attributes:
        pause: Called from any thread before each file and each step; may wait, or raise an exception to stop.
        step: Greatest number of photos embedded at a time.
    """

    pause: Callable[[], object]
    step: int


FULL_SPEED = Pace(lambda: None, BATCH_FILES)


def update(
    store: WritableStore,
    sources: Sequence[Path],
    model: Model,
    *,
    shard: Shard = WHOLE,
    scan: Scan = DEFAULT_SCAN,
    progress: Progress = no_progress,
    pace: Pace = FULL_SPEED,
    batch_files: int = BATCH_FILES,
) -> UpdateResult:
    """Update a store to the photos below the sources, with a commit for every batch; the first ones are small.

    A file is read if its size or time changed, and embedded if its content is not in the store. Photos outside the
    sources are kept, unless their file is gone and its content is found below the sources. Photos of a source or folder
    that has no photo at all now are kept too, as its drive may not be mounted.

    Args:
        store: Store opened for writing, with the model's identity.
        sources: Folders and files; a missing one is accepted if the store has photos of it.
        model: Model that embeds the photos.
        shard: Paths to handle.
        scan: Options of the scan.
        progress: Shows the progress.
        pace: Leaves room for other work, such as searches.
        batch_files: Greatest number of files per commit, and files decoded ahead.

    Raises:
        GalleryError: A source is missing, or the store is damaged.
        StorageError: The store cannot be written; earlier commits remain.
    """
    changes = _Update(store, sources, model, shard, scan, pace, batch_files).run(progress)
    store.improve(model.probes, progress)
    return changes


def preview(
    store: WritableStore, sources: Sequence[Path], *, scan: Scan = DEFAULT_SCAN, progress: Progress = no_progress
) -> UpdateResult:
    """Return what `update` would do, as far as is known without decoding; the store is only read."""
    return _Update(store, sources, None, WHOLE, scan, FULL_SPEED, BATCH_FILES).run(progress)


class _Update:
    """A running update; without a model it only counts."""

    def __init__(
        self,
        store: WritableStore,
        sources: Sequence[Path],
        model: Model | None,
        shard: Shard,
        scan: Scan,
        pace: Pace,
        batch_files: int,
    ) -> None:
        self.store = store
        self.sources = absolute_sources(sources, lambda path: any(stored(store, path)))
        self.present = [source for source in self.sources if not is_missing(str(source))]
        self.model = model
        self.shard = shard
        self.scan = scan
        self.pace = pace
        self.batch_files = batch_files
        self.changes = UpdateResult()
        self.pruning = Pruning(store, self.sources, shard.takes, scan, write=model is not None)

    def run(self, progress: Progress) -> UpdateResult:
        """Add new and changed files, then remove the photos whose files are gone."""
        files = walk(self.present, lambda skipped: None, exclude=self.scan.exclude)
        total = sum(self.shard.takes(file.path) for file in files)
        with progress(INDEXING, total, "photo") as advance, decoding_pool() as pool:
            changed = self._changed_files(advance)
            with closing(map_ahead(self._load, changed, pool, self.batch_files)) as loaded:
                for batch in _growing(loaded, self.batch_files):
                    self._take(batch)
                    advance(len(batch))
        self.pruning.drop_gone()
        self.changes.removed, self.changes.unavailable = self.pruning.removed, self.pruning.unavailable
        return self.changes

    def _changed_files(self, advance: Advance) -> Iterator[tuple[PhotoFile, Photo | None]]:
        """Yield the files that are new or changed, with what the store has at their paths; count the others."""
        for batch in batched(self._files(), self.batch_files):
            known = self.store.get([file.path for file in batch])
            changed = [file for file in batch if not _is_same(known.get(file.path), file)]
            self.changes.unchanged += len(batch) - len(changed)
            self.pruning.drop_moved(list(known.values()))
            advance(len(batch) - len(changed))
            yield from ((file, known.get(file.path)) for file in changed)

    def _files(self) -> Iterator[PhotoFile]:
        """Yield the files of the shard; record the folders with photos, and what is left out."""

        def leave_out(left: Skipped) -> None:
            if self.shard.takes(left.path):
                self.changes.left_out[left.reason] += 1
                if self.scan.name_left_out:
                    log.info(f"leaving out {left.path}: {left.reason}")

        def report(skipped: Skipped) -> None:
            if self.shard.takes(skipped.path):
                self.changes.skipped.append(skipped)

        for file in walk(self.present, report, leave_out, self.scan.exclude):
            self.pruning.folders.add(os.path.dirname(file.path))  # noqa: PTH120 - speed
            if self.shard.takes(file.path):
                yield file

    def _load(self, changed: tuple[PhotoFile, Photo | None]) -> _Loaded | Skipped:
        """Read a file, and preprocess it unless its content is in the store. Called in the pool.

        It is read once, so that the embedding belongs to the hash.
        """
        file, stored_photo = changed
        self.pace.pause()
        try:
            content, photo = _read(file)
            vector = self.store.embeddings([photo.content]).get(photo.content)
            if self.model is None or vector is not None:
                return _Loaded(photo, stored_photo, vector, NO_PIXELS)
            return _Loaded(photo, stored_photo, None, self.model.preprocess.load(content, "photo"))
        except ImageError as error:
            return Skipped(file.path, str(error))

    def _take(self, batch: Sequence[_Loaded | Skipped]) -> None:
        """Count a batch of loaded files, embed those with new content, and write all to the store."""
        skipped = [item for item in batch if isinstance(item, Skipped)]
        loaded = [item for item in batch if isinstance(item, _Loaded)]
        self.changes.skipped += skipped
        known = [item for item in loaded if item.vector is not None]
        reused = [item for item in known if item.stored is None or item.stored.content != item.photo.content]
        vectors = {item.photo.content: item.vector for item in loaded if item.vector is not None}
        fresh = {item.photo.content: item.pixels for item in loaded if item.photo.content not in vectors}
        # The content may have been committed with the previous batch, after this file was queued.
        committed = self.store.embeddings(sorted(fresh)) if fresh else {}
        fresh = {content: pixels for content, pixels in fresh.items() if content not in committed}
        self.changes.embedded += len(fresh)
        self.changes.unchanged += len(known) - len(reused)
        self.changes.reused += len(loaded) - len(fresh) - len(known) + len(reused)
        self.pruning.contents.update(item.photo.content for item in reused)
        photos = [item.photo for item in loaded]
        if self.model and photos:
            vectors |= committed | self._embedded(self.model, fresh)
            self.store.upsert(photos, np.stack([vectors[photo.content] for photo in photos]))
        self.pruning.drop_moved(photos)
        # The previous content of a broken file is gone; if the disk failed instead, the photo is kept.
        broken = [item.path for item in skipped if is_gone(item.path) is not None]
        if self.model and broken:
            self.store.delete(broken)

    def _embedded(self, model: Model, fresh: Mapping[str, NDArray[np.uint8]]) -> dict[str, Vectors]:
        """Embed preprocessed photos in steps; return the embeddings by content."""
        vectors: dict[str, Vectors] = {}
        for step in batched(fresh.items(), self.pace.step):
            self.pace.pause()
            contents, pixels = zip(*step, strict=True)
            vectors |= zip(contents, model.embed_prepared(pixels, len(pixels), "photo"), strict=True)
        return vectors


def _growing(loaded: Iterable[_Loaded | Skipped], greatest: int) -> Iterator[list[_Loaded | Skipped]]:
    """Yield batches, the first ones small, so that a search finds the first photos soon."""
    remaining, size = iter(loaded), min(FIRST_FILES, greatest)
    while batch := list(islice(remaining, size)):
        yield batch
        size = min(2 * size, greatest)


def _is_same(known: Photo | None, file: PhotoFile) -> bool:
    """Return whether a file has the size and time that the store has recorded, and the category."""
    if known is None or known.category != file.category:
        return False
    try:
        status = Path(file.path).stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (known.size, known.mtime_ns)


def _read(file: PhotoFile) -> tuple[bytes, Photo]:
    """Return the content of a file and its entry for the store. Raises ImageError."""
    try:
        status = Path(file.path).stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("is a folder" if stat.S_ISDIR(status.st_mode) else "is not a regular file")
        if status.st_size > MAX_FILE_BYTES:
            raise ImageError(f"too large: {status.st_size >> 20:,} MB, at most {MAX_FILE_BYTES >> 20}")
        content = Path(file.path).read_bytes()
    except OSError as error:
        raise ImageError(os_reason(error).lower()) from None
    # The time was taken before reading, so a change during the read is noticed by the next update.
    mtime = 0 if abs(time.time_ns() - status.st_mtime_ns) < FRESH_NS else status.st_mtime_ns
    digest = hashlib.sha256(content).hexdigest()
    taken = date_taken(content)
    if taken is None:
        taken = local_seconds(status.st_mtime_ns)
    return content, Photo(file.path, status.st_size, mtime, digest, file.category, taken)
