"""Drawings kept as strokes: reading them, drawing them with any pen, and changing them as people's drawings differ."""

import json
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from sketchy.ink import INK_SPAN, darken

EXTENT = 4095
"""Longer side of the box of a drawing's points."""

FINER = 3
"""A drawing is drawn at this many times its final size."""

PEN = 1.2 / 160
"""Width of a pen over the side of the canvas, as in sketches of the Sketchy Database and of TU-Berlin."""

Points = NDArray[Any]


class Drawing(NamedTuple):
    """The strokes of one drawing, in the order in which they were drawn.

    Attributes:
        points: Shape (P, 2), P >= 1: x to the right and y down, at most EXTENT.
        starts: Index of the first point of each stroke, shape (K,), ascending from 0.
    """

    points: Points
    starts: NDArray[np.int64]

    def strokes(self) -> list[Points]:
        """Return the points of each stroke."""
        return np.split(self.points, self.starts[1:])


def parse(line: bytes) -> tuple[str, Drawing]:
    """Read a line of a QuickDraw `.ndjson` file.

    Args:
        line: `{"word": .., "recognized": .., "drawing": [[[x, ..], [y, ..]], ..]}`; further fields, and a third list of
            times in each stroke, are ignored.

    Returns:
        The word, and the drawing.

    Raises:
        ValueError: It is none, it has no points, or the word was not recognized in it.
    """
    try:
        fields = json.loads(line)
        word, recognized = fields["word"], fields.get("recognized", True)
        strokes = [np.array(stroke[:2], np.float32).T for stroke in fields["drawing"] if stroke[0]]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        raise ValueError("not a drawing") from None
    if not isinstance(word, str) or any(stroke.ndim != 2 for stroke in strokes):
        raise ValueError("not a drawing")
    if not recognized:
        raise ValueError(NOT_RECOGNIZED)
    if not strokes:
        raise ValueError("a drawing without points")
    points = np.concatenate(strokes)
    points -= points.min(0)
    if not np.isfinite(points).all():
        raise ValueError("not a drawing")
    starts = np.cumsum([0, *(len(stroke) for stroke in strokes[:-1])])
    return word, Drawing(np.rint(points * (EXTENT / max(points.max(), 1e-6))).astype(np.int16), starts)


NOT_RECOGNIZED = "not recognized by QuickDraw"
"""Why a drawing is left out that QuickDraw's own network did not take for its word."""


def first_part(drawing: Drawing, share: float) -> Drawing:
    """Return a drawing as it was when this share of its strokes was there: in (0, 1], at least one stroke."""
    kept = max(1, round(share * len(drawing.starts)))
    return drawing if kept >= len(drawing.starts) else _joined(drawing.strokes()[:kept])


def altered(drawing: Drawing, draw: np.random.Generator) -> tuple[Drawing, float]:
    """Change a drawing: an unfinished one, lost and shortened strokes, an unsteady hand; and choose another pen.

    Args:
        drawing: The drawing.
        draw: Source of all choices.

    Returns:
        The changed drawing, and the width of the pen over the side of the canvas.
    """
    part, lose, shorten, wobble = draw.random(4)
    if part < 0.3:
        drawing = first_part(drawing, draw.uniform(0.3, 1))
    strokes = drawing.strokes()
    if lose < 0.3:
        kept = draw.random(len(strokes)) < 0.85
        strokes = [stroke for stroke, keep in zip(strokes, kept, strict=True) if keep] or strokes[:1]
    if shorten < 0.3:
        ends = draw.uniform(0.7, 1, len(strokes))
        strokes = [stroke[: max(2, round(end * len(stroke)))] for stroke, end in zip(strokes, ends, strict=True)]
    if wobble < 0.5:
        size = EXTENT * draw.uniform(0, 0.012)
        strokes = [stroke + draw.normal(0, size, stroke.shape).astype(np.float32) for stroke in strokes]
    return _joined(strokes), PEN * float(np.exp(draw.uniform(np.log(0.6), np.log(3))))


def render(drawing: Drawing, side: int, pen: float = PEN) -> NDArray[np.uint8]:
    """Draw a drawing as `sketchy.ink` normalises one: dark on white, in the middle, its ink spanning INK_SPAN.

    Args:
        drawing: The drawing.
        side: Width and height in pixels.
        pen: Width of the pen over the side.

    Returns:
        Pixels, shape (side, side), uint8.
    """
    canvas = side * FINER
    points = drawing.points.astype(np.float32)
    low, high = points.min(0), points.max(0)
    scale = INK_SPAN * canvas / max(float((high - low).max()), EXTENT / 50)
    points = (points - (low + high) / 2) * scale + (canvas - 1) / 2
    width = max(1, round(pen * canvas))
    image = Image.new("L", (canvas, canvas))
    draw = ImageDraw.Draw(image)
    for stroke in np.split(points, drawing.starts[1:]):
        if len(stroke) == 1:
            x, y = stroke[0].tolist()
            draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=255)
        else:
            draw.line(stroke.ravel().tolist(), fill=255, width=width)
    return darken(image, side)


def _joined(strokes: list[Points]) -> Drawing:
    points = np.concatenate(strokes)
    return Drawing(points, np.cumsum([0, *(len(stroke) for stroke in strokes[:-1])]))
