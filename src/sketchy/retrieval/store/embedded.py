"""The embedded store: one folder, no server. SQLite says what counts; the vectors lie in a file beside it.

    index.sqlite       photos, deletions, checksums and how many rows count: the only source of truth
    vectors-N.f32      the rows of generation N, append-only float32; what lies behind the last row is garbage
    lock.sqlite        held by the one writer
    ann-N.faiss        the approximate index of generation N, if any: derived, and never believed without the vectors

A change writes vectors, syncs them and then commits to SQLite, so that a kill leaves the state before or after it.
Compaction writes the living rows to the file of the next generation; the commit that renumbers them also names that
file, which is the flip. Readers work on one commit for as long as a call takes.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sketchy.errors import GalleryError, StorageError
from sketchy.extras import is_installed
from sketchy.progress import Progress, no_progress
from sketchy.results import Hit
from sketchy.retrieval.store.approximate import Allowed, Approximations, ann_path, build, is_due
from sketchy.retrieval.store.base import EVERYTHING, Identity, Photo, Vectors, Where, hit_of
from sketchy.retrieval.store.compaction import compact
from sketchy.retrieval.store.faults import damaged, explained
from sketchy.retrieval.store.health import find_problems
from sketchy.retrieval.store.meta import Meta
from sketchy.retrieval.store.metadata import MetadataDatabase
from sketchy.retrieval.store.search import search_rows
from sketchy.retrieval.store.state import CHUNK_ROWS, State, put_chunks, vectors_path
from sketchy.retrieval.store.vectors import ShortFileError, append, cut, extended

WASTE_SHARE = 0.25
"""Compaction begins when this share of the rows is dead, and at least `Tuning.waste_rows`."""
SCANNED = 1000
"""Photos a batch of `scan`."""
RETRIES = 5
"""Looks for a file of vectors that compaction replaced between two steps of a reader."""


@dataclass(frozen=True)
class Tuning:
    """From how many rows on the store does what; docs/benchmarks.md says why.

    Attributes:
        waste_rows: Fewer dead rows are never worth a compaction.
        approximate_from: With fewer rows, measuring every photo is fast enough.
        few_rows: Up to so many rows that a filter allows are measured directly, without looking at the others.
    """

    waste_rows: int = 4096
    approximate_from: int = 200_000
    few_rows: int = 20_000


USUAL = Tuning()


class EmbeddedStore:
    """An index folder that is open. Open one with `open_to_read` or `open_to_write`; see `WritableStore`."""

    shared = False

    def __init__(
        self, folder: Path, metadata: MetadataDatabase, lock: sqlite3.Connection | None, tuning: Tuning = USUAL
    ) -> None:
        self.folder = folder
        self._tuning = tuning
        self._approximations = Approximations(folder)
        self._metadata = metadata
        self._lock = lock
        self._mutex = threading.RLock()
        self._state = State(folder)
        with self._reading() as state:
            meta = state.known
        self.identity = Identity(meta.model, meta.size, meta.checkpoint)

    def upsert(self, photos: Sequence[Photo], vectors: Vectors) -> None:
        """Add photos, or replace those of the same path; `vectors` is (len(photos), D)."""
        if vectors.shape != (len(photos), self.identity.size):
            raise ValueError(f"{len(photos)} photos with embeddings of shape {vectors.shape}")
        latest = {photo.path: (photo, index) for index, photo in enumerate(photos)}  # the last one of a path
        with self._changing() as state:
            rows = self._metadata.rows_of([photo.content for photo, _ in latest.values()])
            added: list[int] = []
            for photo, index in latest.values():
                if photo.content not in rows:
                    rows[photo.content] = state.rows + len(added)
                    added.append(index)
            replaced = [row for _, row in self._metadata.by_path(list(latest)).values()]
            new = len(latest) - len(replaced)
            self._metadata.put([photo for photo, _ in latest.values()], [rows[p.content] for p, _ in latest.values()])
            self._commit(state, vectors[added], self._orphans(replaced), new)

    def delete(self, paths: Sequence[str]) -> None:
        """Drop photos; unknown paths are ignored."""
        with self._changing() as state:
            known = self._metadata.by_path(paths)
            self._metadata.drop(list(known))
            none = np.empty((0, self.identity.size), np.float32)
            self._commit(state, none, self._orphans([row for _, row in known.values()]), -len(known))

    def get(self, paths: Sequence[str]) -> dict[str, Photo]:
        """Return those of the paths that are known."""
        with self._reading():
            return {path: photo for path, (photo, _) in self._metadata.by_path(paths).items()}

    def copies(self, contents: Sequence[str]) -> list[Photo]:
        """Return all photos that have one of the contents, in no order."""
        with self._reading():
            files = self._metadata.by_row(list(self._metadata.rows_of(contents).values()))
            return [photo for photos in files.values() for photo in photos]

    def embeddings(self, contents: Sequence[str]) -> dict[str, Vectors]:
        """Return the (D,) embedding of those of the contents that are known."""
        with self._reading() as state:
            rows = self._metadata.rows_of(contents)
            vectors = state.fetch(np.array(list(rows.values()), np.int64))
            return dict(zip(rows, vectors, strict=True))

    def search(self, query: Vectors, k: int, where: Where = EVERYTHING, *, exact: bool = False) -> list[Hit]:
        """Return the k pictures nearest to a (D,) query, nearest first; fewer where there are fewer."""
        query = np.asarray(query, np.float32)
        with self._reading() as state:
            approximation = None if exact else self._approximations.get(state.known)
            allowed = self._allowed(state, where)
            found = search_rows(state, query, k, allowed, approximation, self._tuning.few_rows)
            files = self._metadata.by_row([row for row, _ in found])
            if len(files) < len(found):
                raise damaged(self.folder, "the entry of a photo is missing")
        return [hit_of(distance, files[row], where) for row, distance in found]

    def scan(self, below: str = "") -> Iterator[list[Photo]]:
        """Yield all photos, or those whose path starts with `below`, in the order of paths."""
        last = b""
        while True:
            with self._reading():
                batch = [photo for photo, _ in self._metadata.after(last, os.fsencode(below), SCANNED)]
            if not batch:
                return
            yield batch
            last = os.fsencode(batch[-1].path)

    def count(self, below: str = "") -> int:
        """Return how many photos there are, or whose path starts with `below`; files of one content count each."""
        if not below:
            return self.meta().photos
        with self._reading():
            return self._metadata.count(os.fsencode(below))

    def pictures(self) -> int:
        """Return how many different pictures there are."""
        with self._reading() as state:
            return int((~state.dead).sum())

    def categories(self) -> int:
        """Return how many categories there are."""
        with self._reading():
            return self._metadata.categories()

    def problems(self) -> list[str]:
        """Read everything and compare it with its checksums; return what is wrong."""
        try:
            with self._reading() as state:
                problem = self._approximations.problem(state.known)
                return [*find_problems(self._metadata, state), *([problem] if problem else [])]
        except GalleryError as error:
            return [str(error)]

    def close(self) -> None:
        """Let go of the files and the lock."""
        with self._mutex:
            self._metadata.close()
            if self._lock is not None:
                self._lock.close()

    def meta(self) -> Meta:
        """Return what the index says about itself now."""
        with self._reading() as state:
            return state.known

    def _allowed(self, state: State, where: Where) -> Allowed:
        """Return which rows may be found, None for all."""
        if where.everything:
            return ~state.dead if state.any_dead else None
        allowed = np.zeros(state.rows, np.bool_)
        allowed[self._metadata.matching(where)] = True
        return allowed & ~state.dead

    def improve(self, queries: Vectors | None = None, progress: Progress = no_progress) -> None:
        """Build the approximate index where it pays, and the one that is there is too old or damaged; see `build`."""
        with self._reading() as state:
            due = is_due(state.known, self._tuning.approximate_from) or self._approximations.problem(state.known)
            built = build(self.folder, state, queries, progress) if due and is_installed("ann") else None
        if built is not None:
            with self._changing() as state:
                meta = replace(state.known, ann_rows=built.rows, ann_size=built.size, ann_crc=built.crc)
                self._metadata.set_meta(replace(meta, version=meta.version + 1))

    def _orphans(self, rows: Sequence[int]) -> NDArray[np.int64]:
        """Return those of the rows that no longer have a file."""
        return np.array(self._metadata.without_photo(rows), np.int64)

    def _commit(self, state: State, vectors: Vectors, orphans: NDArray[np.int64], photos: int) -> None:
        """Write vectors, tombstones and counts; the transaction around makes them count.

        Args:
            vectors: Vectors to append, shape (n, D).
            orphans: Rows to mark as deleted.
            photos: By how many the number of files changes.
        """
        meta = state.known
        rows, version = meta.rows + len(vectors), meta.version + 1
        if len(vectors):
            append(vectors_path(self.folder, meta.generation), meta.size, meta.rows, vectors)
        sums = extended(state.sums, meta.rows, vectors)
        dead = np.zeros(rows, np.bool_)
        dead[: meta.rows] = state.dead
        dead[orphans] = True
        touched = set((orphans // CHUNK_ROWS).tolist())
        if len(vectors):
            touched |= set(range(meta.rows // CHUNK_ROWS, -(-rows // CHUNK_ROWS)))
        put_chunks(self._metadata, sorted(touched), version, sums, dead)
        self._metadata.set_meta(replace(meta, rows=rows, photos=meta.photos + photos, version=version, updated=now()))

    @contextmanager
    def _reading(self) -> Iterator[State]:
        """Stay on one commit for a block."""
        with self._transaction("DEFERRED") as state:
            yield state

    @contextmanager
    def _changing(self) -> Iterator[State]:
        """Make the changes of a block one commit."""
        if self._lock is None:
            raise ValueError("this index was opened to be read")
        try:
            with self._transaction("IMMEDIATE") as state:
                yield state
        except StorageError:
            self._cut()
            raise
        self._save_space()

    @contextmanager
    def _transaction(self, mode: Literal["DEFERRED", "IMMEDIATE"]) -> Iterator[State]:
        with self._mutex, explained(self._metadata.path, "read" if mode == "DEFERRED" else "write"):
            for left in reversed(range(RETRIES)):
                with self._metadata.transaction(mode):
                    try:
                        self._state.follow(self._metadata)
                    except ShortFileError as error:
                        if left == 0:
                            raise damaged(self.folder, str(error)) from None
                        continue  # compaction took that file away a moment ago; the next transaction knows the new one
                    yield self._state
                    return

    def _cut(self) -> None:
        """Give back the space of vectors that were not committed, where that can be done."""
        meta = self._state.meta
        if meta is not None:
            with suppress(OSError):
                cut(vectors_path(self.folder, meta.generation), meta.size, meta.rows)

    def _save_space(self) -> None:
        """Write the living rows anew when many are dead."""
        meta, dead = self.meta(), int(self._state.dead.sum())
        if dead < max(self._tuning.waste_rows, WASTE_SHARE * meta.rows):
            return
        with suppress(StorageError), self._transaction("IMMEDIATE") as state:
            compact(self.folder, self._metadata, state)  # without room for a second copy the index is as good as before
        with suppress(StorageError):
            self._remove_others()

    def _remove_others(self) -> None:
        """Remove the files of other generations: a compaction made them superfluous, or did not come to its end."""
        generation = self.meta().generation
        kept = (vectors_path(self.folder, generation), ann_path(self.folder, generation))
        for file in [*self.folder.glob("vectors-*.f32"), *self.folder.glob("*ann-*.faiss*")]:
            if file not in kept:
                with suppress(OSError):  # still mapped by a reader, on a system that minds
                    file.unlink()

    def tidy(self) -> None:
        """Remove what a killed writer left behind: vectors that were not committed, and files of other generations."""
        meta = self.meta()
        cut(vectors_path(self.folder, meta.generation), meta.size, meta.rows)
        self._remove_others()


def now() -> str:
    """Return the time, in ISO format, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
