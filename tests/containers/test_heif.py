import struct
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms
from pillow_heif import from_bytes, from_pillow

from sketchy.errors import ImageError
from sketchy.image import image_size, open_image

CORNER = Image.new("RGB", (80, 60))
CORNER.paste((255, 0, 0), (0, 0, 40, 30))  # so that every orientation differs
FORMATS = ("HEIF", "AVIF")


def encode(image_format: str, image: Image.Image = CORNER, **options: Any) -> bytes:
    file = BytesIO()
    if image_format == "HEIF":
        from_pillow(image).save(file, quality=95, chroma=444, **options)
    else:
        image.save(file, "AVIF", quality=95, subsampling="4:4:4", **options)
    return file.getvalue()


def assert_near(content: bytes, expected: Image.Image, tolerance: int = 12) -> None:
    opened = open_image(content)
    assert opened.size == expected.size
    assert (
        np.abs(np.asarray(opened.convert("RGB")).astype(int) - np.asarray(expected.convert("RGB"))).mean()
        < tolerance / 4
    )


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_applied_once(image_format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x112] = orientation
    turned = BytesIO()
    CORNER.save(turned, "PNG", exif=exif)
    assert_near(encode(image_format, CORNER, exif=exif.tobytes()), open_image(turned.getvalue()))


@pytest.mark.parametrize("image_format", FORMATS)
def test_an_icc_profile_is_applied(image_format: str) -> None:
    swapped = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    swapped[:] = swapped.replace(b"rXYZ", b"tXYZ").replace(b"gXYZ", b"rXYZ").replace(b"tXYZ", b"gXYZ")
    green = Image.new("RGB", (16, 16), (0, 255, 0))
    assert_near(encode(image_format, Image.new("RGB", (16, 16), (255, 0, 0)), icc_profile=bytes(swapped)), green)


@pytest.mark.parametrize("image_format", FORMATS)
def test_colours_that_are_described_by_code_points_are_converted(image_format: str) -> None:
    content = encode(image_format, Image.new("RGB", (16, 16), (200, 100, 50)))
    assert b"colrnclx" in content
    start = content.index(b"colrnclx") + 8
    wide = content[:start] + struct.pack(">HH", 12, 13) + content[start + 4 :]
    assert_near(wide, Image.new("RGB", (16, 16), (215, 93, 31)))


def test_ten_bits_are_scaled_to_eight() -> None:
    levels = np.full((16, 16, 3), 40000, np.uint16)
    file = BytesIO()
    from_bytes("RGB;16", (16, 16), levels.tobytes()).save(file, quality=95)
    assert_near(file.getvalue(), Image.new("RGB", (16, 16), (156, 156, 156)))


@pytest.mark.parametrize("image_format", FORMATS)
def test_transparent_pixels_become_white(image_format: str) -> None:
    assert_near(encode(image_format, Image.new("RGBA", (16, 16), (0, 0, 0, 0))), Image.new("RGB", (16, 16), "white"))


@pytest.mark.parametrize("image_format", FORMATS)
def test_the_metadata_is_hidden_from_the_decoder(image_format: str) -> None:
    content = encode(image_format, exif=b"Exif\0\0MM\0*" + b"\xff" * 500, xmp=b"<x>" * 300)
    assert_near(content, CORNER)


@pytest.mark.parametrize("image_format", FORMATS)
def test_too_many_pixels_are_refused_before_they_are_decoded(
    image_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = encode(image_format)
    monkeypatch.setattr("sketchy.image.MAX_PIXELS", 4799)
    pixels = content.index(b"mdat") + 4
    with pytest.raises(ImageError, match=r"^too large: 80x60 pixels"):
        open_image(content[:pixels] + bytes(len(content) - pixels))


def test_a_heif_whose_header_claims_fewer_pixels_than_there_are_is_refused() -> None:
    content = encode("HEIF")
    position = content.index(b"ispe") + 8
    with pytest.raises(ImageError, match=r"^broken image data$"):
        open_image(content.replace(content[position : position + 8], struct.pack(">II", 16, 16)))


@pytest.mark.parametrize("animated", [False, True])
def test_an_avif_with_more_pixels_than_its_header_claims_is_refused_before_they_are_decoded(animated: bool) -> None:
    large = Image.new("RGB", (1200, 900))
    content = encode("AVIF", large, save_all=animated, append_images=[large] * animated)
    assert_near(content, large)
    position = content.index(b"ispe") + 8
    with pytest.raises(ImageError, match=r"^its pixels are 1200x900, its header claims 16x16$"):
        image_size(content.replace(content[position : position + 8], struct.pack(">II", 16, 16)))


@pytest.mark.parametrize("image_format", FORMATS)
def test_broken_files_are_errors_and_never_more(image_format: str) -> None:
    content = encode(image_format)
    draw = np.random.default_rng(0)
    failed = 0
    for _ in range(150):
        broken = bytearray(content[: draw.integers(20, len(content) + 1)] if draw.random() < 0.3 else content)
        for position in draw.integers(0, len(broken), draw.integers(1, 6)):
            broken[position] = draw.integers(256)
        try:
            assert open_image(bytes(broken)).mode in ("L", "RGB")
        except ImageError:
            failed += 1
    assert failed > 20


@pytest.mark.parametrize("image_format", FORMATS)
def test_the_size_is_known_without_decoding(image_format: str) -> None:
    assert image_size(encode(image_format)) == (80, 60)
