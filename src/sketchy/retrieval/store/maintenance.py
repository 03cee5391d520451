"""Maintenance of an index folder: checking everything that was written, and compaction."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from sketchy.retrieval.store.faults import Damage
from sketchy.retrieval.store.metadata import MetadataDatabase
from sketchy.retrieval.store.state import CHUNK_ROWS, State, put_chunks, vectors_path
from sketchy.retrieval.store.vectors import Sums, extend_sums, sync_folder
from sketchy.storage import sync


def find_problems(metadata: MetadataDatabase, state: State) -> list[str]:
    """Check the structure of the database, every entry, every vector, and that entries and vectors correspond.

    Returns:
        The problems found; empty for an intact index. Reads everything, a chunk at a time.
    """
    problems = [f"the metadata database: {line}" for line in metadata.check()]
    entries, last = 0, b""
    try:
        for start in range(0, state.rows, CHUNK_ROWS):
            state.chunk(start)
        while batch := metadata.after(last, b"", CHUNK_ROWS):
            entries += len(batch)
            last = os.fsencode(batch[-1][0].path)
    except Damage as error:
        return [*problems, str(error)]
    if entries != state.meta.photos:
        problems.append(f"{entries:,} entries of {state.meta.photos:,} photos")
    if not np.array_equal(metadata.used_rows(), np.flatnonzero(~state.dead)):
        problems.append("photos and vectors do not correspond")
    return problems


def compact(folder: Path, metadata: MetadataDatabase, state: State) -> None:
    """Copy the live rows to the file of a new generation and renumber the photos, inside an open transaction.

    Raises:
        Damage: A vector does not match its checksum; the old generation stays current.
        OSError: The disk is full.
    """
    meta = state.meta
    generation, version = meta.generation + 1, meta.version + 1
    rows, sums = _copy_live(vectors_path(folder, generation), state)
    sync_folder(folder)
    metadata.renumber(np.cumsum(~state.dead) - 1)
    metadata.clear_chunks()
    put_chunks(metadata, range(-(-rows // CHUNK_ROWS)), version, sums, np.zeros(rows, np.bool_))
    metadata.set_meta(replace(meta, generation=generation, rows=rows, version=version, ann_rows=0))


def _copy_live(path: Path, state: State) -> tuple[int, Sums]:
    """Write the live rows to a file; return their number and checksums."""
    rows, sums = 0, np.empty(0, np.uint32)
    with path.open("wb") as file:
        for start in range(0, state.rows, CHUNK_ROWS):
            live = state.chunk(start)[~state.dead[start : start + CHUNK_ROWS]]
            file.write(np.ascontiguousarray(live, "<f4").data)
            sums = extend_sums(sums, rows, live)
            rows += len(live)
        sync(file)
    return rows, sums
