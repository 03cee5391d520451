"""TIFF: a directory of tags, some of which say where the pixels are."""

import struct
from contextlib import suppress

from sketchy.containers.parts import Parts, bound, orientation_of
from sketchy.errors import ImageError

MAX_STRIPS = 100_000
"""Strips or tiles of a TIFF."""

_UNITS = {1: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value by its type; text is never needed."""
_ORIENTATION, _SUB_FILES, _XMP, _PROFILE, _DNG, _LERC = 274, 330, 700, 34675, 50706, 50674


def read_tiff(content: bytes) -> Parts:
    order = "<" if content[:2] == b"II" else ">"
    entries, big = _directory(content, order)
    if _DNG in entries or content[8:10] == b"CR":
        raise ImageError("is a camera's raw file; export it as PNG first")
    entry = order + ("HHQ8s" if big else "HHI4s")
    kept = [
        struct.pack(entry, tag, kind, count, value)
        for tag, (kind, count, value, _) in entries.items()
        if (tag <= 532 or tag == _LERC) and tag not in (_ORIENTATION, _SUB_FILES)
    ]
    for tag in (273, 324):
        bound(entries[tag][1] if tag in entries else 0, MAX_STRIPS, "strips")
    padding = b"\0" * (-len(content) % 8)
    place = struct.pack(order + ("Q" if big else "I"), len(content) + len(padding))
    directory = struct.pack(order + ("Q" if big else "H"), len(kept)) + b"".join(kept) + b"\0" * 8
    head = content[:8] if big else content[:4]
    still = b"".join([head, place, memoryview(content)[len(head) + len(place) :], padding, directory])
    turned, xmp, profile = (entries[tag][3] if tag in entries else b"" for tag in (_ORIENTATION, _XMP, _PROFILE))
    orientation = int.from_bytes(turned, "little" if order == "<" else "big") if turned else orientation_of(b"", xmp)
    return Parts(still, profile or None, orientation)


def _directory(content: bytes, order: str) -> tuple[dict[int, tuple[int, int, bytes, bytes]], bool]:
    """Read type, count, field and data of the tags of the first page, and whether the file is a BigTIFF.

    Tags whose data is not all there are left out. Since data does not overlap, all of it is no longer than the file.
    """
    big = content[2:4] in (b"\x2b\0", b"\0\x2b")
    entry = struct.Struct(order + ("HHQ8s" if big else "HHI4s"))
    entries: dict[int, tuple[int, int, bytes, bytes]] = {}
    with suppress(struct.error):
        (start,) = struct.unpack_from(order + ("Q" if big else "I"), content, 8 if big else 4)
        (number,) = struct.unpack_from(order + ("Q" if big else "H"), content, start)
        start += 8 if big else 2
        budget = len(content)
        for position in range(start, start + entry.size * min(number, 65535), entry.size):
            tag, kind, count, value = entry.unpack_from(content, position)
            size = _UNITS.get(kind, 0) * count
            if 0 < size <= len(value):
                entries[tag] = kind, count, value, value[:size]
                continue
            (offset,) = struct.unpack(order + ("Q" if big else "I"), value)
            budget -= size
            if size > 0 and offset + size <= len(content) and budget >= 0:
                entries[tag] = kind, count, value, content[offset : offset + size]
    return entries, big
