import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sketchy.errors import ImageError
from sketchy.image import image_size, open_image

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))


def encode(image: Image.Image, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def chunk(name: bytes, data: bytes, wrong: int = 0) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data) ^ wrong)


PLAIN = encode(NOISE)
LARGE = zlib.compress(bytes(range(256)) * 10_000)


def same(content: bytes) -> bool:
    return np.array_equal(np.asarray(open_image(content)), np.asarray(NOISE)) and image_size(content) == NOISE.size


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"zTXt", b"scene\0\0" + LARGE),
        chunk(b"iTXt", b"scene\0\1\0\0\0" + LARGE),
        chunk(b"tEXt", b"scene\0" + b"x" * 3_000_000),
        chunk(b"iCCP", b"scanner\0\0" + LARGE),
        chunk(b"iCCP", b"no end"),
        chunk(b"eXIf", b"MM\0*\0\0\xff\xff"),
        chunk(b"zTXt", b"a\0\0" + LARGE) * 70,
        chunk(b"tEXt", b"") * 20_000,
        chunk(b"tEXt", b"Software\0own", wrong=1),
        chunk(b"gAMA", b"\0", wrong=1) + chunk(b"cHRM", b"") + chunk(b"pHYs", b"1") + chunk(b"sRGB", b""),
        chunk(b"acTL", b"1") + chunk(b"fcTL", b"2"),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + LARGE),
        chunk(b"vpAg", b"?", wrong=9),
    ],
)
def test_odd_metadata_never_prevents_opening(extra):
    assert same(PLAIN[:33] + extra + PLAIN[33:])
    assert same(PLAIN[:-12] + extra + PLAIN[-12:])
    assert same(PLAIN[:-12] + extra[: len(extra) // 2])  # cut off within it


@pytest.mark.parametrize("interlaced", [False, True])
def test_a_png_with_all_its_pixels_opens_without_an_end(interlaced):
    content = PLAIN
    if interlaced:  # Pillow writes none: every pass, made by hand
        rows = np.asarray(NOISE)
        steps = [(0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2)]
        passes = [rows[top::down, left::across] for left, across, top, down in steps]
        lines = b"".join(b"\0" + line.tobytes() for part in passes for line in part)
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60, 40, 8, 2, 0, 0, 1))
        content = PLAIN[:8] + head + chunk(b"IDAT", zlib.compress(lines)) + PLAIN[-12:]
    assert same(content)
    assert same(content[:-12])  # no end
    assert same(content[:-16])  # no checksum of the chunk
    assert same(content[:-20])  # no checksum of the pixels
    assert same(content[:-20] + b"\1\2\3\4" + content[-16:])  # a wrong one
    assert same(content + b"\0" * 5000)
    with pytest.raises(ImageError, match=r"^(truncated|broken image data)$"):
        open_image(content[:-30])


def test_a_wrong_checksum_of_the_header_is_an_error():
    with pytest.raises(ImageError, match=r"^broken image data$"):
        open_image(PLAIN[:30] + b"\1\2\3" + PLAIN[33:])


def test_data_beyond_the_last_pixel_is_not_inflated():
    packed = zlib.compress(bytes(40 * 181) + bytes(30_000_000), 9)
    opened = open_image(PLAIN[:33] + chunk(b"IDAT", packed) + PLAIN[-12:])
    assert opened.size == NOISE.size


def test_too_many_chunks_are_refused_with_the_limit():
    with pytest.raises(ImageError, match=r"^too complicated: more than 1,000,000 chunks$"):
        open_image(PLAIN[:33] + chunk(b"tEXt", b"") * 1_000_001 + PLAIN[33:])


def test_orientation_is_read_from_every_chunk_that_programs_use():
    exif = Image.Exif()
    exif[0x112] = 6
    written = b"\nexif\n  34\n" + exif.tobytes().hex().encode()
    xmp = b'<rdf:Description tiff:Orientation="6"/>'
    for extra in (
        chunk(b"eXIf", exif.tobytes()[6:]),
        chunk(b"tEXt", b"Raw profile type exif\0" + written),
        chunk(b"zTXt", b"Raw profile type APP1\0\0" + zlib.compress(written)),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp)),
    ):
        assert open_image(PLAIN[:-12] + extra + PLAIN[-12:]).size == (40, 60)
