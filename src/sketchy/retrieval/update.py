"""Bringing a store up to date with folders of photos: embed what is new, forget what is gone, leave the rest."""

import hashlib
import os
import stat
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sketchy.errors import ImageError
from sketchy.results import Kept, Skipped
from sketchy.retrieval.embed import Embedder, embed_pixels
from sketchy.retrieval.missing import Pruning, is_gone, stored
from sketchy.retrieval.store.records import Photo, Store
from sketchy.retrieval.walk import USUAL, Found, Scan, absolute_sources, is_missing, walk
from sketchy.storage import os_reason
from sketchy.talk import SILENT, Talk

BATCH_FILES = 256
"""Files looked at, and committed, at once. One batch is decoded while another is embedded: what bounds the memory."""
MAX_FILE_BYTES = 256 * 2**20
"""A larger file is no photo; reading it could fill the memory."""
FRESH_NS = 2 * 10**9
"""A file changed this short ago may change again without a new time: it is looked into again the next time."""


@dataclass
class Changes:
    """What an update did, or would do.

    Attributes:
        embedded: photos that the network saw.
        reused: photos of a new path whose content was known: copies and renames.
        unchanged: photos as they were.
        removed: photos that are gone.
        skipped: files that could not be used.
        left_out: how many files are no photos to be searched, by reason.
        away: how many photos stay though their files cannot be found, by folder and what is the matter with it.
    """

    embedded: int = 0
    reused: int = 0
    unchanged: int = 0
    removed: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    away: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def kept(self) -> tuple[Kept, ...]:
        """The photos that stay though their files cannot be found, by folder."""
        return tuple(Kept(path, count, reason) for (path, reason), count in sorted(self.away.items()))

    @property
    def found(self) -> int:
        """How many photos are there."""
        return self.embedded + self.reused + self.unchanged


def summed(parts: Sequence[Changes]) -> Changes:
    """Add up what several processes did."""
    total = Changes()
    for part in parts:
        for name, value in vars(part).items():
            setattr(total, name, getattr(total, name) + value)
    return total


@dataclass(frozen=True)
class Share:
    """The part of all paths that one of several processes takes; the same on every machine and in every order."""

    rank: int = 0
    size: int = 1

    def takes(self, path: str) -> bool:
        """Whether this process looks after a path."""
        digest = hashlib.blake2b(os.fsencode(path), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.size == self.rank


WHOLE = Share()


@dataclass(frozen=True)
class _Loaded:
    """A file that was read: what is known of it, and its pixels."""

    photo: Photo
    pixels: NDArray[np.uint8]


def update(
    store: Store,
    sources: Sequence[Path],
    embedder: Embedder,
    share: Share = WHOLE,
    talk: Talk = SILENT,
    scan: Scan = USUAL,
) -> Changes:
    """Make a store hold the photos below the sources. Every batch is a commit.

    A file is looked into when its size or time changed; it is embedded when its content is unknown. Photos elsewhere
    stay, unless their file is gone and its content is found below the sources. Photos of a source or folder that now
    has no photo at all stay too, as its drive may not be mounted.

    Args:
        store: opened to be written, with the embedder's identity.
        sources: folders and files; one of which the store has photos may be missing.
        share: which of the paths to look after.
        talk: shows the progress.
        scan: how the folders are looked through.

    Raises:
        GalleryError: a source is missing, or the store is unusable.
        StorageError: the store cannot be written; what was committed stays.
    """
    return _Update(store, sources, embedder, share, scan).run(talk)


def preview(store: Store, sources: Sequence[Path], talk: Talk = SILENT, scan: Scan = USUAL) -> Changes:
    """Say what `update` would do, as far as that can be told without decoding; `store` is only read."""
    return _Update(store, sources, None, WHOLE, scan).run(talk)


class _Update:
    """One update under way; without an embedder it only counts."""

    def __init__(
        self, store: Store, sources: Sequence[Path], embedder: Embedder | None, share: Share, scan: Scan
    ) -> None:
        self.store = store
        self.sources = absolute_sources(sources, lambda path: any(stored(store, path)))
        self.present = [source for source in self.sources if not is_missing(str(source))]
        self.embedder = embedder
        self.share = share
        self.scan = scan
        self.changes = Changes()
        self.pruning = Pruning(store, self.sources, share.takes, scan, write=embedder is not None)

    def run(self, talk: Talk) -> Changes:
        """Go through all files, then through what the store holds of files that are gone."""
        files = walk(self.present, lambda skipped: None, exclude=self.scan.exclude)
        total = sum(self.share.takes(found.path) for found in files)
        with talk.bar("indexing", total, "photo") as advance, ThreadPoolExecutor() as pool:
            waiting: deque[tuple[int, list[Found], list[Future[_Loaded | ImageError]]]] = deque()
            files = self._files(talk)
            while batch := list(islice(files, BATCH_FILES)):
                unknown = self._reuse(batch, pool)
                futures = [pool.submit(self._load, file) for file in unknown] if self.embedder else []
                waiting.append((len(batch), unknown, futures))
                if len(waiting) > 1:
                    advance(self._embed(*waiting.popleft()))
            while waiting:
                advance(self._embed(*waiting.popleft()))
        self.pruning.drop_gone()
        self.changes.removed, self.changes.away = self.pruning.removed, self.pruning.away
        return self.changes

    def _files(self, talk: Talk) -> Iterator[Found]:
        """Yield this process's share of the files; note folders that have photos, and what is left out."""

        def leave_out(left: Skipped) -> None:
            if self.share.takes(left.path):
                self.changes.left_out[left.reason] += 1
                if self.scan.name_left_out:
                    talk.say(f"leaving out {left.path}: {left.reason}")

        def report(skipped: Skipped) -> None:
            if self.share.takes(skipped.path):
                self.changes.skipped.append(skipped)

        for found in walk(self.present, report, leave_out, self.scan.exclude):
            self.pruning.folders.add(os.path.dirname(found.path))  # noqa: PTH120 - 100,000 times
            if self.share.takes(found.path):
                yield found

    def _reuse(self, batch: Sequence[Found], pool: ThreadPoolExecutor) -> list[Found]:
        """Settle the files of a batch whose content is known, and return the others."""
        known = self.store.get([file.path for file in batch])
        changed = [file for file in batch if not _is_same(known.get(file.path), file.path)]
        self.changes.unchanged += len(batch) - len(changed)
        described = dict(zip(changed, pool.map(_describe, changed), strict=True))
        photos = [photo for photo in described.values() if isinstance(photo, Photo)]
        vectors = self.store.embeddings(sorted({photo.content for photo in photos}))
        settled = [photo for photo in photos if photo.content in vectors]
        for photo in settled:
            before = known.get(photo.path)
            if before is not None and before.content == photo.content:
                self.changes.unchanged += 1
            else:
                self.changes.reused += 1
                self.pruning.found.add(photo.content)
        if self.embedder and settled:
            self.store.upsert(settled, np.stack([vectors[photo.content] for photo in settled]))
        self.pruning.drop_moved([*(known[file.path] for file in batch if file.path in known), *settled])
        paths = {photo.path for photo in settled}
        return [file for file in changed if file.path not in paths]

    def _load(self, file: Found) -> _Loaded | ImageError:
        """Read a file once, so that what is embedded is what was hashed."""
        assert self.embedder is not None
        try:
            content, photo = _read(file)
            return _Loaded(photo, self.embedder.preprocess.load(content, "photo"))
        except ImageError as error:
            return error

    def _embed(self, count: int, files: Sequence[Found], futures: Sequence[Future[_Loaded | ImageError]]) -> int:
        """Embed and commit what was loaded; return how many files the batch had."""
        if self.embedder is None:
            self.changes.embedded += len(files)
            return count
        loaded: list[_Loaded] = []
        broken: list[str] = []
        for file, future in zip(files, futures, strict=True):
            outcome = future.result()
            if isinstance(outcome, ImageError):
                self.changes.skipped.append(Skipped(file.path, str(outcome)))
                if is_gone(file.path) is not None:  # else the disk failed, not the photo
                    broken.append(file.path)
            else:
                loaded.append(outcome)
        vectors = self.store.embeddings(sorted({item.photo.content for item in loaded}))  # of the batch before, perhaps
        self.changes.reused += sum(item.photo.content in vectors for item in loaded)
        fresh = {item.photo.content: item.pixels for item in loaded if item.photo.content not in vectors}
        if fresh:
            encoder = self.embedder.encoder_for(len(fresh))
            embeddings = embed_pixels(encoder, np.stack(list(fresh.values())), "photo").numpy()
            vectors |= dict(zip(fresh, embeddings, strict=True))
            self.changes.embedded += len(fresh)
            self.changes.reused += sum(item.photo.content in fresh for item in loaded) - len(fresh)
        if loaded:
            self.store.upsert(
                [item.photo for item in loaded], np.stack([vectors[item.photo.content] for item in loaded])
            )
        if broken:  # what they held before is no longer there
            self.store.delete(broken)
        return count


def _is_same(known: Photo | None, path: str) -> bool:
    """Whether a file has the size and time that the store knows."""
    if known is None:
        return False
    try:
        status = Path(path).stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (known.size, known.mtime_ns)


def _describe(file: Found) -> Photo | ImageError:
    try:
        return _read(file)[1]
    except ImageError as error:
        return error


def _read(file: Found) -> tuple[bytes, Photo]:
    """Read a file and what is known of it. Raises ImageError."""
    try:
        status = Path(file.path).stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("is a folder" if stat.S_ISDIR(status.st_mode) else "is no ordinary file")
        if status.st_size > MAX_FILE_BYTES:
            raise ImageError(f"too large: {status.st_size >> 20:,} MB, at most {MAX_FILE_BYTES >> 20}")
        content = Path(file.path).read_bytes()
    except OSError as error:
        raise ImageError(os_reason(error).lower()) from None
    # The time is that before the content was read: what is written meanwhile shows the next time.
    mtime = 0 if abs(time.time_ns() - status.st_mtime_ns) < FRESH_NS else status.st_mtime_ns
    digest = hashlib.sha256(content).hexdigest()
    return content, Photo(file.path, status.st_size, mtime, digest, file.category)
