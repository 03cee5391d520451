"""Compaction: the rows of an index that are not deleted are copied to a new file of vectors."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from sketchy.retrieval.store.metadata import MetadataDatabase
from sketchy.retrieval.store.state import CHUNK_ROWS, State, put_chunks, vectors_path
from sketchy.retrieval.store.vectors import Sums, extended, sync_folder


def compact(folder: Path, metadata: MetadataDatabase, state: State) -> None:
    """Write the next generation and renumber the photos; the transaction around it makes the new file count.

    Raises:
        Damage: a vector is not what was written; the old generation stays.
        OSError: no space.
    """
    meta = state.known
    generation, version = meta.generation + 1, meta.version + 1
    alive = ~state.dead
    rows, sums = _copy(vectors_path(folder, generation), state)
    sync_folder(folder)
    metadata.renumber(np.cumsum(alive) - 1)
    metadata.clear_chunks()
    put_chunks(metadata, range(-(-rows // CHUNK_ROWS)), version, sums, np.zeros(rows, np.bool_))
    metadata.set_meta(replace(meta, generation=generation, rows=rows, version=version, ann_rows=0))


def _copy(path: Path, state: State) -> tuple[int, Sums]:
    """Write the living rows, and return how many they are and their checksums."""
    rows, sums = 0, np.empty(0, np.uint32)
    with path.open("wb") as file:
        for start in range(0, state.rows, CHUNK_ROWS):
            living = state.chunk(start)[~state.dead[start : start + CHUNK_ROWS]]
            file.write(np.ascontiguousarray(living, "<f4").data)
            sums = extended(sums, rows, living)
            rows += len(living)
        file.flush()
        os.fsync(file.fileno())
    return rows, sums
