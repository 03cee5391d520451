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
