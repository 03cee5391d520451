"""Verification of an index: everything is read and compared with its checksums."""

import os

import numpy as np

from sketchy.retrieval.store.faults import Damage
from sketchy.retrieval.store.metadata import MetadataDatabase
from sketchy.retrieval.store.state import CHUNK_ROWS, State


def find_problems(metadata: MetadataDatabase, state: State) -> list[str]:
    """Check the structure of the metadata database, every entry, every vector, and that they belong together.

    Returns:
        What is wrong, empty for a whole index. Reads all of it, a chunk at a time.
    """
    problems = [f"the metadata database: {line}" for line in metadata.check()]
    meta = state.known
    try:
        for start in range(0, state.rows, CHUNK_ROWS):
            state.chunk(start)
        entries, last = 0, b""
        while batch := metadata.after(last, b"", CHUNK_ROWS):
            entries += len(batch)
            last = os.fsencode(batch[-1][0].path)
    except Damage as error:
        return [*problems, str(error)]
    if entries != meta.photos:
        problems.append(f"{entries:,} entries of {meta.photos:,} photos")
    used = metadata.used_rows()
    if not np.array_equal(used, np.flatnonzero(~state.dead)):
        problems.append("photos and vectors do not belong together")
    return problems
