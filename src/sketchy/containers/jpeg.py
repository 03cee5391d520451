"""JPEG: segments that begin with a marker; the pixels follow the segment that starts their scan."""

import re
from collections.abc import Iterator

from sketchy.containers.stripped import MAX_BLOCKS, StrippedImage, check_limit
from sketchy.containers.tiff import read_orientation
from sketchy.errors import ImageError

MAX_SCANS = 100
"""Most scans of a JPEG. A progressive one usually has about ten, and each goes over all pixels."""

_MARKER = re.compile(rb"\xff[\xc0-\xcf\xd9-\xfe]")
"""The start of a segment: neither a byte of pixels nor one of the restart markers between them."""
_SOS, _EOI, _JFIF, _EXIF, _ICC, _ADOBE = 0xDA, 0xD9, 0xE0, 0xE1, 0xE2, 0xEE
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_XMP_NAME = b"http://ns.adobe.com/xap/1.0/\0"


def strip_jpeg(content: bytes) -> StrippedImage:
    """Keep the tables and the scans. Raises ImageError if there is no scan, or too many."""
    kept = [b"\xff\xd8"]
    exif = xmp = b""
    profile: list[bytes] = []
    components, progressive = 0, False
    segments = _segments(content)
    for marker, start, end in segments:
        body = content[start + 4 : end]
        if marker == _SOS:
            if progressive or body[:1] < bytes([components]):  # otherwise this scan is the only one
                for scans, _ in enumerate((other for other, _, _ in segments if other == _SOS), start=2):
                    check_limit(scans, MAX_SCANS, "scans")
            still = b"".join([*kept, memoryview(content)[start:]])
            icc = b"".join(part[14:] for part in sorted(profile))
            return StrippedImage(still, icc or None, read_orientation(exif, xmp))
        if marker == _EXIF and body.startswith(b"Exif\0"):
            exif = exif or body[6:]
        elif marker == _EXIF and body.startswith(_XMP_NAME):
            xmp = xmp or body[len(_XMP_NAME) :]
        elif marker == _ICC and body.startswith(b"ICC_PROFILE\0"):
            profile.append(body)
        if marker < _JFIF or (marker == _JFIF and len(body) >= 14) or (marker == _ADOBE and len(body) >= 12):
            kept.append(content[start:end])
            check_limit(len(kept), 1000, "tables")
        if marker in _FRAMES:
            components, progressive = body[5] if len(body) > 5 else 0, marker in _PROGRESSIVE
    raise ImageError("truncated")


def _segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of every segment up to the end of the image, without the pixels between them."""
    position = 2
    for _ in range(MAX_BLOCKS):
        match = _MARKER.search(content, position)
        if match is None or content[match.end() - 1] == _EOI:
            return
        position = match.end() + max(2, int.from_bytes(content[match.end() : match.end() + 2]))
        yield content[match.end() - 1], match.start(), position
    check_limit(MAX_BLOCKS + 1, MAX_BLOCKS, "segments")


def complete_jpeg(content: bytes) -> list[bytes]:
    """Return copies of a JPEG that lacks its end marker, each completed with different bytes.

    Pixels that are missing are decoded from these bytes, so all copies look the same only if no pixel is missing. Each
    completion holds bits that begin differently, the next restart marker, which the decoder may expect, and such bits
    again. The list is empty if whole scans are missing, which no completion would reveal.
    """
    if _lacks_scans(content):
        return []
    content = content.rstrip(b"\xff")
    restarts = re.findall(rb"\xff[\xd0-\xd7]", content)
    restart = bytes([0xFF, 0xD0 + (restarts[-1][1] + 1) % 8 if restarts else 0xD0])
    bits = bytes(1 + 89 * index % 253 for index in range(512))
    fillings = (bytes([first]) + bits for first in (0x01, 0x55, 0x9A, 0xD3, 0xFE))
    return [content + filling + restart + filling + b"\xff\xd9" for filling in fillings]


def _lacks_scans(content: bytes) -> bool:
    """Return whether a progressive JPEG ends before the last bit of every coefficient."""
    missing: dict[tuple[int, int], int] = {}  # missing bits, by component and coefficient
    for marker, start, end in _segments(content):
        if marker in _PROGRESSIVE:
            missing = {(component, index): 1 for component in content[start + 10 : end : 3] for index in range(64)}
        elif marker == _SOS and missing:
            first, last, bits = content[end - 3 : end]
            for component in content[start + 5 : end - 3 : 2]:
                missing |= {(component, index): bits & 15 for index in range(first, min(last, 63) + 1)}
    return any(missing.values())
