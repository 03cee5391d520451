"""Drawing primitives of the demo dataset: colours, smooth noise, and antialiased shapes."""

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

SIZE = 256
"""Width and height of every image in pixels."""

Points = NDArray[np.float64]
"""A polyline, shape (N, 2); a closed polyline ends at its first point."""

Array = NDArray[np.floating]
"""Values on a grid of pixels, float32."""

Layers = Sequence[tuple[float, float, float]]
"""Layers of noise: strength, and frequencies along x and y."""

Window = tuple[int, int, int, int]
"""Left, top, right and bottom of a box in pixels."""

ROWS, COLUMNS = np.mgrid[0 : 1 : SIZE * 1j, 0 : 1 : SIZE * 1j].astype(np.float32)
"""Coordinates of every pixel, from 0 (top, left) to 1 (bottom, right), shape (SIZE, SIZE) each."""

PALETTE = {
    "red": "c8201e", "crimson": "8e1220", "orange": "e0701a", "yellow": "e8b820", "cream": "efe3c4",
    "green": "5b8f2a", "lime": "9dbb3c", "forest": "2f5d2c", "teal": "1f8080", "sky": "74b3de",
    "blue": "2456a8", "navy": "1d2b53", "purple": "6b3b93", "pink": "e28aa5", "white": "f0eeea",
    "silver": "b9bcc0", "grey": "7d8084", "charcoal": "3a3b3f", "black": "1d1c1e", "brown": "6b4226",
    "tan": "c49a62", "chestnut": "8a4b22", "straw": "d8b768", "gold": "d2a02c", "brick": "9c4a36",
}  # fmt: skip


def pick(rng: Generator, names: str) -> Array:
    """Return a random variation of one of the named colours as linear light, shape (3,), 0 to 1."""
    known = names.split()
    srgb = np.array([*bytes.fromhex(PALETTE[known[rng.integers(len(known))]])]) / 255
    varied = np.clip(srgb * rng.uniform(0.85, 1.12) + rng.normal(0, 0.025, 3), 0.02, 0.97)
    return np.asarray(varied**2.2, np.float32)


def lattice(rng: Generator, x: Array, y: Array) -> Array:
    """Return smooth noise, about -1 to 1, that changes about once in every unit of `x` and `y`."""
    table = rng.random(4096, np.float32) * 2 - 1
    left, top = np.floor(x), np.floor(y)
    fx, fy = x - left, y - top
    fx, fy = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)
    column, row = left.astype(np.int32) & 63, (top.astype(np.int32) & 63) << 6
    right, below = (column + 1) & 63, (row + 64) & 4095
    above, under = table[row + column], table[below + column]
    above += fx * (table[row + right] - above)
    under += fx * (table[below + right] - under)
    return np.asarray(above + fy * (under - above), np.float32)


def noise(rng: Generator, rows: float, columns: float, octaves: int = 4) -> Array:
    """Return cloudy noise, shape (SIZE, SIZE), about -1 to 1, with `rows` by `columns` of the largest clouds."""
    total = np.zeros((SIZE, SIZE), np.float32)
    for octave in range(octaves):
        grid = rng.random((max(2, round(rows * 2**octave)), max(2, round(columns * 2**octave))), np.float32) * 2 - 1
        total += resized(grid, (SIZE, SIZE)) / 1.9**octave
    return total / 1.4


def grain(rng: Generator, x: Array, y: Array, layers: Layers) -> Array:
    """Return 1 plus layers of noise at the coordinates `x` and `y`."""
    total = np.ones(np.broadcast_shapes(x.shape, y.shape), np.float32)
    for strength, across, down in layers:
        total += np.float32(strength) * lattice(rng, x * np.float32(across), y * np.float32(down))
    return total


def coverage(
    paths: Sequence[Points],
    within: Sequence[Points] = (),
    *,
    width: float = 0.0,
    window: Window = (0, 0, SIZE, SIZE),
    oversample: int = 4,
) -> Array:
    """Return the share of each pixel that shapes cover, shape (bottom - top, right - left), 0 to 1.

    Args:
        paths: Outlines to fill or, with a width, lines to draw with a round pen, in pixels.
        within: Outlines that clip the shapes; empty for no clipping.
        width: Width of the pen in pixels; 0 fills.
        window: Box of the pixels to return.
        oversample: Factor by which shapes are drawn larger and then shrunk, for antialiasing.
    """
    left, top, right, bottom = window
    sheet = Image.new("L", ((right - left) * oversample, (bottom - top) * oversample))
    pen = ImageDraw.Draw(sheet)

    def dots(path: Points) -> list[tuple[float, float]]:
        return [(x, y) for x, y in ((path - (left, top)) * oversample).tolist()]

    for path in paths:
        if not width:
            pen.polygon(dots(path), fill=255)
            continue
        spots, radius = dots(path), width * oversample / 2
        pen.line(spots, fill=255, width=max(1, round(2 * radius)))
        for x, y in (spots[0], spots[-1]):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    cover = np.asarray(sheet.reduce(oversample), np.float32) / 255
    return np.minimum(cover, coverage(within, window=window, oversample=oversample)) if within else cover


def blurred(values: Array, radius: float) -> Array:
    """Return values from 0 to 1 after a Gaussian blur of `radius` pixels."""
    sheet = Image.fromarray((values * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(sheet, np.float32) / 255


def resized(values: Array, size: tuple[int, int]) -> Array:
    """Return values on a grid of another size (width, height), by bicubic interpolation."""
    return np.asarray(Image.fromarray(np.asarray(values, np.float32)).resize(size, Image.Resampling.BICUBIC))
