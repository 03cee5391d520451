"""Decoding files alone: the lower bound of whatever begins with it."""

import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from PIL import Image


def decode_all(reads: Sequence[Callable[[], bytes]], size: int) -> None:
    """Read and decode images on all cores.

    Args:
        reads: Each returns the content of a file.
        size: Side in pixels that is wanted; a JPEG decoder may shrink to no less than twice of it.
    """

    def decode(read: Callable[[], bytes]) -> None:
        image = Image.open(io.BytesIO(read()))
        image.draft(None, (2 * size, 2 * size))
        image.load()

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(decode, reads))
