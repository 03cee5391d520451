from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sketchy.containers.stripped import MAX_FRAMES
from sketchy.errors import ImageError
from sketchy.image import image_size, open_image

WHITE = Image.new("RGB", (40, 30), "white")
DRAWN = WHITE.copy()
ImageDraw.Draw(DRAWN).rectangle((10, 10, 30, 20), fill="red")


def encode(image: Image.Image, image_format: str = "GIF", **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def animation(image_format: str, *frames: Image.Image) -> bytes:
    return encode(frames[0], image_format, save_all=True, append_images=frames[1:], duration=100, lossless=True)


def plain(count: int) -> list[Image.Image]:
    """Frames of one colour, of which no two that follow each other are the same: they would be made one."""
    return [Image.new("RGB", WHITE.size, ("black", "white")[place % 2]) for place in range(count)]


def shows_drawing(content: bytes) -> bool:
    pixels = np.asarray(open_image(content).convert("RGB")).astype(int)
    return pixels.shape == (30, 40, 3) and np.abs(pixels - np.asarray(DRAWN)).max() < 30


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "PNG"])
@pytest.mark.parametrize(
    "first", [WHITE, Image.new("RGB", (40, 30), "black"), Image.new("RGBA", (40, 30), (0, 0, 0, 0))]
)
def test_an_animation_is_opened_at_its_first_frame_with_more_than_one_colour(image_format, first):
    assert shows_drawing(animation(image_format, first, DRAWN, WHITE))
    assert shows_drawing(animation(image_format, first, *plain(5), DRAWN))
    assert not shows_drawing(animation(image_format, first, *plain(2)))


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "PNG"])
def test_the_number_of_frames_is_limited(image_format):
    assert shows_drawing(animation(image_format, *plain(MAX_FRAMES - 1), DRAWN))
    assert not shows_drawing(animation(image_format, *plain(MAX_FRAMES), DRAWN))


@pytest.mark.parametrize("image_format", ["GIF", "PNG"])
def test_broken_later_frames_do_not_affect_the_first(image_format):
    content = animation(image_format, WHITE, DRAWN, DRAWN)
    assert open_image(content[:-25]).size == WHITE.size


@pytest.mark.parametrize(
    "extra",
    [
        b"!\xfe" + (b"\xff" + b"a" * 255) * 30_000 + b"\0",
        b"!\xfe\x01a\0" * 50_000,
        b"!\xff\x0bNETSCAPE2.0\0",
        b"!\xf9\0",
        b"!\x01\0",
        b"\0\0",
    ],
)
def test_odd_metadata_never_prevents_opening(extra):
    content = encode(DRAWN)
    head = 13 + 3 * 2 ** ((content[10] & 7) + 1)
    assert shows_drawing(content[:head] + extra + content[head:])
    assert shows_drawing(content[:-1] + extra)
    assert image_size(content[:head] + extra + content[head:]) == DRAWN.size


def test_missing_pixels_are_an_error():
    content = encode(Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60), np.uint8)))
    assert open_image(content[:-1]).size == (60, 40)
    with pytest.raises(ImageError, match=r"^truncated$"):
        open_image(content[:-30])
