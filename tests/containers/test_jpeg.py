import struct
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sketchy.errors import ImageError
from sketchy.image import image_size, open_image

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))


def encode(**options: Any) -> bytes:
    file = BytesIO()
    NOISE.save(file, "JPEG", **options)
    return file.getvalue()


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


PLAIN = encode()
PIXELS = np.asarray(open_image(PLAIN))


@pytest.mark.parametrize(
    "extra",
    [
        segment(0xE0, b"JFIF\0"),
        segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12\0\x03\0\0\0\x05\xff\xff\xff\xff"),
        segment(0xE1, b"Exif\0\0II*\0" + b"\xff" * 60_000) * 40,
        segment(0xE1, b"Exif"),
        segment(0xE2, b"ICC_PROFILE\0"),
        segment(0xE2, b"ICC_PROFILE\0\x01\x09" + b"?" * 3000),
        segment(0xED, b"Photoshop 3.0\x008BIM\x04"),
        segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\xff"),
        segment(0xE2, b"MPF\0MM"),
        segment(0xEE, b"Adobe"),
        segment(0xFE, b""),
        segment(0xFE, b"x") * 20_000,
        b"\xff\xff\xff",
    ],
)
def test_odd_metadata_neither_prevents_opening_nor_changes_pixels(extra):
    for at in (2, 20):
        content = PLAIN[:at] + extra + PLAIN[at:]
        assert np.array_equal(np.asarray(open_image(content)), PIXELS)
        assert image_size(content) == NOISE.size


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}])
def test_a_jpeg_with_all_its_pixels_opens_without_an_end(options):
    content = encode(**options)
    pixels = np.asarray(open_image(content))
    for whole in (content[:-2], content[:-1], content + bytes(5000), content[:-2] + bytes(300)):
        assert np.array_equal(np.asarray(open_image(whole)), pixels)
    for cut in (4, 22, len(content) // 3):
        with pytest.raises(ImageError, match=r"^truncated$"):
            open_image(content[:-cut])


def test_a_jpeg_with_too_many_scans_is_refused_before_it_is_decoded():
    content = encode(progressive=True)
    last = content[content.rindex(b"\xff\xda") : -2]
    assert open_image(content[:-2] + last * 50 + content[-2:]).size == NOISE.size
    for many in (last * 100, (segment(0xFE, b"\xff\xd9") + last) * 100):
        with pytest.raises(ImageError, match=r"^too complicated: more than 100 scans$"):
            open_image(content[:-2] + many + content[-2:])


def test_data_after_the_end_does_not_count_as_scans():
    content = encode(progressive=True)
    assert open_image(content + b"\xff\xda\0\x08" * 5000).size == NOISE.size


def test_too_many_tables_are_refused():
    with pytest.raises(ImageError, match=r"^too complicated: more than 1,000 tables$"):
        open_image(PLAIN[:2] + segment(0xC4, b"") * 2000 + PLAIN[2:])


def test_orientation_comes_from_xmp_if_exif_has_none():
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation='1' tiff:Orientation=\"8\"/>"
    assert open_image(PLAIN[:2] + segment(0xE1, xmp) + PLAIN[2:]).size == (40, 60)
