"""What an open index knows of the rows of its vectors: which count, which are dead, which were checked."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sketchy.retrieval.nearest import squared_norms
from sketchy.retrieval.store.base import Vectors
from sketchy.retrieval.store.faults import Damage
from sketchy.retrieval.store.meta import Meta
from sketchy.retrieval.store.metadata import MetadataDatabase
from sketchy.retrieval.store.vectors import GROUP_ROWS, Sums, damaged_groups, mapped

CHUNK_ROWS = 8192
"""Rows in one entry of the metadata database; also what is read at once, 8 MB of 256 numbers each."""
BLOCK_ROWS = 16 * CHUNK_ROWS
"""Rows that are multiplied at once: threads that wait for each other at the end of each product should seldom do so."""
CHUNK_GROUPS = CHUNK_ROWS // GROUP_ROWS


def vectors_path(folder: Path, generation: int) -> Path:
    """Name the file of vectors of a generation."""
    return folder / f"vectors-{generation}.f32"


def put_chunks(
    metadata: MetadataDatabase, numbers: Iterable[int], version: int, sums: Sums, dead: NDArray[np.bool_]
) -> None:
    """Write chunks of the checksums and tombstones of all rows to the metadata database."""
    for number in numbers:
        whole = np.zeros(CHUNK_ROWS, np.bool_)
        part = dead[number * CHUNK_ROWS : (number + 1) * CHUNK_ROWS]
        whole[: len(part)] = part
        metadata.set_chunk(number, version, sums[number * CHUNK_GROUPS : (number + 1) * CHUNK_GROUPS], whole)


class State:
    """The rows of one commit of an index; `follow` brings it to another.

    Attributes:
        meta: What the metadata database says about that commit.
        sums: Checksum of every GROUP_ROWS rows.
        dead: Whether a row is deleted, shape (rows,).
        any_dead: Whether a row is deleted.
        vectors: Vectors, shape (rows, D), memory-mapped.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.meta: Meta | None = None
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
    def known(self) -> Meta:
        """What the metadata database says, once it was followed."""
        if self.meta is None:
            raise ValueError("nothing was read yet")
        return self.meta

    @property
    def rows(self) -> int:
        """Rows that count, dead ones among them."""
        return len(self.dead)

    def follow(self, metadata: MetadataDatabase) -> Meta:
        """Take over what changed since the commit that is known. Raises Damage, ShortFileError."""
        meta = metadata.meta()
        if self.meta is None or meta.generation != self.meta.generation:
            self._reset()
        if meta.version == self.version:
            return meta
        before = self.rows
        sums = np.zeros(-(-meta.rows // CHUNK_ROWS) * CHUNK_GROUPS, np.uint32)
        dead = np.zeros(-(-meta.rows // CHUNK_ROWS) * CHUNK_ROWS, np.bool_)
        sums[: len(self.sums)], dead[:before] = self.sums, self.dead
        for number, chunk_sums, chunk_dead in metadata.chunks(self.version):
            start = number * CHUNK_GROUPS
            if start + len(chunk_sums) > len(sums):
                raise Damage("its checksums are of more photos than it has")
            sums[start : start + len(chunk_sums)] = chunk_sums
            dead[number * CHUNK_ROWS : (number + 1) * CHUNK_ROWS] = chunk_dead
        self.vectors = mapped(vectors_path(self.folder, meta.generation), meta.size, meta.rows)
        self.sums, self.dead = sums[: -(-meta.rows // GROUP_ROWS)], dead[: meta.rows]
        checked = np.zeros(len(self.sums), np.bool_)
        checked[: before // GROUP_ROWS] = self._checked[: before // GROUP_ROWS]  # not of a group that has grown
        self._checked = checked
        self.meta, self.version, self.any_dead = meta, meta.version, bool(self.dead.any())
        return meta

    def fetch(self, rows: NDArray[np.int64]) -> Vectors:
        """Return the (len(rows), D) vectors of some rows, checked. Raises Damage."""
        self.check(np.unique(rows // GROUP_ROWS))
        return self.vectors[rows]

    def chunk(self, start: int) -> Vectors:
        """Return up to CHUNK_ROWS vectors, checked, from a multiple of CHUNK_ROWS on. Raises Damage."""
        vectors = self.vectors[start : start + CHUNK_ROWS]
        self.check(np.arange(start // GROUP_ROWS, -(-(start + len(vectors)) // GROUP_ROWS)))
        return vectors

    def block(self, start: int) -> tuple[Vectors, NDArray[np.float32]]:
        """Return up to BLOCK_ROWS vectors, checked, from a multiple of CHUNK_ROWS on, and their squared lengths.

        Raises:
            Damage: a vector is not what was written.
        """
        vectors = self.vectors[start : start + BLOCK_ROWS]
        for row in range(start, start + len(vectors), CHUNK_ROWS):
            self.chunk(row)
        known = self._norms.get(start, np.empty(0, np.float32))
        if len(known) < len(vectors):
            known = self._norms[start] = np.concatenate([known, squared_norms(vectors[len(known) :])])
        return vectors, known

    def check(self, groups: NDArray[np.int64]) -> None:
        """Compare groups of vectors with their checksums, each once. Raises Damage."""
        new = groups[~self._checked[groups]]
        if bad := damaged_groups(self.vectors, self.sums, new):
            raise Damage(f"vectors from row {bad[0] * GROUP_ROWS:,} on are not what was written")
        self._checked[new] = True
