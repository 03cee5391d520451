"""PNG: chunks, each with a name and a checksum."""

import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress

from sketchy.containers.stripped import MAX_BLOCKS, MAX_FRAMES, MAX_TEXT, StrippedImage, check_limit
from sketchy.containers.tiff import read_orientation
from sketchy.errors import ImageError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = (b"IHDR", b"PLTE", b"tRNS")
"""The chunks before the pixels that these need."""
_METADATA = (b"acTL", b"iCCP", b"sRGB", b"eXIf")
_TEXT = (b"tEXt", b"zTXt", b"iTXt")
_INTERLACED = ((0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2))
"""First column, step between columns, first row and step between rows of the passes of an interlaced image."""


def strip_png(content: bytes) -> StrippedImage:
    """Keep the chunks with pixels and those that they need. Raises ImageError if there are none."""
    single: dict[bytes, memoryview] = {}  # the first chunk of each name; the first text of each keyword
    pixels: list[memoryview] = []
    frames: list[bytes] = []  # the chunks of an animation's frames
    count = 0
    for name, data in _chunks(content):
        count += name == b"fcTL"
        if name == b"IDAT":
            pixels.append(data)
        elif name in _TEXT:
            single.setdefault(bytes(data[:80]).partition(b"\0")[0], data)
        elif name in _HEADER or name in _METADATA:
            single.setdefault(name, data)
        if b"acTL" in single and name in (b"IDAT", b"fcTL", b"fdAT") and count <= MAX_FRAMES:
            frames.append(_chunk(name, data))
    if not pixels:
        raise ImageError("truncated" if b"IHDR" in single else "broken image data")
    animation = None
    if count:
        control = _chunk(b"acTL", struct.pack(">II", min(count, MAX_FRAMES), 0))
        animation = _assemble(single, control, *frames)
    still = _assemble(single, _chunk(b"IDAT", b"".join(pixels)))
    exif = bytes(single.get(b"eXIf", b"")).removeprefix(b"Exif\0\0") or _exif_in_text(single)
    return StrippedImage(still, _profile(single), read_orientation(exif, _xmp_in_text(single)), animation)


def complete_png(still: bytes) -> bytes | None:
    """Repair the end of a file that `strip_png` made; None if pixels are missing.

    The compressed pixels end in a checksum, which may be cut off or wrong.
    """
    chunks = dict(_chunks(still))
    size = _pixels_size(chunks[b"IHDR"])
    for packed in (chunks[b"IDAT"], chunks[b"IDAT"][:-4]):  # as it is, and without a checksum that could be wrong
        with suppress(zlib.error):
            pixels = zlib.decompressobj().decompress(packed, size)
            if len(pixels) == size:
                return _assemble(chunks, _chunk(b"IDAT", zlib.compress(pixels, 0)))
    return None


def _pixels_size(header: memoryview) -> int:
    """Return the size in bytes of the uncompressed pixels, of which each row begins with one more byte."""
    width, height, depth, color, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    size = 0
    for left, across, top, down in _INTERLACED if interlaced else [(0, 1, 0, 1)]:
        columns, rows = len(range(left, width, across)), len(range(top, height, down))
        size += rows * (1 + (columns * bits + 7) // 8) if columns else 0
    return size


def _chunks(content: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the names and data of the chunks; the last may be cut off. Checksums count only where pixels need them."""
    view = memoryview(content)
    position = len(_SIGNATURE)
    for _ in range(MAX_BLOCKS):
        if position + 8 > len(content):
            return
        length, name = struct.unpack_from(">I4s", content, position)
        data = view[position + 8 : position + 8 + length]
        position += 12 + length
        if name in (b"IHDR", b"PLTE") and content[position - 4 : position] != _checksum(name, data):
            raise ImageError("broken image data")
        if name == b"IEND":
            return
        yield name, data
    check_limit(MAX_BLOCKS + 1, MAX_BLOCKS, "chunks")


def _assemble(chunks: Mapping[bytes, memoryview], *pixels: bytes) -> bytes:
    header = [_chunk(name, chunks[name]) for name in _HEADER if name in chunks]
    return b"".join([_SIGNATURE, *header, *pixels, _chunk(b"IEND", b"")])


def _chunk(name: bytes, data: bytes | memoryview) -> bytes:
    return b"".join([struct.pack(">I", len(data)), name, data, _checksum(name, data)])


def _checksum(name: bytes, data: bytes | memoryview) -> bytes:
    return struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))


def _profile(chunks: Mapping[bytes, memoryview]) -> bytes | None:
    if b"sRGB" in chunks or b"iCCP" not in chunks:
        return None
    return _inflate(bytes(chunks[b"iCCP"]).partition(b"\0")[2][1:], 8 * MAX_TEXT)


def _inflate(packed: bytes, limit: int = MAX_TEXT) -> bytes:
    """Inflate metadata; empty if it is broken or larger than `limit` bytes."""
    with suppress(zlib.error):
        inflater = zlib.decompressobj()
        plain = inflater.decompress(packed, limit)
        return plain if inflater.eof else b""
    return b""


def _xmp_in_text(chunks: Mapping[bytes, memoryview]) -> bytes:
    text = bytes(chunks.get(b"XML:com.adobe.xmp", b"")).partition(b"\0")[2]
    packed = text[2:].split(b"\0", 2)[-1]
    return _inflate(packed) if text[:1] == b"\1" else packed


def _exif_in_text(chunks: Mapping[bytes, memoryview]) -> bytes:
    """Return EXIF as ImageMagick writes it: in hexadecimal, after three lines."""
    data = bytes(chunks.get(b"Raw profile type exif") or chunks.get(b"Raw profile type APP1") or b"")
    text = data.partition(b"\0")[2]
    lines = (_inflate(text[1:]) if text[:1] == b"\0" else text).split(b"\n")[3:]
    with suppress(ValueError):
        return bytes.fromhex(b"".join(lines).decode("ascii", "replace")).removeprefix(b"Exif\0\0")
    return b""
