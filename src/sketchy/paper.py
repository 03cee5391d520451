"""Find the paper of a drawing, and measure how far from it each pixel is: 0 for paper, 255 for a stroke."""

from dataclasses import dataclass
from functools import reduce
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from sketchy.errors import ImageError
from sketchy.texture import is_even, without_texture

SAMPLE_SIDE = 256
"""Paper is judged on so many pixels a side, taken singly: their noise tells a photo from a drawing program."""

GRID_SIDE = 96
"""Longer side of the map of the light on a photo."""

Level = TypeVar("Level", np.uint8, np.float32)
Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""


class BlankError(ImageError):
    """Nothing is far enough from the paper to be ink."""


class Paper(Protocol):
    """What a drawing is on."""

    def ink(self, image: Image.Image, part: Box, factor: int) -> tuple[Image.Image, bool]:
        """Find the ink of a part of the image, shrunk by a whole factor.

        Returns:
            Mode L, paper 0, strokes 255; and whether the paper has a texture.

        Raises:
            BlankError: there is none.
        """
        ...


@dataclass(frozen=True)
class FlatPaper:
    """Paper of one colour, the canvas of a program or a clean scan; or of two in turn, as a checkerboard is."""

    colors: tuple[tuple[int, ...], ...]

    def distance(self, image: Image.Image) -> Image.Image:
        """Return how far each pixel is from the paper, by its farthest channel: yellow ink counts in full."""
        return reduce(ImageChops.darker, (_distance(image, color) for color in self.colors))

    def ink(self, image: Image.Image, part: Box, factor: int) -> tuple[Image.Image, bool]:
        """See `Paper`."""
        distance = self.distance(_shrink(image, part, factor))
        # A stroke is judged by the thinner ones: beside a filled shape, hairlines must not pass for noise.
        return _stretch(distance, usual=0, faintest=3, quantile=0.7, share=0.1)


def _distance(image: Image.Image, color: tuple[int, ...]) -> Image.Image:
    difference = ImageChops.difference(image, Image.new(image.mode, image.size, color))
    return reduce(ImageChops.lighter, difference.split())


@dataclass(frozen=True)
class LitPaper:
    """Paper on a photo, under uneven light.

    Attributes:
        inverted: whether the ink is light (chalk on a board); then the rest is of the inverted photo.
        light: the photo without its ink, coarse.
        blind: mode L, 255 where what looks like ink is none: beyond the paper, and at hard shadows.
    """

    inverted: bool
    light: Image.Image
    blind: Image.Image

    def ink(self, image: Image.Image, part: Box, factor: int) -> tuple[Image.Image, bool]:
        """See `Paper`."""
        small = _shrink(image, part, factor)
        if self.inverted:
            small = ImageOps.invert(small)
        x, y = self.light.width / image.width, self.light.height / image.height
        box = (part[0] * x, part[1] * y, part[2] * x, part[3] * y)
        light = self.light.resize(small.size, Image.Resampling.BILINEAR, box=box)
        shade = np.clip(255 - _planes(small) * (255 / np.maximum(_planes(light), 1)), 0, 255)
        darkness = Image.fromarray(shade.max(2).astype(np.uint8))
        darkness.paste(0, mask=self.blind.resize(small.size, Image.Resampling.NEAREST, box=box))
        usual, noise = _noise(darkness)
        # A stroke is judged by the darkest ones: the ruling of the paper must not pass for ink.
        return _stretch(darkness, usual, faintest=max(20, 9 * noise), quantile=0.95, share=0.3)


def find_flat_paper(image: Image.Image) -> FlatPaper | None:
    """Find the colour of the paper, or its two; None when no one colour covers the canvas.

    It is the most common colour, or that of the border where a filled shape is more common than the paper.
    """
    scale = min(1, SAMPLE_SIDE / max(image.size))
    sample = image.resize(_scaled(image.size, scale), Image.Resampling.NEAREST) if scale < 1 else image
    pixels = np.asarray(sample).reshape(sample.height, sample.width, -1)
    ring = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    counts = [band.histogram() for band in sample.split()]
    common = tuple(int(np.argmax(band)) for band in counts)
    border = tuple(int(np.argmax(np.bincount(band))) for band in ring.T)
    scores, far = {}, {}
    flat = False
    for color in {common, border}:
        levels = _distances(color, sample, counts) / (sample.width * sample.height)
        # Much that is nearly the paper's colour is uneven light, not ink.
        flat |= bool(levels[:3].sum() > 0.4 and levels[3:40].sum() < 0.2)
        far[color] = levels[6:].sum()
        scores[color] = levels[:3].sum() + (np.abs(ring - np.array(color, np.float32)).max(1) < 3).mean() / 2
    color = max(scores, key=lambda color: scores[color])
    second = _second_color(sample, color) if far[color] >= 0.25 else None
    return FlatPaper((color, second) if second else (color,)) if flat or second else None


def _second_color(sample: Image.Image, color: tuple[int, ...]) -> tuple[int, ...] | None:
    """Find the other colour of paper that alternates between two all over the page, as a checkerboard does."""
    far = _distance(sample, color).point([0] * 6 + [255] * 250)
    other = tuple(int(np.argmax(band)) for band in np.array(sample.histogram(far)).reshape(-1, 256))
    near = np.asarray(_distance(sample, other)) < 6
    paper = near | (np.asarray(far) == 0)
    alternates = paper.mean() > 0.75 and near.mean() > 0.25 and is_even(near, 0, least=0.5)
    return other if alternates else None


def _distances(color: tuple[int, ...], sample: Image.Image, counts: list[list[int]]) -> NDArray[np.float64]:
    """Count the pixels at each distance from 0 to 255 from the paper; `counts` are of each level of each channel."""
    if len(counts) > 1:
        return np.array(_distance(sample, color).histogram(), float)
    return np.bincount(np.abs(np.arange(256) - color[0]), counts[0], 256).astype(float)


def find_lit_paper(image: Image.Image) -> LitPaper:
    """Map the light on a photo: what is left when everything narrower than a fifth of it is closed."""
    scale = min(1, GRID_SIDE / max(image.size))
    grid = image.resize(_scaled(image.size, scale), Image.Resampling.BOX, reducing_gap=2)
    inverted = _is_light_on_dark(image)
    if inverted:
        grid = ImageOps.invert(grid)
    light = _close(grid, max(2, min(grid.size) // 10))
    bright = np.quantile(_planes(light), 0.9, axis=(0, 1))
    blind = _blind(_planes(_close(grid, 1)), light, 0.35 * bright)
    # Where it is darker than any shade, a filled shape was too wide to be closed.
    light = light.point([round(max(level, 0.35 * top)) for top in bright for level in range(256)])
    return LitPaper(inverted, light, blind)


def find_painting(image: Image.Image) -> LitPaper:
    """Take all that is wider than a stroke for paper: in a picture full of colour, only its outlines are ink."""
    scale = min(1, GRID_SIDE / max(image.size))
    grid = image.resize(_scaled(image.size, scale), Image.Resampling.BOX, reducing_gap=2)
    return LitPaper(inverted=False, light=_close(grid, 3), blind=Image.new("L", grid.size))


def _is_light_on_dark(image: Image.Image) -> bool:
    """Tell chalk on a board from pencil on paper: in a small block, ink is what there is less of."""
    small = image.convert("L").resize((160, 160), Image.Resampling.BOX, reducing_gap=2)
    blocks = np.asarray(small, dtype=np.float32).reshape(20, 8, 20, 8)
    low, high, mean = blocks.min((1, 3)), blocks.max((1, 3)), blocks.mean((1, 3))
    lean = (mean - (low + high) / 2) / (high - low + 8)
    # Only blocks on the paper or board vote, not those of a dark desk around it.
    return bool(np.median(blocks) < 128 and lean[mean > np.quantile(mean, 0.9) / 2].sum() < 0)


def _close(image: Image.Image, radius: int) -> Image.Image:
    """Fill what is dark and at most 2 * radius pixels wide with what surrounds it."""
    for kind in (ImageFilter.MaxFilter, ImageFilter.MinFilter):
        for _ in range(radius):
            image = image.filter(kind(3))
    return image


def _blind(near: NDArray[np.float32], light: Image.Image, least: NDArray[np.float32]) -> Image.Image:
    """Mark on the map of the light where ink is not to be looked for.

    Args:
        near: (H, W, C), the photo with only thin strokes closed.
        light: the map itself, (H, W, C) too.
        least: (C,), what is darker is not paper.
    """
    wide = _planes(light)
    dark = ((near < 0.85 * wide) | (wide < least)).any(2)
    least_near = _planes(light.filter(ImageFilter.MinFilter(3)))
    most_near = _planes(light.filter(ImageFilter.MaxFilter(3)))
    jumps = (least_near < 0.8 * most_near).any(2)
    # What is dark as far as the border is a desk; dark inside, a filled shape, whose rim is no shadow.
    filled = ImageOps.expand(Image.fromarray(dark.view(np.uint8)), 1, 1)
    ImageDraw.floodfill(filled, (0, 0), 255)
    around = filled.point([0] * 255 + [255]).filter(ImageFilter.MaxFilter(3))
    shapes = filled.point([0, 255] + [0] * 254).filter(ImageFilter.MaxFilter(7))
    inner = (1, 1, light.width + 1, light.height + 1)
    blind = ImageChops.lighter(around.crop(inner), Image.fromarray(jumps.view(np.uint8) * np.uint8(255)))
    return ImageChops.subtract(blind, shapes.crop(inner))


def _noise(darkness: Image.Image) -> tuple[int, int]:
    """Return the median level and the median deviation from it."""
    counts = np.array(darkness.histogram())
    half = counts.sum() / 2
    median = int(np.searchsorted(counts.cumsum(), half))
    deviations = np.bincount(np.abs(np.arange(256) - median), counts)
    return median, int(np.searchsorted(deviations.cumsum(), half))


def _stretch(
    distance: Image.Image, usual: int, faintest: int, quantile: float, share: float
) -> tuple[Image.Image, bool]:
    """Map paper to 0 and a stroke to 255.

    Args:
        distance: mode L, how far each pixel is from the paper.
        usual: the distance of paper itself.
        faintest: how much farther ink is at least.
        quantile: which of the places with ink, from the faintest to the darkest, says how far a stroke is.
        share: what is nearer than this share of a stroke is paper.

    Returns:
        The ink, and whether noise or a pattern of the page had to be told from it.

    Raises:
        BlankError: nothing is far enough.
    """
    peaks = peaks_of(np.asarray(distance), 16)
    cleared, level = without_texture(distance, peaks)
    textured = level > 0 or cleared is not distance
    if textured:
        peaks = peaks_of(np.asarray(cleared), 16)
        faintest = max(faintest, round(1.5 * level) + 2)
    inked = peaks[peaks >= usual + faintest]
    if not inked.size:
        raise BlankError("the sketch is blank: no ink was found")
    stroke = quantile_of(inked, quantile)
    low = usual + max(share * (stroke - usual), 0.75 * faintest)
    levels = np.clip((np.arange(256) - low) / (stroke - low), 0, 1)
    return cleared.point((255 * levels).round().astype(int).tolist()), textured


def quantile_of(values: NDArray[Level], share: float) -> float:
    """Return what `np.quantile` does, which takes longer than all that is computed of the values."""
    ordered = np.sort(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    first, second = ordered[below : below + 2].astype(float)[[0, -1]].tolist()
    return float(first + (second - first) * (place - below))


def peaks_of(pixels: NDArray[Level], cell: int) -> NDArray[Level]:
    """Return the maximum of each square of `cell` pixels; the pixels beyond the last full one count as 0."""
    height, width = pixels.shape
    padded = pixels
    if height % cell or width % cell:
        padded = np.zeros((height + -height % cell, width + -width % cell), pixels.dtype)
        padded[:height, :width] = pixels
    rows = padded.reshape(-1, cell, padded.shape[1]).max(1)
    peaks: NDArray[Level] = rows.reshape(len(rows), -1, cell).max(2)
    return peaks


def _shrink(image: Image.Image, part: Box, factor: int) -> Image.Image:
    return image.crop(part) if factor == 1 else image.reduce(factor, part)


def _scaled(shape: tuple[int, int], scale: float) -> tuple[int, int]:
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _planes(image: Image.Image) -> NDArray[np.float32]:
    """Return (height, width, channels)."""
    return np.asarray(image, dtype=np.float32).reshape(image.height, image.width, -1)
