"""The append-only file of vectors, little-endian float32 rows, and a checksum for every group of rows."""

import os
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sketchy.retrieval.store.base import Vectors
from sketchy.storage import sync

GROUP_ROWS = 16
"""Rows per checksum: few enough that checking a handful of candidates costs nothing."""

Sums = NDArray[np.uint32]
"""CRC-32 of every group of rows, shape (groups,)."""


class ShortFileError(Exception):
    """The file is missing, or holds fewer rows than were committed."""


def append(path: Path, size: int, rows: int, vectors: Vectors) -> None:
    """Write vectors after the first `rows` rows, over whatever a killed writer left there, and sync. Raises OSError."""
    with path.open("r+b") as file:
        file.seek(rows * size * 4)
        file.write(np.ascontiguousarray(vectors, "<f4").data)
        sync(file)


def truncate(path: Path, size: int, rows: int) -> None:
    """Truncate the file to its first `rows` rows. Raises OSError."""
    if path.stat().st_size > rows * size * 4:
        os.truncate(path, rows * size * 4)


def map_rows(path: Path, size: int, rows: int) -> Vectors:
    """Map the first `rows` rows into memory, shape (rows, size), without reading them. Raises ShortFileError."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise ShortFileError(f"{path.name} is missing") from None
    with file:  # opened once: a compaction may remove the file between two looks at it
        length = os.fstat(file.fileno()).st_size
        if length < rows * size * 4:
            raise ShortFileError(f"{path.name} ends after {length // (size * 4):,} of {rows:,} photos")
        if rows == 0:
            return np.empty((0, size), np.float32)
        return np.memmap(file, "<f4", "r", shape=(rows, size)).view(np.ndarray)


def extend_sums(sums: Sums, rows: int, vectors: Vectors) -> Sums:
    """Extend the checksums of the first `rows` rows by those of the vectors appended to them."""
    total = rows + len(vectors)
    longer = np.zeros(-(-total // GROUP_ROWS), np.uint32)
    longer[: len(sums)] = sums
    vectors = np.ascontiguousarray(vectors, "<f4")
    start = 0
    while start < len(vectors):
        group, filled = divmod(rows + start, GROUP_ROWS)
        part = vectors[start : start + GROUP_ROWS - filled]
        longer[group] = zlib.crc32(part.data, int(longer[group]))
        start += len(part)
    return longer


def damaged_groups(vectors: Vectors, sums: Sums, groups: NDArray[np.int64]) -> list[int]:
    """Return those of the groups whose rows do not match their checksum."""
    return [
        group
        for group in groups.tolist()
        if zlib.crc32(vectors[group * GROUP_ROWS : (group + 1) * GROUP_ROWS].data) != sums[group]
    ]


def sync_folder(folder: Path) -> None:
    """Sync a folder, which makes the names of new files durable, if the system can. Raises OSError."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
