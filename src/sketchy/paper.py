"""Find the paper of a drawing, and measure how far from it each pixel is: 0 for paper, 255 for a stroke."""

from dataclasses import dataclass
from functools import reduce
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from sketchy.bands import remove_bands
from sketchy.errors import ImageError
from sketchy.texture import is_even, remove_texture

SAMPLE_SIDE = 256
"""Longer side of the sample in which paper is found; its pixels are not averaged, so that their noise remains."""

GRID_SIDE = 96
"""Longer side of the map of the illumination."""

Level = TypeVar("Level", np.uint8, np.float32)
Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""


class BlankError(ImageError):
    """Nothing is far enough from the paper to be ink."""


class Paper(Protocol):
    """What a drawing is drawn on."""

    def ink(self, image: Image.Image, part: Box, factor: int) -> tuple[Image.Image, bool]:
        """Find the ink in a part of the image, shrunk by an integer factor.

        Returns:
            An image of mode L with 0 for paper and 255 for strokes, and whether the paper has a texture.

        Raises:
            BlankError: There is no ink.
        """
        ...


@dataclass(frozen=True)
class FlatPaper:
    """Paper of one colour, as in a drawing program or a clean scan, or of two that alternate, as in a checkerboard."""

    colors: tuple[tuple[int, ...], ...]

    def distance(self, image: Image.Image) -> Image.Image:
        """Return how far each pixel is from the paper in its farthest channel, so that yellow ink counts in full."""
        return reduce(ImageChops.darker, (_distance(image, color) for color in self.colors))

    def ink(self, image: Image.Image, part: Box, factor: int) -> tuple[Image.Image, bool]:
        """See `Paper`."""
        distance = remove_bands(self.distance(_shrink(image, part, factor)))
        # Thinner strokes define the level of a stroke: beside a filled shape, hairlines must not count as noise.
        return _scale(distance, paper=0, contrast=3, quantile=0.7, share=0.1)


def _distance(image: Image.Image, color: tuple[int, ...]) -> Image.Image:
    difference = ImageChops.difference(image, Image.new(image.mode, image.size, color))
    return reduce(ImageChops.lighter, difference.split())


@dataclass(frozen=True)
class LitPaper:
    """Paper in a photograph, under uneven light.

    Attributes:
        inverted: Whether the ink is light, as chalk on a board; the other attributes belong to the inverted photograph.
        light: A small map of the illumination: the photograph without its ink.
        excluded: A mask of mode L and the size of `light`, 255 where dark pixels are not ink: beyond the paper, and at
            the edges of shadows.
    """

    inverted: bool
    light: Image.Image
    excluded: Image.Image

    def ink(self, image: Image.Image, part: Box, factor: int) -> tuple[Image.Image, bool]:
        """See `Paper`."""
        small = _shrink(image, part, factor)
        if self.inverted:
            small = ImageOps.invert(small)
        x, y = self.light.width / image.width, self.light.height / image.height
        box = (part[0] * x, part[1] * y, part[2] * x, part[3] * y)
        light = self.light.resize(small.size, Image.Resampling.BILINEAR, box=box)
        shade = np.clip(255 - _channels(small) * (255 / np.maximum(_channels(light), 1)), 0, 255)
        darkness = Image.fromarray(shade.max(2).astype(np.uint8))
        darkness.paste(0, mask=self.excluded.resize(small.size, Image.Resampling.NEAREST, box=box))
        median, noise = _median_and_deviation(darkness)
        # The darkest strokes define the level of a stroke: the ruling of the paper must not count as ink.
        return _scale(darkness, median, contrast=max(20, 9 * noise), quantile=0.95, share=0.3)


def find_flat_paper(image: Image.Image) -> FlatPaper | None:
    """Find the colour of the paper, or its two colours; None if no colour covers the canvas.

    The colour is the most common one, or that of the border if a filled shape is larger than the visible paper.
    """
    scale = min(1, SAMPLE_SIDE / max(image.size))
    sample = image.resize(_scaled_size(image.size, scale), Image.Resampling.NEAREST) if scale < 1 else image
    pixels = np.asarray(sample).reshape(sample.height, sample.width, -1)
    ring = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    counts = [band.histogram() for band in sample.split()]
    common = tuple(int(np.argmax(band)) for band in counts)
    border = tuple(int(np.argmax(np.bincount(band))) for band in ring.T)
    scores, far = {}, {}
    flat = False
    for color in {common, border}:
        levels = _distance_histogram(color, sample, counts) / (sample.width * sample.height)
        # Many pixels close to the colour of the paper are uneven light, not ink.
        flat |= bool(levels[:3].sum() > 0.4 and levels[3:40].sum() < 0.2)
        far[color] = levels[6:].sum()
        scores[color] = levels[:3].sum() + (np.abs(ring - np.array(color, np.float32)).max(1) < 3).mean() / 2
    color = max(scores, key=lambda color: scores[color])
    second = _second_color(sample, color) if far[color] >= 0.25 else None
    return FlatPaper((color, second) if second else (color,)) if flat or second else None


def _second_color(sample: Image.Image, color: tuple[int, ...]) -> tuple[int, ...] | None:
    """Find the other colour of paper on which two colours alternate everywhere, as in a checkerboard."""
    far = _distance(sample, color).point([0] * 6 + [255] * 250)
    other = tuple(int(np.argmax(band)) for band in np.array(sample.histogram(far)).reshape(-1, 256))
    near = np.asarray(_distance(sample, other)) < 6
    paper = near | (np.asarray(far) == 0)
    alternates = paper.mean() > 0.75 and near.mean() > 0.25 and is_even(near, 0, least=0.5)
    return other if alternates else None


def _distance_histogram(color: tuple[int, ...], sample: Image.Image, counts: list[list[int]]) -> NDArray[np.float64]:
    """Count the pixels at each distance, 0 to 255, from a colour, given the histogram of each channel."""
    if len(counts) > 1:
        return np.array(_distance(sample, color).histogram(), float)
    return np.bincount(np.abs(np.arange(256) - color[0]), counts[0], 256).astype(float)


def find_lit_paper(image: Image.Image) -> LitPaper:
    """Map the illumination of a photograph, by a closing of everything narrower than a fifth of it."""
    grid = _grid(image)
    inverted = _is_light_on_dark(image)
    if inverted:
        grid = ImageOps.invert(grid)
    light = _closing(grid, max(2, min(grid.size) // 10))
    bright = np.quantile(_channels(light), 0.9, axis=(0, 1))
    excluded = _excluded_mask(_channels(_closing(grid, 1)), light, 0.35 * bright)
    # What remains darker than any shadow is a filled shape that was too wide for the closing.
    light = light.point([round(max(level, 0.35 * top)) for top in bright for level in range(256)])
    return LitPaper(inverted, light, excluded)


def find_painting(image: Image.Image) -> LitPaper:
    """Treat everything wider than a stroke as paper: only the outlines of a colourful picture are ink."""
    grid = _grid(image)
    return LitPaper(inverted=False, light=_closing(grid, 3), excluded=Image.new("L", grid.size))


def _grid(image: Image.Image) -> Image.Image:
    scale = min(1, GRID_SIDE / max(image.size))
    return image.resize(_scaled_size(image.size, scale), Image.Resampling.BOX, reducing_gap=2)


def _is_light_on_dark(image: Image.Image) -> bool:
    """Return whether ink is lighter than its background: in a small block, ink is the minority of the pixels."""
    small = image.convert("L").resize((160, 160), Image.Resampling.BOX, reducing_gap=2)
    blocks = np.asarray(small, dtype=np.float32).reshape(20, 8, 20, 8)
    low, high, mean = blocks.min((1, 3)), blocks.max((1, 3)), blocks.mean((1, 3))
    lean = (mean - (low + high) / 2) / (high - low + 8)
    # Only blocks of the paper or board count, not those of a dark desk around it.
    return bool(np.median(blocks) < 128 and lean[mean > np.quantile(mean, 0.9) / 2].sum() < 0)


def _closing(image: Image.Image, radius: int) -> Image.Image:
    """Return the morphological closing: dark areas at most 2 * radius pixels wide become like their surroundings."""
    for kind in (ImageFilter.MaxFilter, ImageFilter.MinFilter):
        for _ in range(radius):
            image = image.filter(kind(3))
    return image


def _excluded_mask(near: NDArray[np.float32], light: Image.Image, darkest: NDArray[np.float32]) -> Image.Image:
    """Return where dark pixels are not ink, as `LitPaper.excluded`.

    Args:
        near: The photograph after a closing of thin strokes only, shape (H, W, C).
        light: The map of the illumination, of the same size.
        darkest: Levels below which a channel is not paper, shape (C,).
    """
    wide = _channels(light)
    dark = ((near < 0.85 * wide) | (wide < darkest)).any(2)
    least_near = _channels(light.filter(ImageFilter.MinFilter(3)))
    most_near = _channels(light.filter(ImageFilter.MaxFilter(3)))
    edges = (least_near < 0.8 * most_near).any(2)
    # A dark area that reaches the border is a desk; one inside is a filled shape, whose rim is not a shadow.
    filled = ImageOps.expand(Image.fromarray(dark.view(np.uint8)), 1, 1)
    ImageDraw.floodfill(filled, (0, 0), 255)
    desk = filled.point([0] * 255 + [255]).filter(ImageFilter.MaxFilter(3))
    shapes = filled.point([0, 255] + [0] * 254).filter(ImageFilter.MaxFilter(7))
    inner = (1, 1, light.width + 1, light.height + 1)
    excluded = ImageChops.lighter(desk.crop(inner), Image.fromarray(edges.view(np.uint8) * np.uint8(255)))
    return ImageChops.subtract(excluded, shapes.crop(inner))


def _median_and_deviation(levels: Image.Image) -> tuple[int, int]:
    """Return the median level and the median absolute deviation from it."""
    counts = np.array(levels.histogram())
    half = counts.sum() / 2
    median = int(np.searchsorted(counts.cumsum(), half))
    deviations = np.bincount(np.abs(np.arange(256) - median), counts)
    return median, int(np.searchsorted(deviations.cumsum(), half))


def _scale(distance: Image.Image, paper: int, contrast: int, quantile: float, share: float) -> tuple[Image.Image, bool]:
    """Scale distances from the paper so that paper is 0 and a stroke 255.

    Args:
        distance: How far each pixel is from the paper, mode L.
        paper: Distance of the paper itself.
        contrast: Least difference between ink and paper.
        quantile: Quantile of the distances of ink, from the faintest to the darkest, that is the level of a stroke.
        share: Share of the level of a stroke below which a pixel is paper.

    Returns:
        The ink, and whether noise or a pattern of the paper was removed from it.

    Raises:
        BlankError: No pixel is far enough from the paper.
    """
    peaks = block_maxima(np.asarray(distance), 16)
    cleared, level = remove_texture(distance, peaks)
    textured = level > 0 or cleared is not distance
    if textured:
        peaks = block_maxima(np.asarray(cleared), 16)
        contrast = max(contrast, round(1.5 * level) + 2)
    ink = peaks[peaks >= paper + contrast]
    if not ink.size:
        raise BlankError("the sketch is blank: no ink was found")
    stroke = fast_quantile(ink, quantile)
    low = paper + max(share * (stroke - paper), 0.75 * contrast)
    levels = np.clip((np.arange(256) - low) / (stroke - low), 0, 1)
    return cleared.point((255 * levels).round().astype(int).tolist()), textured


def fast_quantile(values: NDArray[Level], share: float) -> float:
    """Return `np.quantile` of a few values, without its overhead, which would dominate here."""
    ordered = np.sort(values)
    position = share * (len(ordered) - 1)
    below = int(position)
    first, second = ordered[below : below + 2].astype(float)[[0, -1]].tolist()
    return float(first + (second - first) * (position - below))


def block_maxima(pixels: NDArray[Level], side: int) -> NDArray[Level]:
    """Return the maximum of each block of `side` x `side` pixels; missing pixels of the last blocks count as 0."""
    height, width = pixels.shape
    padded = pixels
    if height % side or width % side:
        padded = np.zeros((height + -height % side, width + -width % side), pixels.dtype)
        padded[:height, :width] = pixels
    rows = padded.reshape(-1, side, padded.shape[1]).max(1)
    maxima: NDArray[Level] = rows.reshape(len(rows), -1, side).max(2)
    return maxima


def _shrink(image: Image.Image, part: Box, factor: int) -> Image.Image:
    return image.crop(part) if factor == 1 else image.reduce(factor, part)


def _scaled_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _channels(image: Image.Image) -> NDArray[np.float32]:
    """Return the pixels, shape (height, width, channels), float32."""
    return np.asarray(image, dtype=np.float32).reshape(image.height, image.width, -1)
