"""The words in which a thing of the demo set is described: curves, and parts made of them.

A thing is a list of parts from back to front, in its own coordinates: x to the right, y down, both about -1 to
1. A part is an area (outlines and holes) or a stroke (paths and a width) with a colour and a few words on how it
looks in a photo (`form`, `texture`, `gloss`) and how likely a sketch shows it (`ink`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""A polyline, (N, 2). A closed one ends where it begins."""

Array = NDArray[np.floating]
"""Values on a grid of pixels, float32."""

Color = tuple[float, float, float]
"""sRGB, 0 to 1."""

Form = Literal["flat", "puff", "tube"]
"""How a part catches the light: as a plate, as a cushion, or as turned about its own upright axis."""

PALETTE = {
    "red": "c8201e", "crimson": "8e1220", "orange": "e0701a", "yellow": "e8b820", "cream": "efe3c4",
    "green": "5b8f2a", "lime": "9dbb3c", "forest": "2f5d2c", "teal": "1f8080", "sky": "74b3de",
    "blue": "2456a8", "navy": "1d2b53", "purple": "6b3b93", "pink": "e28aa5", "white": "f0eeea",
    "silver": "b9bcc0", "grey": "7d8084", "charcoal": "3a3b3f", "black": "1d1c1e", "brown": "6b4226",
    "tan": "c49a62", "chestnut": "8a4b22", "straw": "d8b768", "gold": "d2a02c", "brick": "9c4a36",
}  # fmt: skip


def pick(rng: Generator, *names: str) -> Color:
    """Return one of these colours of the palette, a little off, as things in the world are."""
    value = PALETTE[names[rng.integers(len(names))]]
    base = np.array([int(value[at : at + 2], 16) / 255 for at in (0, 2, 4)])
    red, green, blue = np.clip(base * rng.uniform(0.85, 1.12) + rng.normal(0, 0.025, 3), 0.02, 0.97)
    return float(red), float(green), float(blue)


def shade(color: Color, factor: float) -> Color:
    """Return the colour darker (factor below 1) or lighter (above)."""
    red, green, blue = (min(channel * factor, 0.97) for channel in color)
    return red, green, blue


@dataclass(frozen=True, eq=False)
class Part:
    """An area (`width` 0: the union of `paths` less `holes`, a decal on `within`) or a stroke along `paths`."""

    color: Color
    paths: tuple[Points, ...]
    width: float = 0.0
    holes: tuple[Points, ...] = ()
    within: tuple[Points, ...] = ()
    form: Form = "flat"
    texture: str = "plain"
    gloss: float = 0.0
    fade: Color | None = None
    ink: float = 1.0


def area(
    color: Color,
    *outlines: Points,
    holes: Sequence[Points] = (),
    within: Sequence[Points] = (),
    form: Form = "flat",
    texture: str = "plain",
    gloss: float = 0.0,
    fade: Color | None = None,
    ink: float = 1.0,
) -> Part:
    """Fill closed outlines, as one body where they overlap.

    Args:
        color: sRGB.
        *outlines: closed curves.
        holes: closed curves cut out of it.
        within: closed curves of the body it is painted on: nothing of it shows outside, and it takes their roundness.
        form: how it catches the light.
        texture: a key of `textures.TEXTURES`.
        gloss: 0 matt, 0.5 glazed, 1 polished metal.
        fade: a second colour, into which the first one runs unevenly from top to bottom.
        ink: chance that a sketch shows it; 0 for what only a photo has.
    """
    return Part(color, outlines, 0.0, tuple(holes), tuple(within), form, texture, gloss, fade, ink)


def stroke(color: Color, width: float, *paths: Points, gloss: float = 0.0, ink: float = 1.0) -> Part:
    """Draw a round bar along each path; a sketch shows its middle line. `width` is in the thing's own units."""
    return Part(color, paths, width, (), (), "puff", "plain", gloss, None, ink)


def line(*points: tuple[float, float]) -> Points:
    """Join the points by straight lines."""
    return np.array(points, dtype=np.float64)


def poly(*points: tuple[float, float]) -> Points:
    """Join the points by straight lines, and the last to the first."""
    return line(*points, points[0])


def arc(*points: tuple[float, float]) -> Points:
    """Run a smooth open curve through the points."""
    knots = line(*points)
    ends = 2 * knots[[0, -1]] - knots[[1, -2]]
    return _through(np.concatenate([ends[:1], knots, ends[1:]]))


def loop(*points: tuple[float, float]) -> Points:
    """Run a smooth closed curve through the points."""
    return _through(line(points[-1], *points, points[0], points[1]))


def mirrored(*right: tuple[float, float]) -> Points:
    """Run a smooth closed curve through the points, which go down the right half, and their mirror images."""
    left = [(-x, y) for x, y in reversed(right) if abs(x) > 1e-9]
    return loop(*right, *left)


def oval(x: float, y: float, across: float, down: float | None = None) -> Points:
    """Return an ellipse about (x, y); `across` and `down` are its radii, equal if one is given."""
    return bow(x, y, across, across if down is None else down, 0, 360)


def bow(x: float, y: float, across: float, down: float, start: float, end: float) -> Points:
    """Return a piece of an ellipse, from one angle to another in degrees, clockwise from the right."""
    angle = np.radians(np.linspace(start, end, max(12, int(abs(end - start) / 6))))
    return np.stack([x + across * np.cos(angle), y + down * np.sin(angle)], axis=1)


def box(left: float, top: float, right: float, bottom: float, corner: float = 0.0) -> Points:
    """Return a rectangle whose corners are rounded off by `corner`."""
    if corner <= 0:
        return poly((left, top), (right, top), (right, bottom), (left, bottom))
    inner = [(right, top, 270), (right, bottom, 0), (left, bottom, 90), (left, top, 180)]
    rounds = []
    for x, y, start in inner:
        x, y = x - corner * np.sign(x - (left + right) / 2), y - corner * np.sign(y - (top + bottom) / 2)
        rounds.append(bow(x, y, corner, corner, start, start + 90))
    return closed(*rounds)


def closed(*pieces: Points) -> Points:
    """Join curves end to end into one closed outline."""
    return np.concatenate([*pieces, pieces[0][:1]])


def symmetric(*right: Points) -> Points:
    """Join curves down the right side, and their mirror images back up the left, into one closed outline."""
    path = np.concatenate(right)
    return closed(path, (path * [-1, 1])[::-1])


def tube(path: Points, start: float, end: float) -> Points:
    """Return the outline of a bar along an open path, `start` wide where it begins and `end` where it ends."""
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    half = np.linspace(start, end, len(path))[:, None] / 2
    aside = np.stack([-along[:, 1], along[:, 0]], axis=1) * half
    return closed(path + aside, (path - aside)[::-1])


def billow(rng: Generator, outline: Points, bumps: int, depth: float) -> Points:
    """Swell a closed outline into about so many round bumps, as a treetop or a cloud has."""
    center = outline.mean(axis=0)
    turn = np.linspace(0, bumps * np.pi, len(outline)) + rng.normal(0, 0.25)
    uneven = np.interp(np.linspace(0, bumps, len(outline)), np.arange(bumps + 1), rng.uniform(0.5, 1.2, bumps + 1))
    swell = 1 + depth * (np.abs(np.sin(turn)) - 0.5) * uneven
    swell[-1] = swell[0]
    return np.asarray(center + (outline - center) * swell[:, None])


def moved(path: Points, x: float = 0.0, y: float = 0.0, turn: float = 0.0, scale: float = 1.0) -> Points:
    """Scale a curve and turn it by degrees (clockwise) about the origin, then shift it."""
    angle = np.radians(turn)
    spin = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray(scale * path @ spin + np.array([x, y]))


def both(path: Points) -> tuple[Points, Points]:
    """Return a path of the right side and its mirror image."""
    return path, path * np.array([-1.0, 1.0])


def _through(knots: Points, steps: int = 10) -> Points:
    """Return the Catmull-Rom curve through all knots but the first and the last."""
    t = np.arange(steps)[:, None, None] / steps
    before, here, there, after = knots[:-3], knots[1:-2], knots[2:-1], knots[3:]
    curve = 0.5 * (
        2 * here
        + (there - before) * t
        + (2 * before - 5 * here + 4 * there - after) * t**2
        + (3 * (here - there) + after - before) * t**3
    )
    return np.concatenate([curve.transpose(1, 0, 2).reshape(-1, 2), knots[-2:-1]])
