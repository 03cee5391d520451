"""Sketches that hardly show anything: half drawings, and scribbles, dots and lines that a program draws."""

import numpy as np
from numpy.typing import NDArray

from sketchy.dataset.strokes import EXTENT, PEN, Drawing, render

SEED = 0

Pixels = NDArray[np.uint8]


def halved(sketches: Pixels, seed: int = SEED) -> Pixels:
    """Return sketches of which half is missing: the left, right, upper or lower half of the ink's box.

    Args:
        sketches: Preprocessed sketches, shape (N, 1, S, S).
        seed: Seed of the choice.
    """
    draw = np.random.default_rng(seed)
    result = sketches.copy()
    for sketch in result:
        rows, columns = np.nonzero(sketch[0] < 128)
        if not len(rows):
            continue
        middle = (rows.min() + rows.max()) // 2, (columns.min() + columns.max()) // 2
        lost = [np.s_[: middle[0]], np.s_[middle[0] :], np.s_[:, : middle[1]], np.s_[:, middle[1] :]][draw.integers(4)]
        sketch[0][lost] = 255
    return result


def scribbles(count: int, side: int, seed: int = SEED) -> Pixels:
    """Draw scribbles, dots and lines, about as many of each, as `sketchy.ink` normalises them.

    Returns:
        Preprocessed sketches, shape (count, 1, side, side).
    """
    draw = np.random.default_rng(seed)
    kinds = (_dots, _lines, _scribble, _loops)
    drawn = [render(kinds[number % len(kinds)](draw), side, PEN * draw.uniform(0.7, 3)) for number in range(count)]
    return np.array(drawn, np.uint8).reshape(count, 1, side, side)


def _joined(strokes: list[NDArray[np.float64]]) -> Drawing:
    """Return strokes with coordinates of any range as a drawing."""
    points = np.concatenate(strokes)
    points = points - points.min(0)
    points *= EXTENT / max(points.max(), 1e-6)
    return Drawing(points.astype(np.float32), np.cumsum([0, *(len(stroke) for stroke in strokes[:-1])]))


def _dots(draw: np.random.Generator) -> Drawing:
    """Draw one to six dots."""
    return _joined([centre + draw.normal(0, 0.01, (6, 2)) for centre in draw.random((draw.integers(1, 7), 2))])


def _lines(draw: np.random.Generator) -> Drawing:
    """Draw one to four lines, which are more or less straight."""
    steps = np.linspace(0, 1, 16)[:, np.newaxis]
    ends = draw.random((draw.integers(1, 5), 2, 2))
    bends = draw.normal(0, 0.1, (len(ends), 2))
    return _joined([a + (b - a) * steps + bend * steps * (1 - steps) for (a, b), bend in zip(ends, bends, strict=True)])


def _scribble(draw: np.random.Generator) -> Drawing:
    """Draw one to three strokes that go to and fro."""
    return _joined([_smooth(draw.random((draw.integers(5, 30), 2))) for _ in range(draw.integers(1, 4))])


def _loops(draw: np.random.Generator) -> Drawing:
    """Draw one to three strokes of loops and waves, each moving on."""
    strokes = []
    for _ in range(draw.integers(1, 4)):
        turns = np.linspace(0, 2 * np.pi * draw.uniform(1, 8), 120)
        width, height, shift = draw.uniform(0.05, 0.5, 3)
        x = width * np.cos(turns) + draw.random() + shift * turns / 6
        strokes.append(np.stack([x, height * np.sin(turns) + draw.random()], 1))
    return _joined(strokes)


def _smooth(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a path through corners with the corners cut off (Chaikin)."""
    for _ in range(3):
        a, b = corners[:-1], corners[1:]
        corners = np.stack([0.75 * a + 0.25 * b, 0.25 * a + 0.75 * b], 1).reshape(-1, 2)
    return corners
