"""The approximate index of a large store, built by FAISS (extra `ann`) from the store's vectors.

An inverted file with 8-bit scalar quantisation: a search scans only the cells nearest to the query. Its candidates are
measured exactly with the store's vectors, so distances are exact; a near photo can be missed.
"""

import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchy.extras import is_installed
from sketchy.progress import Progress, no_progress
from sketchy.retrieval.store.faults import Damage
from sketchy.retrieval.store.meta import Meta
from sketchy.retrieval.store.state import CHUNK_ROWS, State
from sketchy.storage import replacing

STALE_SHARE = 0.1
"""Share of rows added since the last build from which on the index is rebuilt; until then they are measured exactly."""
TRAINED_PER_CELL = 40
"""Photos per cell that the centres are fitted to."""
RECALL = 0.995
"""Recall of the ten nearest that the number of scanned cells is tuned for."""
TUNING_QUERIES = 200
CANDIDATES_PER_HIT = 4
"""Candidates measured exactly per wanted photo; 8-bit codes misorder only near neighbours."""
WRITE_BYTES = 2**20
"""Size of the writes: Python writes the file, since FAISS would lose the reason of an error of the disk."""

Allowed = NDArray[np.bool_] | None
"""Whether each row may be found, shape (rows,); None allows all without a pass over them."""


@dataclass(frozen=True)
class BuiltIndex:
    """Rows, size in bytes and CRC-32 of an approximate index that was written; see `Meta`."""

    rows: int
    size: int
    crc: int


def ann_path(folder: Path, generation: int) -> Path:
    """Return the path of the approximate index of a generation."""
    return folder / f"ann-{generation}.faiss"


def is_due(meta: Meta, from_rows: int) -> bool:
    """Return whether there are enough rows for an approximate index, and the existing one is missing or stale."""
    return meta.rows >= from_rows and meta.rows - meta.ann_rows > STALE_SHARE * meta.rows


class ApproximateIndex:
    """An approximate index, mapped into memory.

    Args:
        path: File of the index.
        meta: Metadata of the commit, to check the file against.

    Raises:
        Damage: The file is missing, or does not match the metadata.
    """

    def __init__(self, path: Path, meta: Meta) -> None:
        import faiss

        self.rows = meta.ann_rows
        if not path.is_file() or path.stat().st_size != meta.ann_size:
            raise Damage(f"{path.name} is missing or truncated")
        if _head_crc(path, meta.ann_size, meta.ann_rows, meta.size) != meta.ann_crc:
            raise Damage(f"{path.name} does not match its checksum")
        self._index: Any = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)

    def propose(self, query: NDArray[np.float32], count: int, allowed: Allowed) -> NDArray[np.int64]:
        """Return up to `count` rows that are probably the nearest of the allowed ones.

        Args:
            query: Embedding, shape (D,), float32.
            count: Greatest number of rows.
            allowed: Whether a row may be found, shape (at least rows,); None allows all.
        """
        import faiss

        parameters = faiss.SearchParametersIVF(nprobe=self._index.nprobe)
        if allowed is not None:
            bits = np.packbits(allowed[: self.rows], bitorder="little")
            selector = faiss.IDSelectorBitmap(bits)  # FAISS keeps bare pointers: these variables keep both alive
            parameters = faiss.SearchParametersIVF(sel=selector, nprobe=self._index.nprobe)
        _, neighbours = self._index.search(query[np.newaxis], min(count, self.rows), params=parameters)
        rows: NDArray[np.int64] = neighbours[0]
        return rows[(rows >= 0) & (rows < self.rows)]  # -1 fills up, and a flipped bit can make any number


class ApproximateIndexLoader:
    """Opens the current approximate index of an index folder, and keeps it open until it is rebuilt."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key: tuple[int, int, int] | None = None
        self._opened: ApproximateIndex | None = None

    def get(self, meta: Meta) -> ApproximateIndex | None:
        """Return the index of a commit; None if it is missing or damaged, as the vectors suffice for a search."""
        if meta.ann_rows == 0 or not is_installed("ann"):
            return None
        key = (meta.generation, meta.ann_rows, meta.ann_crc)
        if key != self._key:
            self._key, self._opened = key, None
            with suppress(Damage):
                self._opened = ApproximateIndex(ann_path(self._folder, meta.generation), meta)
        return self._opened

    def problem(self, meta: Meta) -> str | None:
        """Reread the index of a commit and return what is wrong with it; None if it is intact or not there."""
        if meta.ann_rows == 0 or not is_installed("ann"):
            return None
        try:
            ApproximateIndex(ann_path(self._folder, meta.generation), meta)
        except Damage as error:
            return str(error)
        return None


def build(
    folder: Path, state: State, queries: NDArray[np.float32] | None, progress: Progress = no_progress
) -> BuiltIndex:
    """Build and write the approximate index of all rows.

    Args:
        folder: Index folder.
        state: Commit to build from.
        queries: Embeddings of typical queries, shape (Q, D), to tune the recall on; None synthesises some.
        progress: Shows the progress.

    Raises:
        Damage: A vector does not match its checksum.
        StorageError: The disk is full.
    """
    import faiss

    meta = state.meta
    cells = max(16, int(4 * np.sqrt(state.rows)))
    index: Any = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatL2(meta.size), meta.size, cells, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_L2
    )
    index.cp.seed = 0
    index.cp.min_points_per_centroid = 1
    chosen = np.random.default_rng(0).permutation(state.rows)[: TRAINED_PER_CELL * cells]
    with progress("sorting into cells", 2 * state.rows, "photo") as advance:
        index.train(state.fetch(np.sort(chosen)))
        advance(state.rows)
        for start in range(0, state.rows, CHUNK_ROWS):
            index.add(state.chunk(start))
            advance(min(CHUNK_ROWS, state.rows - start))
    index.nprobe = _tuned_nprobe(index, _synthetic_queries(state) if queries is None else queries[:TUNING_QUERIES])
    path = ann_path(folder, meta.generation)
    with replacing(path) as temporary, temporary.open("wb") as file:
        faiss.write_index(index, faiss.PyCallbackIOWriter(file.write, WRITE_BYTES))
    size = path.stat().st_size
    return BuiltIndex(state.rows, size, _head_crc(path, size, state.rows, meta.size))


def _synthetic_queries(state: State) -> NDArray[np.float32]:
    """Return midpoints of pairs of photos: away from the photos, as sketches are, though less so than real ones."""
    generator = np.random.default_rng(1)
    one, other = (state.fetch(generator.integers(0, state.rows, TUNING_QUERIES)) for _ in range(2))
    middle: NDArray[np.float32] = np.float32(0.5) * (one + other)
    return middle


def _tuned_nprobe(index: Any, queries: NDArray[np.float32]) -> int:
    """Return the least power of two of cells to scan that reaches RECALL of the ten nearest; else all cells."""
    index.nprobe = index.nlist
    _, truth = index.search(queries, 10)
    cells = 1
    while cells < index.nlist:
        index.nprobe = cells
        _, nearest = index.search(queries, 10)
        hits = sum(len(np.intersect1d(a, b)) for a, b in zip(truth, nearest, strict=True))
        if hits >= RECALL * truth.size:
            return cells
        cells *= 2
    return int(index.nlist)


def _head_crc(path: Path, size: int, rows: int, dimensions: int) -> int:
    """Return the CRC-32 of the file without the codes and ids at its end: damage to those only costs recall."""
    with path.open("rb") as file:
        return zlib.crc32(file.read(max(0, size - rows * (dimensions + 8))))
