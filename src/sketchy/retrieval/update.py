"""Updating a store from folders of photos: embed new photos, remove deleted ones, leave the others alone."""

import hashlib
import logging
import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sketchy.ahead import batched, map_ahead
from sketchy.errors import ImageError
from sketchy.inference.engine import decoding_pool
from sketchy.progress import Advance, Progress, no_progress
from sketchy.results import Skipped
from sketchy.retrieval.missing import Pruning, stored
from sketchy.retrieval.model import Model
from sketchy.retrieval.read import is_unchanged, read_photo
from sketchy.retrieval.scan import DEFAULT_SCAN, PhotoFile, Scan, absolute_sources, is_missing, walk
from sketchy.retrieval.store.base import Photo, Vectors, WritableStore, is_gone
from sketchy.retrieval.update_result import UpdateResult

log = logging.getLogger(__name__)

BATCH_FILES = 256
"""Files per commit, and files read ahead, which bounds the memory."""
INDEXING = "indexing"
"""Label of the progress of an update."""
FIRST_FILES = 32
"""Files in the first commit; each further one has twice as many, up to BATCH_FILES."""


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
    """A photo that was read.

    Attributes:
        photo: The photo.
        stored: The photo that the store has at this path; None if it has none.
        vector: Embedding, shape (D,); None if it is not known yet.
        pixels: Preprocessed image, shape (C, S, S), uint8; NO_PIXELS if it need not be embedded.
        is_new: Whether this update embeds its content.
    """

    photo: Photo
    stored: Photo | None
    vector: Vectors | None
    pixels: NDArray[np.uint8]
    is_new: bool = False


_Item = _Loaded | Skipped


def update(
    store: WritableStore,
    sources: Sequence[Path],
    model: Model,
    *,
    shard: Shard = WHOLE,
    scan: Scan = DEFAULT_SCAN,
    progress: Progress = no_progress,
    pause: Callable[[], object] = lambda: None,
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
        pause: Called from any thread before each file and each forward pass; may wait, so that searches go first, or
            raise an exception to stop.
        batch_files: Greatest number of files per commit, and files decoded ahead.

    Raises:
        GalleryError: A source is missing, or the store is damaged.
        StorageError: The store cannot be written; earlier commits remain.
    """
    changes = _Update(store, sources, model, shard, scan, pause, batch_files).run(progress)
    store.improve(model.probes, progress)
    return changes


def preview(
    store: WritableStore, sources: Sequence[Path], *, scan: Scan = DEFAULT_SCAN, progress: Progress = no_progress
) -> UpdateResult:
    """Return what `update` would do, as far as is known without decoding; the store is only read."""
    return _Update(store, sources, None, WHOLE, scan, lambda: None, BATCH_FILES).run(progress)


class _Update:
    """A running update; without a model it only counts."""

    def __init__(
        self,
        store: WritableStore,
        sources: Sequence[Path],
        model: Model | None,
        shard: Shard,
        scan: Scan,
        pause: Callable[[], object],
        batch_files: int,
    ) -> None:
        self.store = store
        self.sources = absolute_sources(sources, lambda path: any(stored(store, path)))
        self.present = [source for source in self.sources if not is_missing(str(source))]
        self.model = model
        self.shard = shard
        self.scan = scan
        self.pause = pause
        self.batch_files = batch_files
        self.changes = UpdateResult()
        self.has_photos = store.count() > 0  # from before, whose contents are looked for
        self.counting = threading.Lock()  # held to change `changes` and `pruning`, and to advance
        self.underway: set[str] = set()  # contents that are embedded, or counted, but not yet written
        self.pruning = Pruning(store, self.sources, shard.takes, scan, write=model is not None)

    def run(self, progress: Progress) -> UpdateResult:
        """Add new and changed files, then remove the photos whose files are gone.

        Reading, embedding and writing go on at the same time, each in threads of its own and the latter in one.
        """
        files = walk(self.present, lambda skipped: None, exclude=self.scan.exclude)
        total = sum(self.shard.takes(file.path) for file in files)
        workers = self.model.engine.workers if self.model else 1
        with (
            progress(INDEXING, total, "photo") as advance,
            decoding_pool() as decoders,
            ThreadPoolExecutor(workers) as engines,
            ThreadPoolExecutor(1) as writer,
            closing(map_ahead(self._load, self._changed_files(advance), decoders, self.batch_files)) as loaded,
            closing(map_ahead(self._embed, self._grouped(loaded), engines, 2 * workers)) as groups,
            closing(_growing(chain.from_iterable(groups), self.batch_files)) as batches,
            closing(map_ahead(partial(self._take, advance), batches, writer, 1)) as taken,
        ):
            for _ in taken:
                pass
        self.pruning.drop_gone()
        self.changes.removed, self.changes.unavailable = self.pruning.removed, self.pruning.unavailable
        return self.changes

    def _changed_files(self, advance: Advance) -> Iterator[tuple[PhotoFile, Photo | None]]:
        """Yield the files that are new or changed, with what the store has at their paths; count the others."""
        for batch in batched(self._files(), self.batch_files):
            known = self.store.get([file.path for file in batch])
            changed = [file for file in batch if not is_unchanged(known.get(file.path), file)]
            with self.counting:
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

    def _load(self, changed: tuple[PhotoFile, Photo | None]) -> _Item:
        """Read a file, and preprocess it unless its content is in the store. Called in the pool.

        It is read once, so that the embedding belongs to the hash.
        """
        file, stored_photo = changed
        self.pause()
        try:
            content, photo = read_photo(file)
            vector = self.store.embeddings([photo.content]).get(photo.content) if self.has_photos else None
            if self.model is None or vector is not None:
                return _Loaded(photo, stored_photo, vector, NO_PIXELS)
            return _Loaded(photo, stored_photo, None, self.model.preprocess.load(content, "photo"))
        except ImageError as error:
            return Skipped(file.path, str(error))

    def _grouped(self, loaded: Iterable[_Item]) -> Iterator[list[_Item]]:
        """Yield the photos in lists, each with no more new contents than a forward pass takes."""
        size = min(self.batch_files, self.model.engine.batch_size if self.model else self.batch_files)
        for group in batched(loaded, size):
            fresh = {item.photo.content for item in group if isinstance(item, _Loaded) and item.vector is None}
            # The content may have been committed after this file was queued.
            committed = self.store.embeddings(sorted(fresh - self.underway)) if fresh - self.underway else {}
            yield [item if isinstance(item, Skipped) else self._told_apart(item, committed) for item in group]

    def _told_apart(self, item: _Loaded, committed: Mapping[str, Vectors]) -> _Loaded:
        """Return a photo as one whose content this update embeds, or as a copy, which needs no pixels."""
        content = item.photo.content
        if item.vector is not None:
            return item
        if content in committed or content in self.underway:
            return item._replace(pixels=NO_PIXELS)
        self.underway.add(content)
        return item._replace(is_new=True)

    def _embed(self, group: list[_Item]) -> list[_Item]:
        """Embed the new contents of a group in one forward pass. Called in a pool."""
        self.pause()
        pixels = [item.pixels for item in group if isinstance(item, _Loaded) and item.is_new]
        if self.model is None or not pixels:
            return group
        vectors = iter(self.model.embed_batch(pixels, "photo"))
        return [
            item._replace(vector=next(vectors), pixels=NO_PIXELS) if isinstance(item, _Loaded) and item.is_new else item
            for item in group
        ]

    def _take(self, advance: Advance, batch: list[_Item]) -> None:
        """Write a batch to the store and count it. Called in the thread that writes, in order."""
        self._write([item for item in batch if isinstance(item, _Loaded)])
        with self.counting:
            self._count(batch)
            advance(len(batch))

    def _write(self, loaded: list[_Loaded]) -> None:
        if self.model is None or not loaded:
            return
        vectors = {item.photo.content: item.vector for item in loaded if item.vector is not None}
        copies = {item.photo.content for item in loaded} - vectors.keys()
        vectors |= self.store.embeddings(sorted(copies)) if copies else {}
        # A content that others have removed from a shared store meanwhile is embedded by the next update.
        photos = [item.photo for item in loaded if item.photo.content in vectors]
        self.store.upsert(photos, np.stack([vectors[photo.content] for photo in photos]))

    def _count(self, batch: Sequence[_Item]) -> None:
        """Count a batch that was written, and remove what it replaces."""
        skipped = [item for item in batch if isinstance(item, Skipped)]
        loaded = [item for item in batch if isinstance(item, _Loaded)]
        self.changes.skipped += skipped
        new = {item.photo.content for item in loaded if item.is_new}
        known = [item for item in loaded if item.vector is not None and not item.is_new]
        reused = [item for item in known if item.stored is None or item.stored.content != item.photo.content]
        self.changes.embedded += len(new)
        self.changes.unchanged += len(known) - len(reused)
        self.changes.reused += len(loaded) - len(new) - len(known) + len(reused)
        self.pruning.contents.update(item.photo.content for item in reused)
        self.pruning.drop_moved([item.photo for item in loaded])
        # The previous content of a broken file is gone; if the disk failed instead, the photo is kept.
        broken = [item.path for item in skipped if is_gone(item.path) is not None]
        if self.model is not None:
            self.underway -= new  # the store has it now
            if broken:
                self.store.delete(broken)


def _growing(items: Iterable[_Item], greatest: int) -> Generator[list[_Item], None, None]:
    """Yield batches, the first ones small, so that a search finds the first photos soon."""
    remaining, size = iter(items), min(FIRST_FILES, greatest)
    while batch := list(islice(remaining, size)):
        yield batch
        size = min(2 * size, greatest)
