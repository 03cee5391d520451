"""HEIF and AVIF: boxes in boxes; a table lists the items of the file, of which one is the picture."""

import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO

from PIL.AvifImagePlugin import AvifImageFile
from PIL.ImageFile import ImageFile

from sketchy.color import coded_profile
from sketchy.containers.av1 import coded_sizes
from sketchy.containers.stripped import MAX_BLOCKS, StrippedImage, check_limit
from sketchy.errors import ImageError

HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
AVIF_BRANDS = frozenset({b"avif", b"avis"})
CONTAINER_BRANDS = frozenset({b"mif1", b"msf1", b"mif2"})
"""Brands of files that may hold pixels of any codec; the brands of AVIF name it, and else it is HEVC."""

_METADATA = (b"Exif", b"mime", b"uri ")
_ORIENTATION = 0x112
_TILE_PIXELS = 2**20
"""Pixels that a tile of an image may have, even if the image is smaller."""

Box = tuple[bytes, int, int]
"""The name of a box, and start and end of its content."""


def is_avif(head: bytes) -> bool:
    """Return whether a file that begins like this is AVIF."""
    return bool(_brands(head) & AVIF_BRANDS)


def is_heif(head: bytes) -> bool:
    """Return whether a file that begins like this is HEIF, but not AVIF."""
    return not is_avif(head) and bool(_brands(head) & HEIF_BRANDS or _brands(head[:16]) & CONTAINER_BRANDS)


def open_heif(file: BytesIO, name: str) -> ImageFile:
    """Open a HEIF, as the decoders of Pillow do. The package is large, so it is imported when such a file is met."""
    from pillow_heif import HeifImageFile

    decoder: Callable[[BytesIO, str], ImageFile] = HeifImageFile
    return decoder(file, name)


def strip_heif(content: bytes) -> StrippedImage:
    """Hide the metadata. The decoder turns the pixels upright itself, so the orientation in EXIF does not count."""
    still = _hide_metadata(content)
    profile = open_heif(BytesIO(still), "").info.get("icc_profile")
    return StrippedImage(still, profile or _coded_profile(content))


def strip_avif(content: bytes) -> StrippedImage:
    """Hide the metadata. Without EXIF, the decoder gives the orientation of the pixels as that of EXIF.

    An animation is opened at its still image, the only one whose size is checked here.

    Raises:
        ImageError: The pixels are more than the header claims, which the decoder would notice after decoding them.
    """
    still = _hide_metadata(content[:8] + b"avif" + content[12:])
    image = AvifImageFile(BytesIO(still), "")
    _refuse_more_pixels(content, image.size)
    orientation = image.getexif().get(_ORIENTATION, 1)
    return StrippedImage(still, image.info.get("icc_profile") or _coded_profile(content), orientation)


def _brands(head: bytes) -> set[bytes]:
    if head[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(head[:4]), len(head))
    return {head[8:12], *(head[start : start + 4] for start in range(16, end, 4))}


def _hide_metadata(content: bytes) -> bytes:
    """Rename the items that hold metadata to a type that no decoder knows; the addresses of the others stay valid."""
    hidden = bytearray(content)
    for name, start, _ in _children(content, b"meta", b"iinf"):
        with suppress(IndexError):
            position = start + (8 if content[start] < 3 else 10)  # after the number of the item, which is longer then
            if name == b"infe" and content[start] >= 2 and content[position : position + 4] in _METADATA:
                hidden[position : position + 4] = b"skip"
    return bytes(hidden)


def _refuse_more_pixels(content: bytes, claimed: tuple[int, int]) -> None:
    """Raise ImageError if AV1 data announces more pixels than the header of the file."""
    units = (size for data in _coded_items(content) for size in coded_sizes(data))
    for count, size in enumerate(units):
        check_limit(count, MAX_BLOCKS, "units of AV1 data")
        if size is not None and size[0] * size[1] > max(claimed[0] * claimed[1], _TILE_PIXELS):
            raise ImageError("its pixels are {}x{}, its header claims {}x{}".format(*size, *claimed))


def _coded_items(content: bytes) -> Iterator[bytes]:
    """Yield the data of the items that are AV1."""
    coded, total = set(), 0
    for name, start, _ in _children(content, b"meta", b"iinf"):
        wide = content[start] > 2
        if name == b"infe" and content[start + (10 if wide else 8) :][:4] == b"av01":
            coded.add(int.from_bytes(content[start + 4 : start + (8 if wide else 6)]))
    idat = next((start for name, start, _ in _children(content, b"meta") if name == b"idat"), 0)
    for number, in_idat, parts in _locations(content):
        if number in coded:
            starts = [idat * in_idat + offset for offset, _ in parts]
            data = b"".join(content[start : start + length] for start, (_, length) in zip(starts, parts, strict=True))
            total += len(data)
            check_limit(total, len(content), "bytes in its items")
            yield data


def _locations(content: bytes) -> Iterator[tuple[int, bool, list[tuple[int, int]]]]:
    """Yield the number of each item, whether its data are in box `idat`, and offset and length of their parts."""
    start = next((start for name, start, _ in _children(content, b"meta") if name == b"iloc"), None)
    if start is None:
        return
    file = BytesIO(content[start:])

    def take(size: int) -> int:
        return int.from_bytes(file.read(size))

    version, sizes = take(4) >> 24, take(2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    number_size = 4 if version == 2 else 2
    for _ in range(take(number_size)):
        number = take(number_size)
        in_idat = bool(version) and take(2) & 15 == 1
        take(2)
        base = take(base_size)
        parts = [(take(index_size), take(offset_size), take(length_size)) for _ in range(take(2))]
        yield number, in_idat, [(base + offset, length or len(content)) for _, offset, length in parts]


def _coded_profile(content: bytes) -> bytes | None:
    """Return a profile for the first colours that are described by code points."""
    for name, start, end in _children(content, b"meta", b"iprp", b"ipco"):
        if name == b"colr" and content[start : start + 4] == b"nclx" and end - start >= 8:
            return coded_profile(*struct.unpack_from(">HH", content, start + 4))
    return None


def _children(content: bytes, *path: bytes) -> Iterator[Box]:
    """Yield the boxes inside the box that this path of names leads to."""
    start, end = 0, len(content)
    for name in path:
        found = next((box for box in _boxes(content, start, end) if box[0] == name), None)
        if found is None:
            return
        _, start, end = found
        if name == b"meta":
            start += 4
        elif name == b"iinf":
            start += 6 if content[start : start + 1] == b"\0" else 8  # the count of the items is longer then
    yield from _boxes(content, start, end)


def _boxes(content: bytes, start: int, end: int) -> Iterator[Box]:
    for _ in range(MAX_BLOCKS):
        if start + 16 > end:
            return
        size, name, long_size = struct.unpack_from(">I4sQ", content, start)
        header = 16 if size == 1 else 8
        size = long_size if size == 1 else size or end - start
        if size < header:
            return
        yield name, start + header, min(start + size, end)
        start += size
