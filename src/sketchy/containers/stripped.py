"""An image file without its metadata, and the limits on the work of removing it."""

from dataclasses import dataclass

from sketchy.errors import ImageError

MAX_BLOCKS = 1_000_000
"""Most chunks, segments or blocks of a file that are read, which takes almost a second."""

MAX_FRAMES = 32
"""Most frames of an animation that are kept."""

MAX_TEXT = 1_000_000
"""Largest size in bytes of inflated metadata; a colour profile may be eight times as large."""


@dataclass(frozen=True)
class StrippedImage:
    """An image file without its metadata.

    Attributes:
        still: A file of the same format that a decoder opens at its first frame.
        profile: ICC profile of the colours, or None.
        orientation: EXIF orientation, 1 to 8; 1 is upright.
        animation: A file with the first `MAX_FRAMES` frames; None if the image is not an animation.
    """

    still: bytes
    profile: bytes | None = None
    orientation: int = 1
    animation: bytes | None = None


def check_limit(count: int, limit: int, what: str) -> None:
    """Raise ImageError if a file has more than `limit` items, whose plural name is `what`."""
    if count > limit:
        raise ImageError(f"too complicated: more than {limit:,} {what}")
