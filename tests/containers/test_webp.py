import struct
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
    image.save(file, "WEBP", **options)
    return file.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


WITH_EXIF = encode(NOISE, lossless=True, exif=b"Exif\0\0MM\0*" + b"\xff" * 5000, xmp=b"<x>" * 3000)


@pytest.mark.parametrize(
    "content",
    [
        WITH_EXIF,
        WITH_EXIF[:-2000],
        WITH_EXIF[:-9500],
        WITH_EXIF + b"trailing",
        WITH_EXIF + chunk(b"XMP ", b"?") * 1000,
        encode(NOISE, lossless=True) + chunk(b"JUNK", b"?"),
        WITH_EXIF[:4] + b"\xff\xff\0\0" + WITH_EXIF[8:],
    ],
)
def test_odd_metadata_and_lengths_never_prevent_opening(content):
    assert np.array_equal(np.asarray(open_image(content)), np.asarray(NOISE))
    assert image_size(content) == NOISE.size


def test_missing_pixels_are_an_error():
    with pytest.raises(ImageError, match=r"^truncated$"):
        open_image(encode(NOISE)[:-20])


def test_transparency_is_kept_beside_metadata():
    clear = Image.new("RGBA", (8, 8), (9, 9, 9, 0))
    assert open_image(encode(clear, exif=b"Exif\0\0II")).getpixel((0, 0)) == (255, 255, 255)
