"""Reading a photo's file for the index, and telling whether it has changed."""

import hashlib
import stat
import time
from pathlib import Path

from sketchy.errors import ImageError
from sketchy.retrieval.dates import date_taken, local_seconds
from sketchy.retrieval.scan import PhotoFile
from sketchy.retrieval.store.base import Photo
from sketchy.storage import os_reason

MAX_FILE_BYTES = 256 * 2**20
"""Larger files are skipped, since reading them could exhaust the memory."""
FRESH_NS = 2 * 10**9
"""A file changed less than this ago could change again within the clock's resolution, so its time is not stored."""


def is_unchanged(known: Photo | None, file: PhotoFile) -> bool:
    """Return whether a file has the size and time that the store has recorded, and the category."""
    if known is None or known.category != file.category:
        return False
    try:
        status = Path(file.path).stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (known.size, known.mtime_ns)


def read_photo(file: PhotoFile) -> tuple[bytes, Photo]:
    """Return the content of a file and its entry for the store. Raises ImageError."""
    try:
        status = Path(file.path).stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("is a folder" if stat.S_ISDIR(status.st_mode) else "is not a regular file")
        if status.st_size > MAX_FILE_BYTES:
            raise ImageError(f"too large: {status.st_size >> 20:,} MB, at most {MAX_FILE_BYTES >> 20}")
        content = Path(file.path).read_bytes()
    except OSError as error:
        raise ImageError(os_reason(error).lower()) from None
    # The time was taken before reading, so a change during the read is noticed by the next update.
    mtime = 0 if abs(time.time_ns() - status.st_mtime_ns) < FRESH_NS else status.st_mtime_ns
    digest = hashlib.sha256(content).hexdigest()
    taken = date_taken(content)
    if taken is None:
        taken = local_seconds(status.st_mtime_ns)
    return content, Photo(file.path, status.st_size, mtime, digest, file.category, taken)
