"""Photos in the sizes that the page shows, cached in memory."""

import os
import threading
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import anyio
from cachetools import LRUCache
from PIL import Image
from starlette.exceptions import HTTPException

from sketchy.errors import ImageError
from sketchy.image import open_image
from sketchy.web.catalogue import Catalogue

CACHE_BYTES = 64_000_000
"""Size of the cache: about 3,000 thumbnails."""
THREADS = min(4, max(1, (os.cpu_count() or 1) // 2))
"""Number of photos decoded at the same time: a large one takes hundreds of megabytes, and queries need cores too."""
JPEG_QUALITY = 85


class Thumbnails:
    """JPEGs of the photos of a catalogue, with a cache of those used most recently."""

    def __init__(self, catalogue: Catalogue, cache_bytes: int = CACHE_BYTES) -> None:
        self._catalogue = catalogue
        self._cache: LRUCache[str, bytes] = LRUCache(cache_bytes, getsizeof=len)
        self._mutex = threading.Lock()
        self._limiter = anyio.CapacityLimiter(THREADS)

    async def get(self, photo: str, size: int) -> tuple[str, bytes]:
        """Return a version tag and the JPEG of a photo, shrunk to fit a square of `size` pixels if it is larger.

        Raises:
            HTTPException: The photo is unknown, missing, outside the gallery or not readable.
        """
        return await anyio.to_thread.run_sync(self._get, photo, size, limiter=self._limiter)

    async def convert(self, content: bytes, size: int) -> bytes:
        """Return the JPEG of an image that is not in the catalogue. Raises ImageError."""
        return await anyio.to_thread.run_sync(_render, content, size, limiter=self._limiter)

    def _get(self, photo: str, size: int) -> tuple[str, bytes]:
        source = self._catalogue.file_of(photo)
        tag = f"{photo}-{size}-{_version(source)}"
        with self._mutex:
            jpeg = self._cache.get(tag)
        if jpeg is None:
            try:
                jpeg = _render(source, size)
            except ImageError as error:
                raise HTTPException(404, f"this photo cannot be shown: {error}") from None
            with self._mutex, suppress(ValueError):  # the JPEG is larger than the whole cache
                self._cache[tag] = jpeg
        return tag, jpeg


def _version(source: Path | bytes) -> str:
    if isinstance(source, bytes):
        return f"{len(source):x}"
    try:
        status = source.stat()
    except OSError:
        raise HTTPException(404, "the file of this photo is gone") from None
    return f"{status.st_mtime_ns:x}-{status.st_size:x}"


def _render(source: Path | bytes, size: int) -> bytes:
    """Decode and encode again, so that neither metadata nor files that are not images are ever sent."""
    image = open_image(source, at_least=size)
    image.thumbnail((size, size), Image.Resampling.LANCZOS, reducing_gap=2.0)
    file = BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()
