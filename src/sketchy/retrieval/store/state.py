"""The vectors of an open index in memory: which rows are committed, deleted, and checked against their checksums."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sketchy.retrieval.nearest import squared_norms
from sketchy.retrieval.store.base import Vectors
from sketchy.retrieval.store.faults import Damage
from sketchy.retrieval.store.meta import Meta
from sketchy.retrieval.store.metadata import MetadataDatabase
from sketchy.retrieval.store.vectors import GROUP_ROWS, Sums, damaged_groups, map_rows

CHUNK_ROWS = 8192
"""Rows per entry of the table `chunks`, and rows read at once: 8 MB with embeddings of size 256."""
BLOCK_ROWS = 16 * CHUNK_ROWS
"""Rows per matrix product; large, since the threads of a product wait for each other at its end."""
CHUNK_GROUPS = CHUNK_ROWS // GROUP_ROWS


def vectors_path(folder: Path, generation: int) -> Path:
    """Return the path of the file of vectors of a generation."""
    return folder / f"vectors-{generation}.f32"


def put_chunks(
    metadata: MetadataDatabase, indices: Iterable[int], version: int, sums: Sums, dead: NDArray[np.bool_]
) -> None:
    """Write some chunks of the checksums and deletion marks of all rows to the metadata database."""
    for index in indices:
        whole = np.zeros(CHUNK_ROWS, np.bool_)
        part = dead[index * CHUNK_ROWS : (index + 1) * CHUNK_ROWS]
        whole[: len(part)] = part
        metadata.set_chunk(index, version, sums[index * CHUNK_GROUPS : (index + 1) * CHUNK_GROUPS], whole)


class State:
    """The rows of one commit of an index; `refresh` moves on to the latest commit.

    Attributes:
        sums: Checksum of every GROUP_ROWS rows, shape (groups,).
        dead: Whether each row is deleted, shape (rows,).
        any_dead: Whether any row is deleted.
        vectors: Embeddings, shape (rows, D), float32, memory-mapped.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._meta: Meta | None = None
        self._reset()

    def _reset(self) -> None:
        self.version = -1
        self.any_dead = False
        self.sums: Sums = np.empty(0, np.uint32)
        self.dead: NDArray[np.bool_] = np.empty(0, np.bool_)
        self.vectors: Vectors = np.empty((0, 0), np.float32)
        self._checked: NDArray[np.bool_] = np.empty(0, np.bool_)
        self._norms: dict[int, NDArray[np.float32]] = {}

    @property
    def meta(self) -> Meta:
        """Metadata of the commit."""
        if self._meta is None:
            raise ValueError("no commit was read yet; call refresh")
        return self._meta

    @property
    def rows(self) -> int:
        """Number of committed rows, deleted ones included."""
        return len(self.dead)

    def refresh(self, metadata: MetadataDatabase) -> None:
        """Apply the changes since the commit last seen. Raises Damage, ShortFileError."""
        meta = metadata.meta()
        if self._meta is None or meta.generation != self._meta.generation:
            self._reset()
        if meta.version == self.version:
            return
        before = self.rows
        sums = np.zeros(-(-meta.rows // CHUNK_ROWS) * CHUNK_GROUPS, np.uint32)
        dead = np.zeros(-(-meta.rows // CHUNK_ROWS) * CHUNK_ROWS, np.bool_)
        sums[: len(self.sums)], dead[:before] = self.sums, self.dead
        for index, chunk_sums, chunk_dead in metadata.chunks(self.version):
            start = index * CHUNK_GROUPS
            if start + len(chunk_sums) > len(sums):
                raise Damage("it has more checksums than vectors")
            sums[start : start + len(chunk_sums)] = chunk_sums
            dead[index * CHUNK_ROWS : (index + 1) * CHUNK_ROWS] = chunk_dead
        self.vectors = map_rows(vectors_path(self.folder, meta.generation), meta.size, meta.rows)
        self.sums, self.dead = sums[: -(-meta.rows // GROUP_ROWS)], dead[: meta.rows]
        checked = np.zeros(len(self.sums), np.bool_)
        checked[: before // GROUP_ROWS] = self._checked[
            : before // GROUP_ROWS
        ]  # a group that has grown is checked again
        self._checked = checked
        self._meta, self.version, self.any_dead = meta, meta.version, bool(self.dead.any())

    def fetch(self, rows: NDArray[np.int64]) -> Vectors:
        """Return the checked vectors of some rows, shape (len(rows), D). Raises Damage."""
        self.check(np.unique(rows // GROUP_ROWS))
        return self.vectors[rows]

    def chunk(self, start: int) -> Vectors:
        """Return up to CHUNK_ROWS checked vectors from `start` on, a multiple of CHUNK_ROWS. Raises Damage."""
        vectors = self.vectors[start : start + CHUNK_ROWS]
        self.check(np.arange(start // GROUP_ROWS, -(-(start + len(vectors)) // GROUP_ROWS)))
        return vectors

    def block(self, start: int) -> tuple[Vectors, NDArray[np.float32]]:
        """Return as `chunk` does, but up to BLOCK_ROWS vectors, and their squared lengths. Raises Damage."""
        vectors = self.vectors[start : start + BLOCK_ROWS]
        for chunk_start in range(start, start + len(vectors), CHUNK_ROWS):
            self.chunk(chunk_start)
        norms = self._norms.get(start, np.empty(0, np.float32))
        if len(norms) < len(vectors):
            norms = self._norms[start] = np.concatenate([norms, squared_norms(vectors[len(norms) :])])
        return vectors, norms

    def check(self, groups: NDArray[np.int64]) -> None:
        """Compare groups of vectors with their checksums, unless that was done before. Raises Damage."""
        new = groups[~self._checked[groups]]
        if bad := damaged_groups(self.vectors, self.sums, new):
            raise Damage(f"vectors from row {bad[0] * GROUP_ROWS:,} on do not match their checksum")
        self._checked[new] = True
