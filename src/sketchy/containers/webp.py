"""WebP: chunks in a RIFF file."""

import struct

from sketchy.containers.stripped import MAX_BLOCKS, MAX_FRAMES, StrippedImage
from sketchy.containers.tiff import read_orientation
from sketchy.errors import ImageError


def strip_webp(content: bytes) -> StrippedImage:
    """Keep the chunks with pixels. Raises ImageError if one of them is cut off."""
    kept: list[bytes | memoryview] = []
    metadata: dict[bytes, bytes] = {}
    frames = 0
    position = 12
    view = memoryview(content)
    for _ in range(MAX_BLOCKS):
        if position + 8 > len(content) or frames == MAX_FRAMES:
            break
        name, length = struct.unpack_from("<4sI", content, position)
        data = view[position + 8 : position + 8 + length]
        position += 8 + length + length % 2
        frames += name == b"ANMF"
        if name == b"VP8X" and length >= 10:
            kept += [name, struct.pack("<IB", 10, data[0] & 0x12), data[1:10]]  # flags: alpha and animation
        elif name in (b"ALPH", b"VP8 ", b"VP8L", b"ANIM", b"ANMF"):
            if len(data) < length:
                raise ImageError("truncated")
            kept += [name, struct.pack("<I", length), data, b"\0" * (length % 2)]
        else:
            metadata.setdefault(name, bytes(data))
    body = b"".join([b"WEBP", *kept])
    still = b"".join([b"RIFF", struct.pack("<I", len(body)), body])
    orientation = read_orientation(metadata.get(b"EXIF", b"").removeprefix(b"Exif\0\0"), metadata.get(b"XMP ", b""))
    return StrippedImage(still, metadata.get(b"ICCP"), orientation, still if frames > 1 else None)
