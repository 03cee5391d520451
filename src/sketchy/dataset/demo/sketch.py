"""The "sketches" of the demo set: the visible lines of a thing, as a quick hand would trace them."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from sketchy.dataset.demo.pose import SIZE, Pose
from sketchy.dataset.demo.raster import coverage
from sketchy.dataset.demo.shapes import Part, Points, arc

Flags = NDArray[np.bool_]
Labels = NDArray[np.uint8]

STEP = 2.0
"""Pixels between the points of a line while it is worked on."""

REACH = 3
"""Points to either side by which the turn of a line is measured."""

CORNER_DEGREES = 50.0
"""A line that turns by this much within that reach has a corner there."""

BEND_DEGREES = 45.0
"""A stroke is guided by a point at least this often, however small it is."""

SHORTEST = 5.0
"""Pixels below which a piece of line that shows between other things is not worth a stroke."""


@dataclass(frozen=True, eq=False)
class Line:
    """A visible piece of a part's outline or path, (N, 2) pixels; the lines of one part come and go together."""

    points: Points
    part: int
    ink: float


@dataclass(frozen=True, eq=False)
class Hand:
    """How somebody draws, on one occasion. Lengths in pixels."""

    wobble: float
    stride: float
    slip: float
    detail: float
    lifts: float
    pen: float
    twist: Points
    offset: Points
    sway: Points

    @classmethod
    def draw(cls, rng: Generator) -> "Hand":
        """Return a hand between a careful and a hasty one."""
        haste = rng.uniform(0.2, 1.0)
        return cls(
            wobble=0.4 + 1.0 * haste,
            stride=14 + 16 * haste,
            slip=0.8 + 2.4 * haste,
            detail=rng.uniform(0.4, 1.6),
            lifts=rng.uniform(0.0, 0.8),
            pen=rng.uniform(1.4, 2.0),
            twist=np.eye(2) + rng.normal(0, 0.03 * haste, (2, 2)),
            offset=rng.normal(0, 2.5 * haste, 2),
            sway=rng.uniform(-1, 1, (4, 2)) * np.array([[2.5 * haste], [2.5 * haste], [np.pi], [np.pi]]),
        )

    def misplaced(self, points: Points) -> Points:
        """Return points where this hand sees them: scaled, turned, shifted and gently bent as a whole."""
        center = SIZE / 2
        moved = (points - center) @ self.twist.T + center + self.offset
        bend, sway, bend_phase, sway_phase = self.sway
        waves = bend * np.sin(points[:, ::-1] / 34 + bend_phase) + sway * np.sin(points / 47 + sway_phase)
        return np.asarray(moved + waves)


def trace(lines: Sequence[Line], rng: Generator) -> Image.Image:
    """Return a 256x256 grey picture, dark ink on white, of the lines as one hand would draw them."""
    hand = Hand.draw(rng)
    shown = {
        part: rng.random() < ink ** (1 / hand.detail) for part, ink in {line.part: line.ink for line in lines}.items()
    }
    strokes = [stroke for line in lines if shown[line.part] for stroke in _strokes(line.points, hand, rng)]
    ink = coverage((0, 0, SIZE, SIZE), strokes, hand.pen) * rng.uniform(0.8, 1.0)
    return Image.fromarray(np.round(255 * (1 - ink)).astype(np.uint8))


def visible_lines(parts: Sequence[Part], pose: Pose) -> list[Line]:
    """Return the lines of the parts, in pixels, where no other part hides them."""
    placed = [
        tuple([pose.place(path) for path in paths] for paths in (part.paths, part.holes, part.within)) for part in parts
    ]
    owner = Image.new("L", (SIZE, SIZE))
    for number, (part, (paths, holes, within)) in enumerate(zip(parts, placed, strict=True)):
        if not part.width and part.ink:
            owner.paste(number, mask=_mask(paths, holes, within))
    top = np.asarray(owner.filter(ImageFilter.MinFilter(3)))
    lines = []
    for number, (part, (paths, holes, within)) in enumerate(zip(parts, placed, strict=True)):
        if not part.ink:
            continue
        for path in [*paths, *holes]:
            points = _evenly(path)
            hidden = _at(top, points) > number
            if within:
                hidden |= _at(np.asarray(_mask(within, [], [])), points) == 0
            if not part.width:
                hidden |= _swallowed(points, path, paths)
            lines += [Line(piece, number, part.ink) for piece in _pieces(points, ~hidden)]
    return lines


def _swallowed(points: Points, path: Points, paths: Sequence[Points]) -> Flags:
    """Say which points of an outline lie well inside another outline of the same area."""
    inside = np.zeros(len(points), np.bool_)
    if not any(path is outline for outline in paths):
        return inside
    for other in paths:
        apart = (other.min(0) > points.max(0)).any() or (other.max(0) < points.min(0)).any()
        if other is not path and not apart:
            inside |= _at(np.asarray(_mask([other], [], []).filter(ImageFilter.MinFilter(3))), points) > 0
    return inside


def _strokes(line: Points, hand: Hand, rng: Generator) -> Iterator[Points]:
    """Redraw one line: lifted at corners and now and then between, each stroke off by a little."""
    line = hand.misplaced(line)
    closed = bool(np.linalg.norm(line[0] - line[-1]) < STEP)
    corners = _corners(line)
    if closed and not corners:
        start, over = int(rng.integers(len(line))), int(rng.integers(0, 4))
        line = np.concatenate([line[start:], line[1 : start + 1 + over]])
    breaks = [at for at in corners if rng.random() < hand.lifts]
    if len(line) > 50 and rng.random() < hand.lifts:
        breaks.append(int(rng.integers(15, len(line) - 15)))
    edges = sorted({0, *breaks, len(line) - 1})
    for start, end in itertools.pairwise(edges):
        if end - start >= 2:
            yield _wobbled(line[start : end + 1], [at - start for at in corners if start < at < end], hand, rng)


def _wobbled(line: Points, corners: Sequence[int], hand: Hand, rng: Generator) -> Points:
    """Return a stroke through a few points of the line, each missed by a little, that ends early or late."""
    length = (len(line) - 1) * STEP
    slack = hand.wobble * min(1.0, length / 60)
    whole = rng.normal(0, slack / 2, 2)
    pieces: list[Points] = []
    for start, end in zip([0, *corners], [*corners, len(line) - 1], strict=True):
        piece = line[start : end + 1]
        count = max(round((end - start) * STEP / hand.stride), round(float(_turns(piece).sum()) / BEND_DEGREES), 1)
        at = np.linspace(0, end - start, count + 1).round().astype(int)
        knots = piece[at] + whole + rng.normal(0, slack, (count + 1, 2))
        if pieces:
            knots[0] = pieces[-1][-1]
        pieces.append(knots)
    for knots, end, before in ((pieces[0], 0, 1), (pieces[-1], -1, -2)):
        along = knots[end] - knots[before]
        reach = float(np.linalg.norm(along)) + 1e-6
        knots[end] += along / reach * np.clip(rng.normal(0, hand.slip), -0.3 * reach, 0.1 * length)
    return np.concatenate([arc(*map(tuple, knots.tolist())) for knots in pieces])


def _corners(line: Points) -> list[int]:
    """Return where a line turns sharply, ends excluded."""
    if len(line) < 2 * REACH + 1:
        return []
    ahead = line[2 * REACH :] - line[REACH:-REACH]
    behind = line[REACH:-REACH] - line[: -2 * REACH]
    turn = _angles(behind, ahead)
    found: list[int] = []
    for at in np.argsort(-turn, kind="stable"):
        if turn[at] >= CORNER_DEGREES and all(abs(at + REACH - other) > REACH for other in found):
            found.append(int(at) + REACH)
    return sorted(found)


def _turns(line: Points) -> NDArray[np.float64]:
    """Return the degrees by which a line turns at each of its inner points."""
    ways = np.diff(line, axis=0)
    return _angles(ways[:-1], ways[1:])


def _angles(before: Points, after: Points) -> NDArray[np.float64]:
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    return np.asarray(np.degrees(np.abs(np.arctan2(cross, (before * after).sum(1)))))


def _pieces(points: Points, shown: Flags) -> Iterator[Points]:
    """Yield the runs of a line that are shown; of a closed one the last and the first run are one."""
    if shown.all():
        yield points
        return
    if np.linalg.norm(points[0] - points[-1]) < STEP / 2 and shown[0] and shown[-1]:
        start = int(np.flatnonzero(~shown)[0])
        points, shown = np.roll(points[:-1], -start, axis=0), np.roll(shown[:-1], -start)
    edges = np.flatnonzero(np.diff(shown.astype(int), prepend=0, append=0))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if (end - start) * STEP >= SHORTEST:
            yield points[start:end]


def _evenly(path: Points) -> Points:
    """Return the path with its points one step apart."""
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    marks = np.linspace(0, lengths[-1], max(7, round(lengths[-1] / STEP) + 1))
    return np.stack([np.interp(marks, lengths, path[:, axis]) for axis in (0, 1)], axis=1)


def _mask(paths: Sequence[Points], holes: Sequence[Points], within: Sequence[Points]) -> Image.Image:
    """Return the filled pixels, 255, of an area, without smooth edges."""
    sheet = Image.new("L", (SIZE, SIZE))
    pen = ImageDraw.Draw(sheet)
    for value, outlines in ((255, paths), (0, holes)):
        for outline in outlines:
            pen.polygon([(x, y) for x, y in outline.tolist()], fill=value)
    if within:
        sheet = Image.composite(sheet, Image.new("L", sheet.size), _mask(within, [], []))
    return sheet


def _at(picture: Labels, points: Points) -> Labels:
    x, y = np.clip(points.astype(int), 0, SIZE - 1).T
    return np.asarray(picture[y, x])
