from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from sketchy.color import to_srgb
from sketchy.image import open_image

COLOR = (200, 100, 50)
LINEAR = (229, 168, 124)  # COLOR, when its numbers are amounts of light, in sRGB
PLAIN = Image.new("RGB", (16, 16), COLOR)


def encode(image: Image.Image, image_format: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def color_of(content: bytes) -> tuple[int, ...]:
    return tuple(np.asarray(open_image(content).convert("RGB"))[8, 8].tolist())


@pytest.mark.parametrize(
    ("name", "expected"), [("swapped", (46, 201, 100)), ("linear", LINEAR), ("like sRGB", (201, 100, 46))]
)
@pytest.mark.parametrize(
    ("image_format", "options"),
    [("JPEG", {"quality": 100, "subsampling": 0}), ("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})],
)
def test_colours_of_another_profile_become_srgb(profiles, name, expected, image_format, options):
    content = encode(PLAIN, image_format, icc_profile=profiles[name], **options)
    np.testing.assert_allclose(color_of(content), expected, atol=3)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA"])
def test_every_mode_of_pixels_is_converted(profiles, mode):
    grey = Image.new("RGB", (16, 16), (100, 100, 100)).convert(mode)
    content = encode(grey, "PNG", icc_profile=profiles["linear"])
    np.testing.assert_allclose(color_of(content), (168, 168, 168), atol=2)


@pytest.mark.parametrize(
    "image", [Image.new("L", (16, 16), 100), Image.fromarray(np.full((16, 16), 25_700, np.uint16))]
)
def test_a_grey_profile_applies_to_8_and_16_bits(profiles, image):
    opened = open_image(encode(image, "PNG", icc_profile=profiles["grey"]))
    assert opened.mode == "L"
    assert abs(opened.getpixel((3, 3)) - 168) <= 2


@pytest.mark.parametrize("image_format", ["JPEG", "TIFF"])
def test_cmyk_is_converted_by_its_profile(profiles, image_format):
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    np.testing.assert_allclose(color_of(encode(cyan, image_format)), (0, 255, 255), atol=3)
    np.testing.assert_allclose(
        color_of(encode(cyan, image_format, icc_profile=profiles["CMYK"])), (255, 0, 255), atol=12
    )


def test_a_profile_in_a_bmp_is_applied(profiles):
    plain = encode(PLAIN, "BMP")
    pixels, profile = plain[54:], profiles["swapped"]
    head = plain[14:54] + bytes(124 - 40)
    head = b"\x7c" + head[1:56] + b"DEBM" + head[60:112] + np.array([124 + len(pixels), len(profile)], "<u4").tobytes()
    start = np.array([14 + 124], "<u4").tobytes()
    content = plain[:10] + start + head.ljust(124, b"\0") + pixels + profile
    np.testing.assert_allclose(color_of(content), (46, 201, 100), atol=3)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_srgb_images_stay_unchanged(image_format):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with_profile, without = encode(noise, image_format, icc_profile=srgb), encode(noise, image_format)
    assert np.array_equal(np.asarray(open_image(with_profile)), np.asarray(open_image(without)))


@pytest.mark.parametrize("change", [lambda whole: b"", lambda whole: b"nonsense" * 99, lambda whole: whole[:200]])
def test_a_broken_profile_is_ignored(profiles, change):
    assert color_of(encode(PLAIN, "PNG", icc_profile=change(profiles["swapped"]))) == COLOR


@pytest.mark.parametrize(("mode", "name"), [("RGB", "CMYK"), ("CMYK", "linear"), ("L", "CMYK")])
def test_a_profile_of_another_kind_of_image_changes_nothing(profiles, mode, name):
    image = Image.new(mode, (4, 4))
    assert to_srgb(image, profiles[name]) is image


def test_the_conversion_keeps_transparency(profiles):
    half = Image.new("RGBA", (4, 4), (100, 100, 100, 77))
    for name in ("linear", "grey"):
        assert to_srgb(half, profiles[name]).getpixel((0, 0))[3] == 77


def test_an_opened_image_has_no_profile_that_would_be_saved_with_it(profiles):
    for image_format in ("JPEG", "PNG", "TIFF"):
        again = Image.open(
            BytesIO(encode(open_image(encode(PLAIN, image_format, icc_profile=profiles["swapped"])), "PNG"))
        )
        assert "icc_profile" not in again.info
