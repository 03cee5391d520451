"""Turn a drawing of any origin into dark ink on white, of one size.

Clean scans, white on black, coloured pens, grey canvases, photographed paper, hairlines on huge canvases: all are
made to look like the sketches that a network is trained on. Those themselves come out as they were, resized.

The steps: find the paper; shrink to a few times the final size; measure how far each pixel is from the paper, and
stretch that to 0 for paper, 255 for a stroke; find the box of the ink, without dust; keep the canvas or cut a square
around the ink; average it down; make up for the darkness that thin strokes lose by that.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sketchy.errors import ImageError
from sketchy.paper import BlankError, Box, Paper, find_flat_paper, find_lit_paper, find_painting, peaks_of, quantile_of

INK_SPAN = 0.785
"""Longer side of the ink's box over the side of the canvas: the median of Sketchy (of TU-Berlin, 0.786)."""

OVERSAMPLING = 4
"""Ink is looked for at this many times the final size or more, where the canvas has the pixels."""

DUST = 0.04
"""Specks far from the rest do not count for the ink's box while they are at most this share of the ink."""

Array = NDArray[np.uint8]


def normalise(image: Image.Image, size: int, crop: float) -> Array:
    """Return a drawing as (size, size) uint8, ink towards 0 on white 255.

    The canvas is made square by adding paper. When the longer side of the ink's box is at most `crop` of that
    square's side, a square is cut around the ink instead, of which the ink spans `INK_SPAN`.

    Args:
        image: mode L or RGB, of any size.
        size: side of the result in pixels, at least 16.
        crop: from 0, which keeps every canvas whole, to 1, which cuts every one.

    Raises:
        ImageError: there is no ink, or only specks that vanish at this size.
    """
    flat = find_flat_paper(image)
    if flat:
        return _draw(image, flat, size, crop)
    try:
        return _draw(image, find_lit_paper(image), size, crop)
    except BlankError:
        return _draw(image, find_painting(image), size, crop)


def _draw(image: Image.Image, paper: Paper, size: int, crop: float) -> Array:
    factor = _factor(max(image.size), size)
    ink, textured = paper.ink(image, (0, 0, *image.size), factor)
    square = _square(ink, crop)
    side = square[2] - square[0]
    closer = _factor(side * factor, size)
    if closer < factor and not (textured and side > 2 * size):  # a small drawing on a huge canvas: look at it again
        left, top, right, bottom = (edge * factor for edge in square)
        # Texture can only be told from a drawing where there is page around it.
        margin = right - left if textured else 0
        part = _within(image, (left, top, right, bottom))
        wide = _within(image, (left - margin, top - margin, right + margin, bottom + margin))
        ink, _ = paper.ink(image, wide, closer)
        x, y = (part[0] - wide[0]) // closer, (part[1] - wide[1]) // closer
        if textured:
            ink = ink.crop((x, y, x + (part[2] - part[0]) // closer, y + (part[3] - part[1]) // closer))
        square = _square(ink, crop=1)
    return _render(ink.crop(square), size)


def _within(image: Image.Image, box: Box) -> Box:
    return max(0, box[0]), max(0, box[1]), min(image.width, box[2]), min(image.height, box[3])


def _square(ink: Image.Image, crop: float) -> Box:
    """Choose the square of the ink that is kept; it may reach beyond the ink's borders."""
    mask = np.asarray(ink) >= 64
    left, right = _extent(mask.sum(0))
    top, bottom = _extent(mask.sum(1))
    span, side = max(right - left, bottom - top), max(ink.size)
    across, down = ink.size
    if span <= crop * side:
        side = round(span / INK_SPAN)
        across, down = left + right, top + bottom
    x, y = (across - side) // 2, (down - side) // 2
    return x, y, x + side, y + side


def _extent(mass: NDArray[np.integer]) -> tuple[int, int]:
    """Return first and end of the rows (or columns) with ink, given how much each has, without dust."""
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


def _render(ink: Image.Image, size: int) -> Array:
    """Resize and turn to dark on white; strokes of less than a pixel become as dark as one of a pixel.

    Raises:
        ImageError: all ink is specks that this size cannot show.
    """
    smooth = Image.Resampling.BOX if ink.width > size else Image.Resampling.BICUBIC
    small = np.asarray(ink.convert("F").resize((size, size), smooth))
    peaks = peaks_of(small, max(4, size // 12))
    visible = peaks[peaks >= 16]
    if not visible.size:
        raise ImageError(f"the sketch is blank: its ink is too small to show at {size}x{size} pixels")
    gain = min(max(255 / quantile_of(visible, 0.5), 1), 2 * OVERSAMPLING)
    drawing: Array = np.clip(255.5 - small * gain, 0, 255).astype(np.uint8)
    return drawing


def _factor(side: int, size: int) -> int:
    return max(1, side // (OVERSAMPLING * size))
