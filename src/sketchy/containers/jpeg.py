"""JPEG: segments, of which each has a marker; the pixels follow those of their scan."""

import re
from collections.abc import Iterator

from sketchy.containers.parts import MAX_BLOCKS, Parts, bound, orientation_of
from sketchy.errors import ImageError

MAX_SCANS = 100
"""Scans of a JPEG: ordinary progressive ones have about ten, and each goes over all pixels."""

_MARKER = re.compile(rb"\xff[\xc0-\xcf\xd9-\xfe]")
"""Start of a segment: neither a byte of pixels nor a restart, of which there are many among them."""
_SOS, _EOI, _JFIF, _EXIF, _ICC, _ADOBE, _COMMENT = 0xDA, 0xD9, 0xE0, 0xE1, 0xE2, 0xEE, 0xFE
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_XMP_NAME = b"http://ns.adobe.com/xap/1.0/\0"


def read_jpeg(content: bytes) -> Parts:
    kept = [b"\xff\xd8"]
    exif = xmp = b""
    profile: list[bytes] = []
    components, progressive = 0, False
    segments = _segments(content)
    for marker, start, end in segments:
        body = content[start + 4 : end]
        if marker == _SOS:
            if progressive or body[:1] < bytes([components]):  # else there is one scan, and no need to look for more
                _refuse_many_scans(segments)
            still = b"".join([*kept, memoryview(content)[start:]])
            return Parts(still, b"".join(part[14:] for part in sorted(profile)) or None, orientation_of(exif, xmp))
        if marker == _EXIF and body.startswith(b"Exif\0"):
            exif = exif or body[6:]
        elif marker == _EXIF and body.startswith(_XMP_NAME):
            xmp = xmp or body[len(_XMP_NAME) :]
        elif marker == _ICC and body.startswith(b"ICC_PROFILE\0"):
            profile.append(body)
        if marker < _JFIF or (marker == _JFIF and len(body) >= 14) or (marker == _ADOBE and len(body) >= 12):
            kept.append(content[start:end])
            bound(len(kept), 1000, "tables")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            components, progressive = body[5] if len(body) > 5 else 0, marker in _PROGRESSIVE
    raise ImageError("truncated")


def _segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of every segment up to the end of the image; pixels are passed over."""
    position = 2
    for _ in range(MAX_BLOCKS):
        match = _MARKER.search(content, position)
        if match is None or content[match.end() - 1] == _EOI:
            return
        position = match.end() + max(2, int.from_bytes(content[match.end() : match.end() + 2]))
        yield content[match.end() - 1], match.start(), position
    bound(MAX_BLOCKS + 1, MAX_BLOCKS, "segments")


def _refuse_many_scans(segments: Iterator[tuple[int, int, int]]) -> None:
    scans = 1
    for marker, _, _ in segments:
        scans += marker == _SOS
        bound(scans, MAX_SCANS, "scans")


def with_ends(content: bytes) -> list[bytes]:
    """Return an unended JPEG with different ends: they show the same only where no pixel is missing.

    Each end has bits that begin in another way, the next restart, which may be what is awaited, and such bits again.
    There are none where whole scans are missing, which no end would show.
    """
    if _lacks_scans(content):
        return []
    content = content.rstrip(b"\xff")
    restarts = re.findall(rb"\xff[\xd0-\xd7]", content)
    restart = bytes([0xFF, 0xD0 + (restarts[-1][1] + 1) % 8 if restarts else 0xD0])
    bits = bytes(1 + 89 * place % 253 for place in range(512))
    fillings = (bytes([first]) + bits for first in (0x01, 0x55, 0x9A, 0xD3, 0xFE))
    return [content + filling + restart + filling + b"\xff\xd9" for filling in fillings]


def _lacks_scans(content: bytes) -> bool:
    """Tell whether a progressive JPEG ends before every coefficient is there to its last bit."""
    missing: dict[tuple[int, int], int] = {}  # bits, by component and coefficient
    for marker, start, end in _segments(content):
        if marker in _PROGRESSIVE:
            missing = {(name, place): 1 for name in content[start + 10 : end : 3] for place in range(64)}
        elif marker == _SOS and missing:
            first, last, bits = content[end - 3 : end]
            for name in content[start + 5 : end - 3 : 2]:
                missing |= {(name, place): bits & 15 for place in range(first, min(last, 63) + 1)}
    return any(missing.values())
