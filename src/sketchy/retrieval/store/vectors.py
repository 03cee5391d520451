"""The file of vectors: little-endian float32 rows, only ever appended to, with a checksum for every few rows."""

import os
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sketchy.retrieval.store.base import Vectors

GROUP_ROWS = 16
"""Rows under one checksum: few enough that checking a handful of candidates costs nothing."""

Sums = NDArray[np.uint32]


class ShortFileError(Exception):
    """The file is missing, or holds fewer rows than were committed; the message says which."""


def append(path: Path, size: int, rows: int, vectors: Vectors) -> None:
    """Write vectors behind the first `rows` rows, over whatever a killed writer left there, and sync.

    Raises:
        OSError: no space, no permission.
    """
    with path.open("r+b") as file:
        file.seek(rows * size * 4)
        file.write(np.ascontiguousarray(vectors, "<f4").data)
        file.flush()
        os.fsync(file.fileno())


def cut(path: Path, size: int, rows: int) -> None:
    """Drop what lies behind the first `rows` rows. Raises OSError."""
    if path.stat().st_size > rows * size * 4:
        os.truncate(path, rows * size * 4)


def mapped(path: Path, size: int, rows: int) -> Vectors:
    """Map the first `rows` rows as (rows, size), without reading them. Raises ShortFileError."""
    try:
        length = path.stat().st_size
    except FileNotFoundError:
        raise ShortFileError(f"{path.name} is missing") from None
    if length < rows * size * 4:
        raise ShortFileError(f"{path.name} ends after {length // (size * 4):,} of {rows:,} photos")
    if rows == 0:
        return np.empty((0, size), np.float32)
    return np.memmap(path, "<f4", "r", shape=(rows, size)).view(np.ndarray)


def extended(sums: Sums, rows: int, vectors: Vectors) -> Sums:
    """Return the checksums of `rows` rows and then `vectors`, given those of the `rows` rows."""
    total = rows + len(vectors)
    longer = np.zeros(-(-total // GROUP_ROWS), np.uint32)
    longer[: len(sums)] = sums
    vectors = np.ascontiguousarray(vectors, "<f4")
    place = 0
    while place < len(vectors):
        group, filled = divmod(rows + place, GROUP_ROWS)
        part = vectors[place : place + GROUP_ROWS - filled]
        longer[group] = zlib.crc32(part.data, int(longer[group]))
        place += len(part)
    return longer


def damaged_groups(vectors: Vectors, sums: Sums, groups: NDArray[np.int64]) -> list[int]:
    """Return those of the groups whose rows are not what was written."""
    return [
        group
        for group in groups.tolist()
        if zlib.crc32(vectors[group * GROUP_ROWS : (group + 1) * GROUP_ROWS].data) != sums[group]
    ]


def sync_folder(folder: Path) -> None:
    """Bring the names of new files to the disk, where the system can. Raises OSError."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
