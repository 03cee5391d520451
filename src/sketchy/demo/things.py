"""The things of the demo dataset: described in things.yaml, varied at random, and placed in a picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import Any, Literal

import numpy as np
import yaml
from numpy.random import Generator
from numpy.typing import NDArray

from sketchy.demo.raster import SIZE, Array, Points, Window, pick

Warp = Callable[[Points], Points]
CURVE_STEPS = 8
"""Points of a curve from each knot to the next."""


@dataclass(frozen=True)
class Category:
    """The description of a category; things.yaml explains the fields."""

    scenes: Sequence[str]
    parts: Sequence[dict[str, Any]]
    tilt: float = 4.0
    tall: float = 0.0
    long: float = 0.0
    colors: dict[str, str] = field(default_factory=dict)
    styles: Sequence[str] = ("plain",)


@dataclass(frozen=True, eq=False)
class Part:
    """A part of a thing: an area, or a line if it has a width.

    Colours are linear light. Lengths are in units of the thing at first, and in pixels once the thing is in a picture.
    things.yaml explains the fields.
    """

    paths: list[Points]
    within: list[Points]
    width: float
    color: Array
    fade: Array
    form: Literal["flat", "puff", "tube"]
    texture: str
    gloss: float
    ink: float


@dataclass(frozen=True, eq=False)
class Thing:
    """A thing in a picture.

    Attributes:
        parts: Its parts, from back to front.
        matrix: With `shift`, the transform from its own coordinates to pixels: `matrix @ point + shift`.
        shift: See `matrix`.
    """

    parts: list[Part]
    matrix: Points
    shift: Points

    @property
    def bottom(self) -> float:
        """The lowest row of pixels that the thing covers."""
        return float(max(path[:, 1].max() for part in self.parts for path in part.paths))

    def own_coordinates(self, window: Window) -> tuple[Array, Array]:
        """Return x and y of the pixels of a box, in the coordinates of the thing."""
        left, top, right, bottom = window
        pixels = np.stack(np.meshgrid(np.arange(left, right), np.arange(top, bottom)), axis=2) + 0.5
        own = ((pixels - self.shift) @ np.linalg.inv(self.matrix).T).astype(np.float32)
        return own[..., 0], own[..., 1]


DESCRIPTIONS = yaml.safe_load(files("sketchy.demo").joinpath("things.yaml").read_text("utf-8"))
CATEGORIES: dict[str, Category] = {name: Category(**fields) for name, fields in DESCRIPTIONS.items()}
"""The categories that can be drawn, which are in the Sketchy Database too, in alphabetical order."""


def draw_thing(category: Category, rng: Generator) -> Thing:
    """Return a random thing of the category, placed in a picture."""
    warp = draw_warp(rng, category.tall, category.long)
    style, turned = str(rng.choice(category.styles)), rng.random() < 0.5
    colors = {name: pick(rng, names) for name, names in category.colors.items()}

    def color(name: str) -> Array:
        base, _, factor = name.partition("*")
        known = colors[base] if base in colors else pick(rng, base)
        return np.asarray(np.minimum(known * float(factor or 1) ** 2.2, 0.93), np.float32)

    parts = []
    for fields in category.parts:
        if rng.random() < fields.get("chance", 1) and style in fields.get("style", style).split():
            side, fill = np.array([-1 if turned and fields.get("flip") else 1, 1]), color(fields["fill"])
            parts.append(
                Part(
                    [path * side for path in parse_paths(fields.get("area") or fields["line"], warp, "area" in fields)],
                    parse_paths(fields.get("within", ""), warp, True),
                    fields.get("width", 0.0),
                    fill,
                    color(fields["fade"]) if "fade" in fields else fill,
                    fields.get("form", "puff"),
                    str(rng.choice(fields.get("texture", "plain").split())),
                    fields.get("gloss", 0.0),
                    fields.get("ink", 1.0),
                )
            )
    return _place(parts, rng, category.tilt)


def _place(parts: list[Part], rng: Generator, tilt: float) -> Thing:
    """Place a thing completely inside the picture, tilted by up to `tilt` degrees."""
    angle = np.radians(rng.uniform(-tilt, tilt))
    spin = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = spin @ np.array([[rng.choice([-1.0, 1.0]), rng.normal(0, 0.03)], [0.0, rng.uniform(0.92, 1.08)]])
    points = np.concatenate([path for part in parts for path in part.paths]) @ matrix.T
    low, high = points.min(0), points.max(0)
    zoom = SIZE * rng.uniform(0.58, 0.9) / float((high - low).max())
    shift = (SIZE - zoom * (high - low)) * np.array([rng.uniform(0.2, 0.8), rng.uniform(0.3, 0.75)]) - zoom * low
    matrix *= zoom
    scale = np.sqrt(abs(np.linalg.det(matrix)))
    parts = [
        replace(
            part,
            paths=[path @ matrix.T + shift for path in part.paths],
            within=[path @ matrix.T + shift for path in part.within],
            width=max(part.width * scale, 0.9) if part.width else 0.0,
        )
        for part in parts
    ]
    return Thing(parts, matrix, shift)


def draw_warp(rng: Generator, tall: float, long: float) -> Warp:
    """Return a random function that changes proportions smoothly: widths along the height, heights along the length."""
    strength = rng.normal(0, 1, (4, 3)) * np.array([[tall], [tall / 2], [long], [long / 2]])
    phase = rng.uniform(-np.pi, np.pi, (4, 3))

    def wave(index: int, at: Points) -> Points:
        return np.asarray((strength[index] * np.sin(at[:, None] * (0.8, 1.6, 2.4) + phase[index])).sum(1) * 0.7)

    def warp(points: Points) -> Points:
        x, y = points.T
        return np.stack([x * np.exp(wave(0, y)) + wave(3, x), y * np.exp(wave(2, x)) + wave(1, y)], axis=1)

    return warp


def parse_paths(text: str, warp: Warp, closed: bool) -> list[Points]:
    """Parse the paths of a part, as described in things.yaml, and apply `warp` to them."""
    return [path for piece in text.split(";") if piece.strip() for path in _parse_path(piece.split(), warp, closed)]


def _parse_path(words: list[str], warp: Warp, closed: bool) -> list[Points]:
    copies, center = 0, np.zeros((1, 2))
    if words[0][0] == "@":
        copies, center = int(words[0][1:]), warp(np.array([words[1].split(",")], np.float64))
        words = words[2:]
    marks = words[0] if words[0][0] in "=|LBO" else ""
    words = words[1:] if marks else words
    knots = np.array([word.rstrip("!").split(",") for word in words], np.float64)
    corner = np.array([word.endswith("!") or "L" in marks for word in words])
    if "B" in marks:
        (left, top), (right, bottom) = knots
        knots, corner = np.array([(left, top), (right, top), (right, bottom), (left, bottom)]), np.ones(4, np.bool_)
    elif "O" in marks:
        angle = np.arange(12) * np.pi / 6
        knots = knots[0] + knots[1] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        corner, closed = np.zeros(12, np.bool_), True
    elif "|" in marks:
        off_axis = np.flatnonzero(np.abs(knots[:, 0]) > 1e-9)[::-1]
        knots = np.concatenate([knots, knots[off_axis] * (-1, 1)])
        corner = np.concatenate([corner, corner[off_axis]])
    found = [knots, knots * (-1, 1)] if "=" in marks else [knots]
    if copies:
        turns = np.arange(copies) * 2 * np.pi / copies
        spins = [np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) for turn in turns]
        return [curve(each @ spin + center, corner, closed) for each in found for spin in spins]
    return [curve(warp(each), corner, closed) for each in found]


def curve(knots: Points, corner: NDArray[np.bool_], closed: bool) -> Points:
    """Return the Catmull-Rom curve through the knots, which is straight between two corners."""
    here, there = knots, np.roll(knots, -1, 0)
    sharp = corner.copy()
    if not closed:
        sharp[[0, -1]] = True
    before = np.where(sharp[:, None], 2 * here - there, np.roll(knots, 1, 0))
    after = np.where(np.roll(sharp, -1)[:, None], 2 * there - here, np.roll(knots, -2, 0))
    t = np.arange(CURVE_STEPS)[:, None, None] / CURVE_STEPS
    curve = 0.5 * (
        2 * here
        + (there - before) * t
        + (2 * before - 5 * here + 4 * there - after) * t**2
        + (3 * (here - there) + after - before) * t**3
    )
    count = len(knots) if closed else len(knots) - 1
    points = curve[:, :count].transpose(1, 0, 2).reshape(-1, 2)
    return np.concatenate([points, knots[:1] if closed else knots[-1:]])
