"""The approximate index of a large store: derived from its vectors, never the truth, made by FAISS (extra `ann`).

Photos are sorted into cells around centres; a search looks into the nearest cells only, at one byte a number. What it
proposes is measured exactly by the store's own vectors, so that a distance is never wrong; a photo can be missed.
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
"""Share of rows that were added since it was built; these are measured one by one. With more, it is built anew."""
TRAINED_PER_CELL = 40
"""Photos that each centre is fitted to."""
RECALL = 0.995
"""Share of the ten nearest photos that a search must find, measured with some queries when the index is built."""
TRIED = 200
"""Number of queries with which that is measured."""
PROPOSED = 4
"""Candidates measured exactly for each photo that is wanted; one byte a number misorders only near neighbours."""
WRITTEN_BYTES = 2**20
"""Bytes that FAISS hands over at once to Python, which writes them: FAISS would not say why a write fails."""

Allowed = NDArray[np.bool_] | None
"""Whether each row may be found; None allows all, and spares looking at a million of them."""


@dataclass(frozen=True)
class Built:
    """An approximate index that was written: what the metadata database keeps of it."""

    rows: int
    size: int
    crc: int


def ann_path(folder: Path, generation: int) -> Path:
    """Name the file of the approximate index of a generation."""
    return folder / f"ann-{generation}.faiss"


def is_due(meta: Meta, from_rows: int) -> bool:
    """Whether an approximate index pays, as it does from so many rows on, and there is none or too old a one."""
    return meta.rows >= from_rows and meta.rows - meta.ann_rows > STALE_SHARE * meta.rows


class Approximation:
    """An approximate index, mapped into memory.

    Args:
        path: The file.
        meta: What the metadata database says about it.

    Raises:
        Damage: The file is not the one that was written.
    """

    def __init__(self, path: Path, meta: Meta) -> None:
        import faiss

        self.rows = meta.ann_rows
        if not path.is_file() or path.stat().st_size != meta.ann_size:
            raise Damage(f"{path.name} is missing or cut")
        if _head_crc(path, meta.ann_size, meta.ann_rows, meta.size) != meta.ann_crc:
            raise Damage(f"{path.name} is not what was written")
        self._index: Any = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)

    def propose(self, query: NDArray[np.float32], count: int, allowed: Allowed) -> NDArray[np.int64]:
        """Return up to `count` rows that are probably the nearest of those allowed.

        Args:
            query: Embedding, shape (D,).
            count: Number of rows to propose.
            allowed: Whether a row may be found, shape (rows or more,); None allows all.
        """
        import faiss

        words = faiss.SearchParametersIVF(nprobe=self._index.nprobe)
        if allowed is not None:
            bits = np.packbits(allowed[: self.rows], bitorder="little")
            selector = faiss.IDSelectorBitmap(bits)  # both have names here, because FAISS keeps bare pointers
            words = faiss.SearchParametersIVF(sel=selector, nprobe=self._index.nprobe)
        _, found = self._index.search(query[np.newaxis], min(count, self.rows), params=words)
        rows: NDArray[np.int64] = found[0]
        return rows[(rows >= 0) & (rows < self.rows)]  # also what a flipped bit makes of a number


class Approximations:
    """Opens the approximate index of an index folder, each one that was built once.

    Args:
        folder: The index folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key: tuple[int, int, int] | None = None
        self._opened: Approximation | None = None

    def get(self, meta: Meta) -> Approximation | None:
        """Return the one of a commit, unless it is missing or damaged: the vectors have all that it has."""
        if meta.ann_rows == 0 or not is_installed("ann"):
            return None
        key = (meta.generation, meta.ann_rows, meta.ann_crc)
        if key != self._key:
            self._key, self._opened = key, None
            with suppress(Damage):
                self._opened = Approximation(ann_path(self._folder, meta.generation), meta)
        return self._opened

    def problem(self, meta: Meta) -> str | None:
        """Read the one of a commit again, and say what is wrong with it; None where nothing is, or there is none."""
        if meta.ann_rows == 0 or not is_installed("ann"):
            return None
        try:
            Approximation(ann_path(self._folder, meta.generation), meta)
        except Damage as error:
            return str(error)
        return None


def build(folder: Path, state: State, queries: NDArray[np.float32] | None, progress: Progress = no_progress) -> Built:
    """Write the approximate index of all rows of a state.

    Args:
        folder: The index folder.
        state: The rows to build it from.
        queries: Embeddings of typical queries, shape (Q, D), which decide how many cells a search looks into; None
            makes some up.
        progress: Shows the progress.

    Raises:
        Damage: A vector is not what was written.
        StorageError: There is no space.
    """
    import faiss

    meta = state.known
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
    index.nprobe = _cells_to_look_into(index, _made_up(state) if queries is None else queries[:TRIED])
    path = ann_path(folder, meta.generation)
    with replacing(path) as temporary, temporary.open("wb") as file:
        faiss.write_index(index, faiss.PyCallbackIOWriter(file.write, WRITTEN_BYTES))
    size = path.stat().st_size
    return Built(state.rows, size, _head_crc(path, size, state.rows, meta.size))


def _made_up(state: State) -> NDArray[np.float32]:
    """Return points between two photos: like sketches they are not photos, though sketches are further away."""
    generator = np.random.default_rng(1)
    one, other = (state.fetch(generator.integers(0, state.rows, TRIED)) for _ in range(2))
    middle: NDArray[np.float32] = np.float32(0.5) * (one + other)
    return middle


def _cells_to_look_into(index: Any, queries: NDArray[np.float32]) -> int:
    """Return the fewest cells, doubling, that find RECALL of the ten nearest of all."""
    index.nprobe = index.nlist
    _, truth = index.search(queries, 10)
    cells = 1
    while cells < index.nlist:
        index.nprobe = cells
        _, found = index.search(queries, 10)
        hits = sum(len(np.intersect1d(a, b)) for a, b in zip(truth, found, strict=True))
        if hits >= RECALL * truth.size:
            return cells
        cells *= 2
    return int(index.nlist)


def _head_crc(path: Path, size: int, rows: int, dimensions: int) -> int:
    """Sum up all but the codes and numbers of the photos, which end the file: only those are harmless when damaged."""
    with path.open("rb") as file:
        return zlib.crc32(file.read(max(0, size - rows * (dimensions + 8))))
