"""TIFF, and EXIF, which has the same structure: a directory of tags, some of which say where the pixels are."""

import re
import struct
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from sketchy.containers.stripped import MAX_TEXT, StrippedImage, check_limit
from sketchy.errors import ImageError

MAX_STRIPS = 100_000
"""Most strips or tiles of a TIFF."""

_SIZES = {1: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Size in bytes of a value, by its type; text (type 2) is never needed."""
_ORIENTATION, _SUB_FILES, _XMP, _PROFILE, _DNG, _LERC = 274, 330, 700, 34675, 50706, 50674
_STRIPS, _TILES, _PHOTOMETRIC, _IS_PREVIEW = 273, 324, 262, 254
_SENSOR = (32803, 34892)
"""Photometric interpretations: the raw levels of a sensor with filters in three colours, or of its three channels."""
_CHANNELS, _SAMPLE_FORMAT, _FLOAT = 277, 339, 3
"""The last is the sample format of floating-point numbers."""


class _Tag(NamedTuple):
    """A tag: the type and number of its values, the field of its entry, and the bytes of its values."""

    type: int
    values: int
    field: bytes
    data: bytes


def strip_tiff(content: bytes) -> StrippedImage:
    """Append a directory of the first page with only the tags that its pixels need. Raises ImageError."""
    order, long, entry = _structure(content)
    tags = _read_tags(content)
    if _number(tags.get(_CHANNELS), order) > 1 and _number(tags.get(_SAMPLE_FORMAT), order) == _FLOAT:
        raise ImageError("is a TIFF with floating-point colours; export it as PNG first")
    for name in (_STRIPS, _TILES):
        check_limit(tags[name].values if name in tags else 0, MAX_STRIPS, "strips")
    kept = [
        entry.pack(name, tag.type, tag.values, tag.field)
        for name, tag in tags.items()
        if (name <= 532 or name == _LERC) and name not in (_ORIENTATION, _SUB_FILES)
    ]
    padding = b"\0" * (-len(content) % 8)
    address = struct.pack(order + long, len(content) + len(padding))
    count = struct.pack(order + ("Q" if long == "Q" else "H"), len(kept))
    head = content[: len(address)]  # up to the address of the first directory
    pixels = memoryview(content)[len(head) + len(address) :]
    still = b"".join([head, address, pixels, padding, count, *kept, b"\0" * 8])
    profile = tags[_PROFILE].data if _PROFILE in tags else None
    return StrippedImage(still, profile, _orientation(tags, order, tags[_XMP].data if _XMP in tags else b""))


def is_raw_tiff(head: bytes) -> bool:
    """Return whether a file that begins like this is a TIFF with the pixels of a camera's sensor."""
    if head[:4] not in (b"II*\0", b"MM\0*"):
        return False
    tags = _read_tags(head)
    kind = _number(tags.get(_PHOTOMETRIC), _structure(head)[0])
    preview_first = _SUB_FILES in tags and _IS_PREVIEW in tags and any(tags[_IS_PREVIEW].data)
    return head[8:10] == b"CR" or _DNG in tags or kind in _SENSOR or preview_first


def read_orientation(exif: bytes, xmp: bytes) -> int:
    """Return the orientation, 1 to 8, from EXIF, else from XMP; 1 (upright) if neither has a valid one."""
    return _orientation(_read_tags(exif) if exif[:2] in (b"II", b"MM") else {}, _structure(exif)[0], xmp)


def _orientation(tags: Mapping[int, _Tag], order: str, xmp: bytes) -> int:
    tag = tags.get(_ORIENTATION)
    if tag and tag.values == 1 and tag.type in (3, 4):
        value = _number(tag, order)
        return value if 1 <= value <= 8 else 1
    found = re.search(rb'tiff:Orientation(?:="|>)([1-8])', xmp[:MAX_TEXT])
    return int(found[1]) if found else 1


def _number(tag: _Tag | None, order: str) -> int:
    """Return the first value of a tag of integers; 0 without a tag."""
    return int.from_bytes(tag.data[: _SIZES[tag.type]], "little" if order == "<" else "big") if tag else 0


def _structure(content: bytes) -> tuple[str, str, struct.Struct]:
    """Return, as formats of `struct`, the byte order, an address (longer in a BigTIFF), and an entry of a directory."""
    order = "<" if content[:2] == b"II" else ">"
    long = "Q" if content[2:4] in (b"\x2b\0", b"\0\x2b") else "I"
    return order, long, struct.Struct(f"{order}HH{long}{struct.calcsize(long)}s")


def _read_tags(content: bytes) -> dict[int, _Tag]:
    """Read the tags of the first page, without those whose data is missing or together exceeds the file."""
    order, long, entry = _structure(content)
    tags: dict[int, _Tag] = {}
    with suppress(struct.error):
        (start,) = struct.unpack_from(order + long, content, 8 if long == "Q" else 4)
        (count,) = struct.unpack_from(order + ("Q" if long == "Q" else "H"), content, start)
        start += 8 if long == "Q" else 2
        budget = len(content)
        for position in range(start, start + entry.size * min(count, 65535), entry.size):
            name, kind, values, field = entry.unpack_from(content, position)
            size = _SIZES.get(kind, 0) * values
            if 0 < size <= len(field):
                tags[name] = _Tag(kind, values, field, field[:size])
                continue
            (offset,) = struct.unpack(order + long, field)
            budget -= size
            if size > 0 and offset + size <= len(content) and budget >= 0:
                tags[name] = _Tag(kind, values, field, content[offset : offset + size])
    return tags
