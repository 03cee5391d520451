"""Updating a store from folders of photos: embed new photos, remove deleted ones, leave the others alone."""

import hashlib
import logging
import os
import stat
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sketchy.ahead import batched, map_ahead
from sketchy.errors import ImageError
from sketchy.progress import Advance, Progress, no_progress
from sketchy.results import Kept, Skipped
from sketchy.retrieval.missing import Pruning, stored
from sketchy.retrieval.model import Model
from sketchy.retrieval.scan import DEFAULT_SCAN, PhotoFile, Scan, absolute_sources, is_missing, walk
from sketchy.retrieval.store.base import Photo, WritableStore, is_gone
from sketchy.retrieval.taken import date_taken, local_seconds
from sketchy.storage import os_reason

log = logging.getLogger(__name__)

BATCH_FILES = 256
"""Files per commit. One batch is decoded while another is embedded, which bounds the memory."""
MAX_FILE_BYTES = 256 * 2**20
"""Larger files are skipped, since reading them could exhaust the memory."""
FRESH_NS = 2 * 10**9
"""A file changed less than this ago could change again within the clock's resolution, so its time is not stored."""


@dataclass
class UpdateResult:
    """What an update did, or what it would do.

    Attributes:
        embedded: Number of pictures that were embedded.
        reused: Number of photos at new paths whose content was in the store: copies and renamed files.
        unchanged: Number of photos that did not change.
        removed: Number of photos that were removed.
        skipped: Files that could not be used, with the reason.
        left_out: Number of files that were left out on purpose, by reason.
        unavailable: Number of photos kept though their files cannot be found, by folder and reason.
    """

    embedded: int = 0
    reused: int = 0
    unchanged: int = 0
    removed: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    unavailable: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def kept(self) -> tuple[Kept, ...]:
        """The photos that were kept though their files cannot be found, by folder."""
        return tuple(Kept(path, count, reason) for (path, reason), count in sorted(self.unavailable.items()))

    @property
    def found(self) -> int:
        """Number of photos that exist."""
        return self.embedded + self.reused + self.unchanged


def summed(parts: Sequence[UpdateResult]) -> UpdateResult:
    """Sum the changes of several processes."""
    total = UpdateResult()
    for part in parts:
        for name, value in vars(part).items():
            setattr(total, name, getattr(total, name) + value)
    return total


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


class _Loaded(NamedTuple):
    """A photo that was read, and its preprocessed pixels."""

    photo: Photo
    pixels: NDArray[np.uint8]


def update(
    store: WritableStore,
    sources: Sequence[Path],
    model: Model,
    *,
    shard: Shard = WHOLE,
    scan: Scan = DEFAULT_SCAN,
    progress: Progress = no_progress,
    batch_files: int = BATCH_FILES,
) -> UpdateResult:
    """Update a store to the photos below the sources, with a commit for every batch.

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
        batch_files: Files per commit, and files decoded ahead.

    Raises:
        GalleryError: A source is missing, or the store is damaged.
        StorageError: The store cannot be written; earlier commits remain.
    """
    changes = _Update(store, sources, model, shard, scan, batch_files).run(progress)
    store.improve(model.probes, progress)
    return changes


def preview(
    store: WritableStore, sources: Sequence[Path], *, scan: Scan = DEFAULT_SCAN, progress: Progress = no_progress
) -> UpdateResult:
    """Return what `update` would do, as far as is known without decoding; the store is only read."""
    return _Update(store, sources, None, WHOLE, scan, BATCH_FILES).run(progress)


class _Update:
    """A running update; without a model it only counts."""

    def __init__(
        self,
        store: WritableStore,
        sources: Sequence[Path],
        model: Model | None,
        shard: Shard,
        scan: Scan,
        batch_files: int,
    ) -> None:
        self.store = store
        self.sources = absolute_sources(sources, lambda path: any(stored(store, path)))
        self.present = [source for source in self.sources if not is_missing(str(source))]
        self.model = model
        self.shard = shard
        self.scan = scan
        self.batch_files = batch_files
        self.changes = UpdateResult()
        self.pruning = Pruning(store, self.sources, shard.takes, scan, write=model is not None)

    def run(self, progress: Progress) -> UpdateResult:
        """Add new and changed files, then remove the photos whose files are gone."""
        files = walk(self.present, lambda skipped: None, exclude=self.scan.exclude)
        total = sum(self.shard.takes(file.path) for file in files)
        with progress("indexing", total, "photo") as advance, ThreadPoolExecutor() as pool:
            if self.model is None:
                self.changes.embedded = sum(1 for _ in self._unknown_files(advance, pool))
            else:
                unknown = self._unknown_files(advance, pool)
                with closing(map_ahead(partial(_load, self.model), unknown, pool, self.batch_files)) as loaded:
                    for batch in batched(loaded, self.batch_files):
                        self._commit(batch, self.model)
                        advance(len(batch))
        self.pruning.drop_gone()
        self.changes.removed, self.changes.unavailable = self.pruning.removed, self.pruning.unavailable
        return self.changes

    def _unknown_files(self, advance: Advance, pool: Executor) -> Iterator[PhotoFile]:
        """Yield the files whose content is not in the store; the others are handled without decoding."""
        for batch in batched(self._files(), self.batch_files):
            unknown = self._reuse(batch, pool)
            advance(len(batch) - len(unknown))
            yield from unknown

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

    def _reuse(self, batch: Sequence[PhotoFile], pool: Executor) -> list[PhotoFile]:
        """Reuse embeddings for the files of a batch whose content is in the store; return the other files."""
        known = self.store.get([file.path for file in batch])
        changed = [file for file in batch if not _is_same(known.get(file.path), file)]
        self.changes.unchanged += len(batch) - len(changed)
        photos = [photo for photo in pool.map(_describe, changed) if photo is not None]
        vectors = self.store.embeddings(sorted({photo.content for photo in photos}))
        reusable = [photo for photo in photos if photo.content in vectors]
        for photo in reusable:
            stored_photo = known.get(photo.path)
            if stored_photo is not None and stored_photo.content == photo.content:
                self.changes.unchanged += 1
            else:
                self.changes.reused += 1
                self.pruning.contents.add(photo.content)
        if self.model and reusable:
            self.store.upsert(reusable, np.stack([vectors[photo.content] for photo in reusable]))
        self.pruning.drop_moved([*(known[file.path] for file in batch if file.path in known), *reusable])
        paths = {photo.path for photo in reusable}
        return [file for file in changed if file.path not in paths]

    def _commit(self, batch: Sequence[_Loaded | Skipped], model: Model) -> None:
        """Embed a batch of loaded files and write it to the store."""
        skipped = [item for item in batch if isinstance(item, Skipped)]
        loaded = [item for item in batch if isinstance(item, _Loaded)]
        self.changes.skipped += skipped
        # The content may have been committed with the previous batch, after this file was queued.
        vectors = self.store.embeddings(sorted({item.photo.content for item in loaded}))
        fresh = {item.photo.content: item.pixels for item in loaded if item.photo.content not in vectors}
        if fresh:
            vectors |= dict(zip(fresh, model.embed_prepared(fresh.values(), len(fresh), "photo"), strict=True))
        self.changes.embedded += len(fresh)
        self.changes.reused += len(loaded) - len(fresh)
        if loaded:
            photos = [item.photo for item in loaded]
            self.store.upsert(photos, np.stack([vectors[photo.content] for photo in photos]))
        # The previous content of a broken file is gone; if the disk failed instead, the photo is kept.
        if broken := [item.path for item in skipped if is_gone(item.path) is not None]:
            self.store.delete(broken)


def _load(model: Model, file: PhotoFile) -> _Loaded | Skipped:
    """Read and preprocess a file. It is read once, so that the embedding belongs to the hash."""
    try:
        content, photo = _read(file)
        return _Loaded(photo, model.preprocess.load(content, "photo"))
    except ImageError as error:
        return Skipped(file.path, str(error))


def _is_same(known: Photo | None, file: PhotoFile) -> bool:
    """Return whether a file has the size and time that the store has recorded, and the category."""
    if known is None or known.category != file.category:
        return False
    try:
        status = Path(file.path).stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (known.size, known.mtime_ns)


def _describe(file: PhotoFile) -> Photo | None:
    try:
        return _read(file)[1]
    except ImageError:
        return None


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
