"""From shapes to pixels, with smooth edges."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from sketchy.dataset.demo.shapes import Array, Points

OVERSAMPLE = 4
"""Shapes are drawn this much larger and shrunk."""


def coverage(
    window: tuple[int, int, int, int], paths: Sequence[Points], width: float = 0.0, holes: Sequence[Points] = ()
) -> Array:
    """Return how much of each pixel the shapes cover, 0 to 1.

    Args:
        window: left, top, right and bottom of the wanted pixels.
        paths: in pixels; outlines to fill, or, with a width, lines to follow with a round pen.
        width: of the pen in pixels; 0 fills.
        holes: outlines to cut out.

    Returns:
        (bottom - top, right - left) float32.
    """
    left, top, right, bottom = window
    sheet = Image.new("L", ((right - left) * OVERSAMPLE, (bottom - top) * OVERSAMPLE))
    pen = ImageDraw.Draw(sheet)
    for path in paths:
        dots = _dots(path, left, top)
        if width > 0:
            radius = width * OVERSAMPLE / 2
            pen.line(dots, fill=255, width=max(1, round(2 * radius)), joint="curve")
            for x, y in (dots[0], dots[-1]):
                pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        else:
            pen.polygon(dots, fill=255)
    for hole in holes:
        pen.polygon(_dots(hole, left, top), fill=0)
    return np.asarray(sheet.reduce(OVERSAMPLE), np.float32) / 255


def _dots(path: Points, left: int, top: int) -> list[tuple[float, float]]:
    return [(x, y) for x, y in ((path - (left, top)) * OVERSAMPLE).tolist()]
