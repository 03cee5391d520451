"""Telling photos from drawings by their pixels.

Paper has one colour, or one that changes slowly under uneven light; what is drawn on it has hard edges. In a photo the
colour changes everywhere, and most edges are soft. `scripts/check_kind.py` measures how often the rule is wrong, and
docs/robustness.md has the figures.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from sketchy.image import Kind

SEEN_SIDE = 256
"""Longer side in pixels of the image that is looked at."""
GRID = 16
"""Blocks per side of the grid in which the colour of the paper is measured."""
FLAT, FLAT_SHARE = 8, 0.75
"""Least deviation that does not count as paper, and share of paper in a flat block."""
SOFT = (3, 20)
"""Gradients of soft edges, in levels per pixel."""

BIAS = 23.1
WEIGHTS = {
    "curvature": -5.4,
    "step": -2.3,
    "largest_step": -1.8,
    "soft": -30.8,
    "noise": 9.3,
    "flat": -10.4,
    "one_color": -5.3,
}
"""Weights of the measurements of `measure`: a logistic regression on 1,710 photos and 1,008 drawings, a third of these
made by program, in the situations of scripts/check_ink.py, with coloured pens, crayons and on a desk."""

Floats = NDArray[np.float32]


def kind_of(image: Image.Image) -> Kind:
    """Return what an image of mode L or RGB is taken for."""
    measured = measure(image)
    return "sketch" if BIAS + sum(WEIGHTS[name] * value for name, value in measured.items()) > 0 else "photo"


def measure(image: Image.Image) -> dict[str, float]:
    """Measure what tells photos from drawings.

    Returns:
        curvature: Logarithm of the median difference between the colour of a block and the mean of its neighbours'.
        step: Logarithm of the median difference of the colours of neighbouring blocks.
        largest_step: The same of the 90th percentile.
        soft: Share of pixels with a soft edge, 0 to 1.
        noise: Logarithm of the median deviation of a pixel from the median of its neighbourhood.
        flat: Share of blocks that are nearly all paper, 0 to 1.
        one_color: Share of pixels of the most common colour, 0 to 1.
    """
    small = _shrunk(image.convert("RGB"))
    clean = small.filter(ImageFilter.MedianFilter(3))
    pixels, grey = np.asarray(clean).astype(np.float32), np.asarray(clean.convert("L")).astype(np.float32)
    noise = float(np.median(np.abs(np.asarray(small.convert("L")) - grey)))
    blocks = _blocks(pixels)
    colors = np.median(blocks, 2)
    flat = (np.abs(blocks - colors[:, :, np.newaxis]).max(3) <= max(FLAT, 4 * noise)).mean(2)
    steps = np.concatenate([np.abs(np.diff(colors, axis=axis)).max(2).ravel() for axis in (0, 1)])
    middle, large = np.percentile(steps, (50, 90)) if steps.size else (0, 0)
    edges = np.hypot(*np.gradient(grey)) if min(grey.shape) > 1 else np.zeros_like(grey)
    return {
        "curvature": float(np.log1p(_curvature(colors))),
        "step": float(np.log1p(middle)),
        "largest_step": float(np.log1p(large)),
        "soft": float(((edges > SOFT[0]) & (edges < SOFT[1])).mean()),
        "noise": float(np.log1p(noise)),
        "flat": float((flat > FLAT_SHARE).mean()),
        "one_color": _one_color(np.asarray(small)),
    }


def _shrunk(image: Image.Image) -> Image.Image:
    """Return an image of at most SEEN_SIDE, averaged down."""
    image = image.reduce(max(1, max(image.size) // SEEN_SIDE))
    scale = min(1, SEEN_SIDE / max(image.size))
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.BOX)


def _blocks(pixels: Floats) -> Floats:
    """Return the pixels (H, W, 3) by blocks, shape (rows, columns, pixels, 3), without what is left at the borders."""
    high, wide = (max(1, side // GRID) for side in pixels.shape[:2])
    rows, columns = pixels.shape[0] // high, pixels.shape[1] // wide
    blocks = pixels[: rows * high, : columns * wide].reshape(rows, high, columns, wide, 3)
    return blocks.transpose(0, 2, 1, 3, 4).reshape(rows, columns, high * wide, 3)


def _curvature(colors: Floats) -> float:
    """Return the median over blocks of the largest difference of a channel from its mean over the four neighbours."""
    if min(colors.shape[:2]) < 3:
        return 0.0
    around = (colors[:-2, 1:-1] + colors[2:, 1:-1] + colors[1:-1, :-2] + colors[1:-1, 2:]) / 4
    return float(np.median(np.abs(colors[1:-1, 1:-1] - around).max(2)))


def _one_color(pixels: NDArray[np.uint8]) -> float:
    """Return the share of pixels within 2 levels of the most common level of each channel."""
    common = [int(np.bincount(pixels[..., channel].ravel()).argmax()) for channel in range(3)]
    return float((np.abs(pixels.astype(np.int16) - common).max(2) <= 2).mean())
