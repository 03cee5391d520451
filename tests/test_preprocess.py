from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sketchy.config import ImageConfig
from sketchy.errors import ImageError
from sketchy.image import open_image
from sketchy.preprocess import Preprocess, build_preprocess

COLOR = (200, 100, 50)
PLAIN = Image.new("RGB", (40, 20), COLOR)


def encode(image: Image.Image, image_format: str = "PNG") -> bytes:
    buffer = BytesIO()
    image.save(buffer, image_format)
    return buffer.getvalue()


@pytest.mark.parametrize(("color", "channels"), [("grey", 1), ("rgb", 3)])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_photo_is_stretched_to_a_square_with_the_configured_channels(color: Any, channels: int, mode: str) -> None:
    image = Image.new(mode, (60, 20), "white")
    image.paste("black", (0, 0, 30, 20))
    pixels = Preprocess(16, color, 0.5).photo(image)
    assert pixels.shape == (channels, 16, 16)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert (pixels[:, :, :7] == 0).all()
    assert (pixels[:, :, 9:] == 255).all()


def test_the_channels_of_a_photo_are_red_green_blue() -> None:
    assert Preprocess(16, "rgb", 0.5).photo(PLAIN)[:, 3, 3].tolist() == list(COLOR)


def test_a_photo_is_averaged_when_it_is_shrunk() -> None:
    stripes = Image.fromarray(np.tile(np.array([0, 255], np.uint8), (512, 256)))
    assert np.abs(Preprocess(16, "grey", 0.5).photo(stripes).astype(int) - 127).max() < 12


def test_fast_decoding_gives_nearly_the_same_photo() -> None:
    x, y = np.meshgrid(np.arange(900), np.arange(900))
    content = encode(Image.fromarray((127 + 60 * np.sin(x / 50) + 60 * np.cos(y / 70)).astype(np.uint8)), "JPEG")
    preprocess = Preprocess(100, "grey", 0.5)
    fast, whole = preprocess.load(content, "photo"), preprocess.photo(open_image(content))
    assert np.abs(fast.astype(int) - whole).max() <= 3


@pytest.mark.parametrize("color", ["grey", "rgb"])
def test_a_sketch_has_one_channel_and_is_never_stretched(color: Any) -> None:
    image = Image.new("RGB", (300, 100), "white")
    ImageDraw.Draw(image).ellipse((110, 10, 190, 90), outline="black", width=4)
    pixels = Preprocess(100, color, 0.0).load(encode(image), "sketch")
    assert pixels.shape == (1, 100, 100)
    rows, columns = np.nonzero(pixels[0] < 128)
    assert abs(np.ptp(rows) - np.ptp(columns)) <= 1


def test_a_blank_sketch_is_an_error_but_a_blank_photo_is_not() -> None:
    preprocess = Preprocess(32, "grey", 0.5)
    content = encode(Image.new("L", (50, 50), 255))
    assert (preprocess.load(content, "photo") == 255).all()
    with pytest.raises(ImageError, match="the sketch is blank"):
        preprocess.load(content, "sketch")


def test_the_preprocessing_follows_the_config() -> None:
    assert build_preprocess(ImageConfig(size=64, color="rgb", sketch_crop=0.25)) == Preprocess(64, "rgb", 0.25)
    assert build_preprocess(ImageConfig(size=64, sketch_size=32)) == Preprocess(64, "grey", 0.5, 32)


def test_sketches_can_have_another_size_than_photos():
    preprocess = Preprocess(32, "rgb", 0.5, 24)
    drawing = Image.new("L", (50, 50), 255)
    ImageDraw.Draw(drawing).line((5, 5, 45, 45), fill=0, width=3)
    assert preprocess.sketch(drawing).shape == preprocess.shape("sketch") == (1, 24, 24)
    assert preprocess.photo(PLAIN).shape == preprocess.shape("photo") == (3, 32, 32)
