"""Photos in the sizes that the page shows, made once and kept in memory."""

import os
import threading
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import anyio
from cachetools import LRUCache
from PIL import Image

from sketchy.errors import ImageError
from sketchy.image import open_image
from sketchy.web.catalogue import Catalogue
from sketchy.web.refusal import Refusal

ROOM = 64_000_000
"""Bytes of JPEG in the cache: some three thousand thumbnails."""
AT_ONCE = min(4, max(1, (os.cpu_count() or 1) // 2))
"""Photos decoded at the same time: a large one takes hundreds of megabytes, and the network needs cores too."""
QUALITY = 85


class Thumbnails:
    """JPEGs of the photos of a catalogue, the most recently used ones in memory."""

    def __init__(self, catalogue: Catalogue, room: int = ROOM) -> None:
        self._catalogue = catalogue
        self._cache: LRUCache[str, bytes] = LRUCache(room, getsizeof=len)
        self._mutex = threading.Lock()
        self._limiter = anyio.CapacityLimiter(AT_ONCE)

    async def get(self, photo: str, size: int) -> tuple[str, bytes]:
        """Return a tag of the version and the JPEG of a photo, within a square of `size` pixels; never enlarged.

        Raises:
            Refusal: The photo is unknown, gone, outside the gallery or broken.
        """
        return await anyio.to_thread.run_sync(self._get, photo, size, limiter=self._limiter)

    def _get(self, photo: str, size: int) -> tuple[str, bytes]:
        source = self._catalogue.file_of(photo)
        tag = f"{photo}-{size}-{_version(source)}"
        with self._mutex:
            jpeg = self._cache.get(tag)
        if jpeg is None:
            jpeg = _render(source, size)
            with self._mutex, suppress(ValueError):  # larger than the whole cache
                self._cache[tag] = jpeg
        return tag, jpeg


def _version(source: Path | bytes) -> str:
    if isinstance(source, bytes):
        return f"{len(source):x}"
    try:
        status = source.stat()
    except OSError:
        raise Refusal(404, "the file of this photo is gone") from None
    return f"{status.st_mtime_ns:x}-{status.st_size:x}"


def _render(source: Path | bytes, size: int) -> bytes:
    """Decode and encode again, so that files that are no images are never sent, nor the metadata of a photo."""
    try:
        image = open_image(source, at_least=size)
    except ImageError as error:
        raise Refusal(404, f"this photo cannot be shown: {error}") from None
    image.thumbnail((size, size), Image.Resampling.LANCZOS, reducing_gap=2.0)
    file = BytesIO()
    image.save(file, "JPEG", quality=QUALITY, progressive=True)
    return file.getvalue()
