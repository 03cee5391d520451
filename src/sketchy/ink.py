"""Turn a drawing of any origin and size into dark ink on white, of a given size.

Clean scans, white on black, coloured pens, grey canvases, photographs of paper and hairlines on huge canvases all come
out like the sketches that a network is trained on. Those sketches themselves are only resized.

The steps: find the paper; shrink the drawing to a few times the final size; measure how far each pixel is from the
paper, and scale that to 0 for paper and 255 for a stroke; find the bounding box of the ink, without dust; keep the
canvas or crop a square around the ink; average it down; compensate for the darkness that thin strokes lose by that.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sketchy.bands import crop_dark_borders
from sketchy.errors import ImageError
from sketchy.paper import (
    BlankError,
    Box,
    Paper,
    block_maxima,
    fast_quantile,
    find_flat_paper,
    find_lit_paper,
    find_painting,
)

INK_SPAN = 0.785
"""Longer side of the ink's box over the side of the canvas: the median of Sketchy (that of TU-Berlin is 0.786)."""

OVERSAMPLING = 4
"""Ink is measured at this many times the final size or more, if the canvas has enough pixels."""

DUST = 0.04
"""Specks far from the rest are left out of the ink's box as long as they are at most this share of the ink."""

Array = NDArray[np.uint8]


def normalise(image: Image.Image, size: int, crop: float, stretch: float | None = None) -> Array:
    """Return a drawing with dark ink on white.

    The canvas is extended to a square with paper. If the longer side of the ink's box is at most `crop` of the side of
    that square, the result is instead a square crop around the ink, of which the ink spans `INK_SPAN`. A drawing that
    covers the canvas, such as the outlines of a whole scene, is stretched to a square, as photos are.

    Args:
        image: A drawing of mode L or RGB and of any size.
        size: Width and height of the result in pixels, at least 16.
        crop: Largest share of the canvas that is cropped, from 0, which never crops, to 1, which always does.
        stretch: Share of the canvas's width, and of its height, from which on the ink covers it; None never stretches.

    Returns:
        Pixels, shape (size, size), uint8, ink towards 0 on white (255).

    Raises:
        ImageError: There is no ink, or only specks that cannot be seen at this size.
    """
    image = crop_dark_borders(image)
    flat = find_flat_paper(image)
    if flat:
        return _draw(image, flat, size, crop, stretch)
    try:
        return _draw(image, find_lit_paper(image), size, crop, stretch)
    except BlankError:
        return _draw(image, find_painting(image), size, crop, stretch)


def _draw(image: Image.Image, paper: Paper, size: int, crop: float, stretch: float | None) -> Array:
    factor = _shrink_factor(max(image.size), size)
    ink, textured = paper.ink(image, (0, 0, *image.size), factor)
    left, top, right, bottom = _box(ink)
    if stretch is not None and min((right - left) / ink.width, (bottom - top) / ink.height) >= stretch:
        return darken(ink, size)
    square = _choose_square(ink, crop)
    side = square[2] - square[0]
    finer = _shrink_factor(side * factor, size)
    if finer < factor and not (textured and side > 2 * size):  # a small drawing on a huge canvas
        left, top, right, bottom = (edge * factor for edge in square)
        ink = _ink_of_square(image, paper, (left, top, right, bottom), finer, textured)
        square = _choose_square(ink, crop=1)
    return darken(ink.crop(square), size)


def _ink_of_square(image: Image.Image, paper: Paper, square: Box, factor: int, textured: bool) -> Image.Image:
    """Find the ink of a square of the image, which may reach beyond its borders, at a finer scale."""
    part = _intersect(image, square)
    if not textured:
        return paper.ink(image, part, factor)[0]
    # Texture can be told from a drawing only with some of the page around the drawing.
    left, top, right, bottom = square
    margin = right - left
    wide = _intersect(image, (left - margin, top - margin, right + margin, bottom + margin))
    ink, _ = paper.ink(image, wide, factor)
    x, y = (part[0] - wide[0]) // factor, (part[1] - wide[1]) // factor
    return ink.crop((x, y, x + (part[2] - part[0]) // factor, y + (part[3] - part[1]) // factor))


def _intersect(image: Image.Image, box: Box) -> Box:
    return max(0, box[0]), max(0, box[1]), min(image.width, box[2]), min(image.height, box[3])


def _choose_square(ink: Image.Image, crop: float) -> Box:
    """Return the square of the ink that is kept, which may reach beyond the borders."""
    left, top, right, bottom = _box(ink)
    span, side = max(right - left, bottom - top), max(ink.size)
    across, down = ink.size
    if span <= crop * side:
        side = round(span / INK_SPAN)
        across, down = left + right, top + bottom
    x, y = (across - side) // 2, (down - side) // 2
    return x, y, x + side, y + side


def _box(ink: Image.Image) -> Box:
    """Return the bounding box of the ink, without dust."""
    mask = np.asarray(ink) >= 64
    left, right = _extent(mask.sum(0))
    top, bottom = _extent(mask.sum(1))
    return left, top, right, bottom


def _extent(mass: NDArray[np.integer]) -> tuple[int, int]:
    """Return the first and the end of the rows (or columns) with ink, without dust, given the ink of each."""
    filled = np.flatnonzero(mass)
    runs = np.split(filled, np.flatnonzero(np.diff(filled) > len(mass) / 20) + 1)
    weights = [int(mass[run].sum()) for run in runs]
    allowance = DUST * sum(weights)
    while len(runs) > 1:
        lighter = 0 if weights[0] <= weights[-1] else -1
        allowance -= weights[lighter]
        if allowance < 0:
            break
        del runs[lighter], weights[lighter]
    return int(runs[0][0]), int(runs[-1][-1]) + 1


def darken(ink: Image.Image, size: int) -> Array:
    """Resize ink and turn it to dark on white; strokes thinner than a pixel become as dark as one of a pixel.

    Raises:
        ImageError: The ink is only specks that cannot be seen at this size.
    """
    resampling = Image.Resampling.BOX if ink.width > size else Image.Resampling.BICUBIC
    small = np.asarray(ink.convert("F").resize((size, size), resampling))
    peaks = block_maxima(small, max(4, size // 12))
    visible = peaks[peaks >= 16]
    if not visible.size:
        raise ImageError(f"the sketch is blank: its ink is too small to show at {size}x{size} pixels")
    gain = min(max(255 / fast_quantile(visible, 0.5), 1), 2 * OVERSAMPLING)
    drawing: Array = np.clip(255.5 - small * gain, 0, 255).astype(np.uint8)
    return drawing


def _shrink_factor(side: int, size: int) -> int:
    return max(1, side // (OVERSAMPLING * size))
