"""The embedded store: a folder with a metadata database and a file of vectors, without a server.

    index.sqlite       metadata database: photos, deletion marks, checksums, number of committed rows
    vectors-N.f32      rows of generation N, append-only float32; anything after the last committed row is garbage
    lock.sqlite        lock of the single writer
    ann-N.faiss        approximate index of generation N, if any; only proposes candidates

A change writes and syncs vectors, then commits to SQLite, so that a kill leaves the state before or after it.
Compaction writes the live rows to the file of the next generation; one commit renumbers them and switches to that
file. Each call of a reader works on one commit.
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
from sketchy.retrieval.store.approximate import Allowed, ApproximateIndexLoader, ann_path, build, is_due
from sketchy.retrieval.store.base import EVERYTHING, Identity, Photo, Vectors, Where, WritableStore, hit_of
from sketchy.retrieval.store.faults import damaged, translated
from sketchy.retrieval.store.maintenance import compact, find_problems
from sketchy.retrieval.store.meta import Meta
from sketchy.retrieval.store.metadata import MetadataDatabase
from sketchy.retrieval.store.search import search_rows
from sketchy.retrieval.store.state import CHUNK_ROWS, State, put_chunks, vectors_path
from sketchy.retrieval.store.vectors import ShortFileError, append, extend_sums, truncate

WASTE_SHARE = 0.25
"""Compaction starts when this share of the rows is deleted, and at least `Tuning.waste_rows`."""
SCAN_BATCH = 1000
RETRIES = 5
"""Attempts of a reader to open the file of vectors, which a compaction may have just replaced."""


@dataclass(frozen=True)
class Tuning:
    """Thresholds in numbers of rows; see docs/benchmarks.md for the measurements.

    Attributes:
        waste_rows: Least number of deleted rows for a compaction.
        approximate_from: Least number of rows for an approximate index; fewer are fast enough to measure.
        few_rows: Up to this many rows that pass a filter are measured directly, without a pass over the others.
    """

    waste_rows: int = 4096
    approximate_from: int = 200_000
    few_rows: int = 20_000


DEFAULT_TUNING = Tuning()


class EmbeddedStore(WritableStore):
    """An open index folder, made by `open_to_read` or `open_to_write`."""

    shared = False

    def __init__(
        self, folder: Path, metadata: MetadataDatabase, lock: sqlite3.Connection | None, tuning: Tuning = DEFAULT_TUNING
    ) -> None:
        self.folder = folder
        self._tuning = tuning
        self._approximate = ApproximateIndexLoader(folder)
        self._metadata = metadata
        self._lock = lock
        self._mutex = threading.RLock()
        self._state = State(folder)
        with self._reading() as state:
            meta = state.meta
        self.identity = Identity(meta.model, meta.size, meta.checkpoint)

    def upsert(self, photos: Sequence[Photo], vectors: Vectors) -> None:
        if vectors.shape != (len(photos), self.identity.size):
            raise ValueError(f"{len(photos)} photos with embeddings of shape {vectors.shape}")
        latest = {photo.path: (photo, index) for index, photo in enumerate(photos)}  # the last one with a path wins
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
        with self._changing() as state:
            known = self._metadata.by_path(paths)
            self._metadata.drop(list(known))
            none = np.empty((0, self.identity.size), np.float32)
            self._commit(state, none, self._orphans([row for _, row in known.values()]), -len(known))

    def get(self, paths: Sequence[str]) -> dict[str, Photo]:
        with self._reading():
            return {path: photo for path, (photo, _) in self._metadata.by_path(paths).items()}

    def copies(self, contents: Sequence[str]) -> list[Photo]:
        with self._reading():
            files = self._metadata.by_row(list(self._metadata.rows_of(contents).values()))
            return [photo for photos in files.values() for photo in photos]

    def embeddings(self, contents: Sequence[str]) -> dict[str, Vectors]:
        with self._reading() as state:
            rows = self._metadata.rows_of(contents)
            vectors = state.fetch(np.array(list(rows.values()), np.int64))
            return dict(zip(rows, vectors, strict=True))

    def search(self, query: Vectors, k: int, where: Where = EVERYTHING, *, exact: bool = False) -> list[Hit]:
        query = np.asarray(query, np.float32)
        with self._reading() as state:
            approximate = None if exact else self._approximate.get(state.meta)
            allowed = self._allowed(state, where)
            nearest = search_rows(state, query, k, allowed, approximate, self._tuning.few_rows)
            photos = self._metadata.by_row([row for row, _ in nearest])
            if len(photos) < len(nearest):
                raise damaged(self.folder, "the entry of a photo is missing")
        return [hit_of(distance, photos[row], where) for row, distance in nearest]

    def scan(self, below: str = "") -> Iterator[list[Photo]]:
        """Yield in batches all photos whose path starts with `below`, in the order of paths."""
        last = b""
        while True:
            with self._reading():
                batch = [photo for photo, _ in self._metadata.after(last, os.fsencode(below), SCAN_BATCH)]
            if not batch:
                return
            yield batch
            last = os.fsencode(batch[-1].path)

    def count(self, where: Where = EVERYTHING) -> int:
        if where.everything:
            return self.meta().photos
        with self._reading():
            return self._metadata.count(where)

    def pictures(self) -> int:
        """Count the different pictures."""
        with self._reading() as state:
            return int((~state.dead).sum())

    def categories(self) -> int:
        """Count the categories."""
        with self._reading():
            return self._metadata.categories()

    def problems(self) -> list[str]:
        """Read everything and compare it with its checksums; return the problems."""
        try:
            with self._reading() as state:
                problem = self._approximate.problem(state.meta)
                return [*find_problems(self._metadata, state), *([problem] if problem else [])]
        except GalleryError as error:
            return [str(error)]

    def close(self) -> None:
        with self._mutex:
            self._metadata.close()
            if self._lock is not None:
                self._lock.close()

    def meta(self) -> Meta:
        """Return the current metadata of the index."""
        with self._reading() as state:
            return state.meta

    def _allowed(self, state: State, where: Where) -> Allowed:
        """Return whether each row is live and passes the filter, shape (rows,); None if all do."""
        if where.everything:
            return ~state.dead if state.any_dead else None
        allowed = np.zeros(state.rows, np.bool_)
        allowed[self._metadata.matching(where)] = True
        return allowed & ~state.dead

    def improve(self, queries: Vectors | None = None, progress: Progress = no_progress) -> None:
        """Build the approximate index if it pays, and there is none or only a stale or damaged one; see `build`."""
        with self._reading() as state:
            due = is_due(state.meta, self._tuning.approximate_from) or self._approximate.problem(state.meta)
            built = build(self.folder, state, queries, progress) if due and is_installed("ann") else None
        if built is not None:
            with self._changing() as state:
                meta = replace(state.meta, ann_rows=built.rows, ann_size=built.size, ann_crc=built.crc)
                self._metadata.set_meta(replace(meta, version=meta.version + 1))

    def _orphans(self, rows: Sequence[int]) -> NDArray[np.int64]:
        """Return those of the rows that no photo refers to any more."""
        return np.array(self._metadata.without_photo(rows), np.int64)

    def _commit(self, state: State, vectors: Vectors, orphans: NDArray[np.int64], photos: int) -> None:
        """Write vectors, deletion marks and counts, inside an open transaction.

        Args:
            state: Current commit.
            vectors: Embeddings to append, shape (n, D).
            orphans: Rows to mark as deleted.
            photos: Change of the number of photos.
        """
        meta = state.meta
        rows, version = meta.rows + len(vectors), meta.version + 1
        if len(vectors):
            append(vectors_path(self.folder, meta.generation), meta.size, meta.rows, vectors)
        sums = extend_sums(state.sums, meta.rows, vectors)
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
        """Read one commit throughout a block."""
        with self._transaction("DEFERRED") as state:
            yield state

    @contextmanager
    def _changing(self) -> Iterator[State]:
        """Run a block as one commit, then compact if it pays."""
        if self._lock is None:
            raise ValueError("this index was opened read-only; use open_to_write")
        try:
            with self._transaction("IMMEDIATE") as state:
                yield state
        except StorageError:
            with suppress(OSError):
                meta = self._state.meta
                truncate(vectors_path(self.folder, meta.generation), meta.size, meta.rows)
            raise
        self._compact_if_due()

    @contextmanager
    def _transaction(self, mode: Literal["DEFERRED", "IMMEDIATE"]) -> Iterator[State]:
        with self._mutex, translated(self._metadata.path, "read" if mode == "DEFERRED" else "write"):
            for left in reversed(range(RETRIES)):
                with self._metadata.transaction(mode):
                    try:
                        self._state.refresh(self._metadata)
                    except ShortFileError as error:
                        if left == 0:
                            raise damaged(self.folder, str(error)) from None
                        continue  # a compaction just removed that file; the next transaction sees the new one
                    yield self._state
                    return

    def _compact_if_due(self) -> None:
        """Compact when many rows are deleted."""
        meta, dead = self.meta(), int(self._state.dead.sum())
        if dead < max(self._tuning.waste_rows, WASTE_SHARE * meta.rows):
            return
        with suppress(StorageError), self._transaction("IMMEDIATE") as state:
            compact(self.folder, self._metadata, state)  # on a full disk the index stays as it was
        with suppress(StorageError):
            self._remove_others()

    def _remove_others(self) -> None:
        """Remove the files of other generations, which a complete or an interrupted compaction left."""
        generation = self.meta().generation
        kept = (vectors_path(self.folder, generation), ann_path(self.folder, generation))
        for file in [*self.folder.glob("vectors-*.f32"), *self.folder.glob("*ann-*.faiss*")]:
            if file not in kept:
                with suppress(OSError):  # some systems refuse while a reader maps it
                    file.unlink()

    def tidy(self) -> None:
        """Remove what a killed writer left: uncommitted vectors, and files of other generations."""
        meta = self.meta()
        truncate(vectors_path(self.folder, meta.generation), meta.size, meta.rows)
        self._remove_others()


def now() -> str:
    """Return the current time in ISO format, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
