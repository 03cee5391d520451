"""PNG: chunks, each with a name and a checksum."""

import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress

from sketchy.containers.parts import MAX_BLOCKS, MAX_FRAMES, MAX_TEXT, Parts, bound, orientation_of
from sketchy.errors import ImageError

_WANTED = frozenset((b"IHDR", b"PLTE", b"tRNS", b"acTL", b"iCCP", b"sRGB", b"eXIf"))
_PNG_HEAD = b"\x89PNG\r\n\x1a\n"


def read_png(content: bytes) -> Parts:
    single: dict[bytes, memoryview] = {}  # the first chunk of each name; of text, of each keyword
    pixels: list[memoryview] = []
    frames: list[bytes] = []  # of an animation, with what belongs to them
    count = 0
    for name, data in _chunks(content):
        count += name == b"fcTL"
        if name == b"IDAT":
            pixels.append(data)
        elif name in (b"tEXt", b"zTXt", b"iTXt"):
            single.setdefault(bytes(data[:80]).partition(b"\0")[0], data)
        elif name in _WANTED:
            single.setdefault(name, data)
        if b"acTL" in single and name in (b"IDAT", b"fcTL", b"fdAT") and count <= MAX_FRAMES:
            frames.append(_chunk(name, data))
    if not pixels:
        raise ImageError("truncated" if b"IHDR" in single else "broken image data")
    head = [_PNG_HEAD, *(_chunk(name, single[name]) for name in (b"IHDR", b"PLTE", b"tRNS") if name in single)]
    end = _chunk(b"IEND", b"")
    animation = None
    if count:
        control = _chunk(b"acTL", struct.pack(">II", min(count, MAX_FRAMES), 0))
        animation = b"".join([*head, control, *frames, end])
    still = b"".join([*head, _chunk(b"IDAT", b"".join(pixels)), end])
    exif = bytes(single.get(b"eXIf", b"")).removeprefix(b"Exif\0\0") or _exif_in_text(single)
    return Parts(still, _png_profile(single), orientation_of(exif, _xmp_in_text(single)), animation)


def _chunks(content: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield names and data; the last one may be cut short. Only what pixels cannot do without must be unbroken."""
    view = memoryview(content)
    position = len(_PNG_HEAD)
    for _ in range(MAX_BLOCKS):
        if position + 8 > len(content):
            return
        length, name = struct.unpack_from(">I4s", content, position)
        data = view[position + 8 : position + 8 + length]
        position += 12 + length
        if name in (b"IHDR", b"PLTE") and content[position - 4 : position] != struct.pack(">I", _crc(name, data)):
            raise ImageError("broken image data")
        if name == b"IEND":
            return
        yield name, data
    bound(MAX_BLOCKS + 1, MAX_BLOCKS, "chunks")


def _chunk(name: bytes, data: bytes | memoryview) -> bytes:
    return b"".join([struct.pack(">I", len(data)), name, data, struct.pack(">I", _crc(name, data))])


def _crc(name: bytes, data: bytes | memoryview) -> int:
    return zlib.crc32(data, zlib.crc32(name))


def _png_profile(single: Mapping[bytes, memoryview]) -> bytes | None:
    if b"sRGB" in single or b"iCCP" not in single:
        return None
    _, _, packed = bytes(single[b"iCCP"]).partition(b"\0")
    return _inflate(packed[1:], 8 * MAX_TEXT)


def _inflate(packed: bytes, limit: int = MAX_TEXT) -> bytes:
    """Inflate metadata; empty where it is broken or larger than the limit."""
    with suppress(zlib.error):
        inflater = zlib.decompressobj()
        plain = inflater.decompress(packed, limit)
        return plain if inflater.eof else b""
    return b""


def _xmp_in_text(single: Mapping[bytes, memoryview]) -> bytes:
    _, _, text = bytes(single.get(b"XML:com.adobe.xmp", b"")).partition(b"\0")
    packed = text[2:].split(b"\0", 2)[-1]
    return _inflate(packed) if text[:1] == b"\1" else packed


def _exif_in_text(single: Mapping[bytes, memoryview]) -> bytes:
    """Read EXIF as ImageMagick writes it: in hexadecimal, after three lines."""
    data = bytes(single.get(b"Raw profile type exif") or single.get(b"Raw profile type APP1") or b"")
    text = data.partition(b"\0")[2]
    lines = (_inflate(text[1:]) if text[:1] == b"\0" else text).split(b"\n")[3:]
    with suppress(ValueError):
        return bytes.fromhex(b"".join(lines).decode("ascii", "replace")).removeprefix(b"Exif\0\0")
    return b""


def complete_png(still: bytes) -> bytes | None:
    """Repair the end of a PNG of `take_apart` when no pixel is missing; None where one is.

    What ends a compressed stream is a checksum, which may be cut off or wrong.
    """
    chunks = dict(_chunks(still))
    width, height, depth, color, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    steps = [(0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2)]
    size = 0
    for left, across, top, down in steps if interlaced else [(0, 1, 0, 1)]:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        size += rows * (1 + (columns * bits + 7) // 8) if columns > 0 and rows > 0 else 0
    for packed in (chunks[b"IDAT"], chunks[b"IDAT"][:-4]):  # the latter has no checksum that could be wrong
        with suppress(zlib.error):
            pixels = zlib.decompressobj().decompress(packed, size)
            if len(pixels) == size:
                break
    else:
        return None
    kept = [_chunk(name, chunks[name]) for name in (b"IHDR", b"PLTE", b"tRNS") if name in chunks]
    return b"".join([_PNG_HEAD, *kept, _chunk(b"IDAT", zlib.compress(pixels, 0)), _chunk(b"IEND", b"")])
