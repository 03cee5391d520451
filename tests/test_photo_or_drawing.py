"""Photos and drawings made by program, and samples of real ones where the folder ../shared has them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from sketchy.image import open_image
from sketchy.photo_or_drawing import SEEN_SIDE, kind_of

SHARED = Path(__file__).parents[2] / "shared"
SAMPLE = SHARED / "sketchy-sample" / "256x256"
needs_sample = pytest.mark.skipif(not SAMPLE.is_dir(), reason="no ../shared/sketchy-sample")


def drawing(ink="black", paper="white", side: int = 600, width: int = 6) -> Image.Image:
    """A house, a sun and a tree."""
    image = Image.new("RGB", (side, side), paper)
    draw, unit = ImageDraw.Draw(image), side / 10
    house = [(2, 5), (4, 3), (6, 5), (2, 5), (2, 8), (6, 8), (6, 5)]
    draw.line([(x * unit, y * unit) for x, y in house], fill=ink, width=width, joint="curve")
    draw.ellipse((7 * unit, unit, 8.5 * unit, 2.5 * unit), outline=ink, width=width)
    draw.line((7.5 * unit, 5 * unit, 7.5 * unit, 8 * unit), fill=ink, width=width)
    draw.arc((6.7 * unit, 3.5 * unit, 8.3 * unit, 5.5 * unit), 0, 360, fill=ink, width=width)
    return image


def noisy(image: Image.Image, sigma: float) -> Image.Image:
    pixels = np.asarray(image) + np.random.default_rng(0).normal(0, sigma, (image.height, image.width, 1))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def ruled(squared: bool) -> Image.Image:
    page = Image.new("RGB", (600, 600), "white")
    draw = ImageDraw.Draw(page)
    for at in range(20, 600, 20):
        draw.line((0, at, 600, at), fill=(150, 180, 220), width=2)
        if squared:
            draw.line((at, 0, at, 600), fill=(150, 180, 220), width=2)
    return Image.composite(drawing((30, 30, 90)), page, ImageOps.invert(drawing().convert("L")))


def coloured() -> Image.Image:
    """Filled with a pen of another colour in each part."""
    image = drawing()
    for place, colour in FILLED.items():
        ImageDraw.floodfill(image, place, colour)
    return image


FILLED = {(240, 400): (240, 150, 40), (460, 100): (250, 220, 60), (450, 250): (70, 150, 60), (240, 260): (190, 50, 40)}


def lit(page: Image.Image) -> Image.Image:
    """A page photographed under light from one side, a little out of focus."""
    light = 0.55 + 0.4 * np.linspace(0, 1, page.width)[:, np.newaxis]
    shade = np.asarray(page.filter(ImageFilter.GaussianBlur(1))) * light * [1, 0.97, 0.9]
    return noisy(Image.fromarray(shade.astype(np.uint8)), 4)


DRAWINGS = {
    "black on white": drawing,
    "hairlines": lambda: drawing(width=1),
    "thick": lambda: drawing(width=30),
    "grey": lambda: drawing().convert("L"),
    "small": lambda: drawing(side=60, width=1),
    "large": lambda: drawing(side=3000, width=20),
    "chalk on a blackboard": lambda: drawing("white", (40, 42, 48)),
    "coloured pen on yellow paper": lambda: drawing("blue", "#f8f0c8"),
    "noisy scan": lambda: noisy(drawing((60, 60, 60), (240, 240, 238)), 5),
    "ruled paper": lambda: ruled(squared=False),
    "squared paper": lambda: ruled(squared=True),
    "filled with colours": coloured,
    "photographed page": lambda: lit(drawing((60, 60, 60), (235, 232, 225))),
    "two levels": lambda: drawing().convert("1").convert("L"),
    "one stroke": lambda: Image.fromarray(
        np.pad(np.zeros((4, 200), np.uint8), ((100, 196), (50, 50)), constant_values=255)
    ),
}


def clouds(seed: int, side: int = 256, slope: float = 1.3) -> np.ndarray:
    """A random texture with the spectrum of natural images, 0 to 1, shape (side, side)."""
    generator = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij"))
    spectrum = np.fft.rfft2(generator.normal(size=(side, side))) / np.maximum(frequency, 1 / side) ** slope
    made = np.fft.irfft2(spectrum, (side, side))
    return (made - made.min()) / np.ptp(made)


def photo(seed: int = 0) -> Image.Image:
    bands = np.stack([clouds(seed), clouds(seed) * 0.7 + clouds(seed + 1) * 0.3, clouds(seed + 2)], 2)
    return Image.fromarray((255 * bands).astype(np.uint8))


def cut_out() -> Image.Image:
    """An object on white, as shops show them."""
    mask = Image.new("L", (256, 256), 0)
    ImageDraw.Draw(mask).ellipse((40, 60, 220, 200), fill=255)
    return Image.composite(photo(5), Image.new("RGB", (256, 256), "white"), mask)


PHOTOS = {
    "colours": photo,
    "black and white": lambda: photo(3).convert("L"),
    "an object on white": cut_out,
    "small": lambda: photo(7).resize((64, 48)),
    "dark": lambda: photo(9).point(lambda level: level // 2),
    "with a white margin": lambda: ImageOps.expand(photo(11), 60, "white"),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_is_taken_for_a_sketch(name):
    assert kind_of(DRAWINGS[name]()) == "sketch"


@pytest.mark.parametrize("name", PHOTOS)
def test_a_photo_is_taken_for_a_photo(name):
    assert kind_of(PHOTOS[name]()) == "photo"


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (3, 3), (17, 40)])
def test_every_size_has_an_answer(size):
    assert kind_of(Image.new("RGB", size, "red")) in ("photo", "sketch")


@needs_sample
@pytest.mark.parametrize(("kind", "suffix"), [("photo", "jpg"), ("sketch", "png")])
def test_hardly_any_real_image_is_taken_wrongly(kind, suffix):
    files = sorted((SAMPLE / kind / "tx_000000000000").glob(f"*/*.{suffix}"))[::40]
    wrong = [file.name for file in files if kind_of(open_image(file, at_least=SEEN_SIDE)) != kind]
    assert len(wrong) <= 0.01 * len(files), wrong
