"""What an image file comes down to, and what limits the work of finding that out."""

import re
import struct
from contextlib import suppress
from dataclasses import dataclass

from sketchy.errors import ImageError

MAX_BLOCKS = 1_000_000
"""Chunks, segments or blocks that are looked at; so many take most of a second."""

MAX_FRAMES = 32
"""Frames of an animation that are kept."""

MAX_TEXT = 1_000_000
"""Bytes to which compressed metadata is inflated; a colour profile may have eight times as many."""

_ORIENTATION = 274


@dataclass(frozen=True)
class Parts:
    """An image file taken apart.

    Attributes:
        still: a file of the same format, with the pixels of the first frame and hardly more.
        profile: ICC profile; None where there is none.
        orientation: as in EXIF, 1 to 8; 1 is upright.
        animation: a file with the first frames; None where there is only one.
    """

    still: bytes
    profile: bytes | None = None
    orientation: int = 1
    animation: bytes | None = None


def orientation_of(exif: bytes, xmp: bytes) -> int:
    """Read the orientation from EXIF, which begins as a TIFF does, else from XMP; 1 where neither has a good one."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is not None:
        with suppress(struct.error):
            (start,) = struct.unpack_from(order + "I", exif, 4)
            (number,) = struct.unpack_from(order + "H", exif, start)
            for position in range(start + 2, start + 2 + 12 * number, 12):
                tag, kind, count = struct.unpack_from(order + "HHI", exif, position)
                if tag == _ORIENTATION and count == 1 and kind in (3, 4):
                    (value,) = struct.unpack_from(order + ("H" if kind == 3 else "I"), exif, position + 8)
                    return value if 1 <= value <= 8 else 1
    found = re.search(rb'tiff:Orientation(?:="|>)([1-8])', xmp[:MAX_TEXT])
    return int(found[1]) if found else 1


def bound(count: int, limit: int, what: str) -> None:
    if count > limit:
        raise ImageError(f"too complicated: more than {limit:,} {what}")
