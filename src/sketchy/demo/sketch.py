"""The sketches of the demo dataset: the visible lines of a thing, as if traced quickly by hand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from sketchy.demo.raster import SIZE, Points, coverage
from sketchy.demo.things import Thing, curve, draw_warp

STEP = 2.0
"""Distance between the points of a line in pixels."""
REACH = 3
"""Points to either side of a corner over which a line turns."""


@dataclass(frozen=True, eq=False)
class Line:
    """A visible piece of the outline or path of a part.

    Attributes:
        points: Its points in pixels, shape (N, 2).
        part: Index of the part; either all of its lines are drawn or none.
        ink: Probability that they are drawn.
    """

    points: Points
    part: int
    ink: float


def trace(lines: Sequence[Line], rng: Generator) -> Image.Image:
    """Return a sketch of the lines, grey, 256x256, dark on white, drawn carefully or hastily."""
    haste, detail, lifts = rng.uniform((0.2, 0.4, 0.0), (1.0, 1.6, 0.8)).tolist()
    distort = draw_warp(rng, 0.04 * haste, 0.04 * haste)
    inks = {line.part: line.ink for line in lines}
    shown = {part: rng.random() < ink ** (1 / detail) for part, ink in inks.items()}
    strokes = []
    for line in lines:
        if shown[line.part]:
            seen = distort(line.points / SIZE * 2 - 1) * (SIZE / 2) + SIZE / 2
            strokes += [_distort_stroke(piece, haste, rng) for piece in _split_into_strokes(seen, lifts, rng)]
    ink = coverage(strokes, width=rng.uniform(1.4, 2.0)) * rng.uniform(0.8, 1.0)
    return Image.fromarray(np.round(255 * (1 - ink)).astype(np.uint8))


def visible_lines(thing: Thing) -> list[Line]:
    """Return the lines of the parts of a thing that no other part hides."""
    drawn = [(index, part) for index, part in enumerate(thing.parts) if part.ink]
    owner = np.zeros((SIZE, SIZE), np.uint8)
    for index, part in drawn:
        if not part.width:
            owner[coverage(part.paths, part.within, oversample=1) > 0] = index
    top = np.asarray(Image.fromarray(owner).filter(ImageFilter.MinFilter(3)))
    lines = []
    for index, part in drawn:
        limit = coverage(part.within, oversample=1) if part.within else np.ones_like(owner)
        insides = [np.zeros_like(owner) for _ in part.paths]
        if len(part.paths) > 1 and not part.width:  # no lines where the outlines of one body overlap
            insides = [(coverage([path], oversample=1) > 0).astype(np.uint8) for path in part.paths]
        covered = np.sum(insides, axis=0)
        for path, inside in zip(part.paths, insides, strict=True):
            points = _resample(path)
            shown = (
                (_pixels_at(top, points) <= index)
                & (_pixels_at(limit, points) > 0)
                & (_pixels_at(covered - inside, points) == 0)
            )
            lines += [Line(piece, index, part.ink) for piece in _visible_runs(points, shown)]
    return lines


def _split_into_strokes(line: Points, lifts: float, rng: Generator) -> Iterator[Points]:
    """Yield the strokes of a line: the pen is lifted at some corners, and sometimes between them."""
    corners = _corners(line)
    if np.linalg.norm(line[0] - line[-1]) < STEP and not corners:
        start, over = int(rng.integers(len(line))), int(rng.integers(0, 4))
        line = np.concatenate([line[start:], line[1 : start + 1 + over]])
    breaks = [at for at in corners if rng.random() < lifts]
    if len(line) > 50 and rng.random() < lifts:
        breaks.append(int(rng.integers(15, len(line) - 15)))
    for start, end in pairwise(sorted({0, *breaks, len(line) - 1})):
        if end - start >= 2:
            yield line[start : end + 1]


def _distort_stroke(line: Points, haste: float, rng: Generator) -> Points:
    """Return the line with small random deviations to both sides, and with ends that are too short or too long."""
    length = (len(line) - 1) * STEP
    slack = (0.4 + haste) * min(1.0, length / 60)
    count = max(round(length / (14 + 16 * haste)), 1) + 1
    stray = curve(rng.normal(0, slack, (count, 2)), np.zeros(count, np.bool_), closed=False)
    at = np.linspace(0, len(stray) - 1, len(line)).round().astype(int)
    stroke = line + stray[at] + rng.normal(0, slack / 2, 2)
    for tip, inner in ((0, 2), (-1, -3)):
        along = stroke[tip] - stroke[inner]
        late = min(rng.normal(0, 0.8 + 2.4 * haste), 0.1 * length)
        stroke[tip] += along / (np.linalg.norm(along) + 1e-6) * max(late, -STEP)
    return np.asarray(stroke)


def _corners(line: Points) -> list[int]:
    """Return the indices where a line turns by 50 degrees or more within REACH points to either side."""
    if len(line) <= 2 * REACH:
        return []
    ways = line[REACH:] - line[:-REACH]
    before, after = ways[:-REACH], ways[REACH:]
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    turn = np.degrees(np.abs(np.arctan2(cross, (before * after).sum(1))))
    sharpest = np.lib.stride_tricks.sliding_window_view(np.pad(turn, REACH), 2 * REACH + 1).max(1)
    return [int(at) + REACH for at in np.flatnonzero((turn >= 50) & (turn == sharpest))]


def _visible_runs(points: Points, shown: NDArray[np.bool_]) -> Iterator[Points]:
    """Yield the visible runs of a line; the last and the first run of a closed line are joined."""
    if shown.all():
        yield points
        return
    if np.linalg.norm(points[0] - points[-1]) < STEP / 2 and shown[0] and shown[-1]:
        start = int(np.flatnonzero(~shown)[0])
        points, shown = np.roll(points[:-1], -start, axis=0), np.roll(shown[:-1], -start)
    edges = np.flatnonzero(np.diff(shown.astype(int), prepend=0, append=0))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if (end - start) * STEP >= 5:  # shorter runs, in pixels, are not drawn
            yield points[start:end]


def _resample(path: Points) -> Points:
    """Return the path with points at a distance of `STEP`."""
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    marks = np.linspace(0, lengths[-1], max(7, round(lengths[-1] / STEP) + 1))
    return np.stack([np.interp(marks, lengths, path[:, axis]) for axis in (0, 1)], axis=1)


def _pixels_at(picture: NDArray[Any], points: Points) -> NDArray[Any]:
    x, y = np.clip(points.astype(int), 0, SIZE - 1).T
    return np.asarray(picture[y, x])
