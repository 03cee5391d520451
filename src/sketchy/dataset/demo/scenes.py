"""Where the things of the demo set are photographed.

A scene paints a whole picture of linear light, (256, 256, 3) float32, given a generator and the horizon: the height
(0 top to 1 bottom) from which the ground reaches down.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator
from PIL import ImageDraw

from sketchy.dataset.demo import surfaces
from sketchy.dataset.demo.ground import clouded, floored, gradient, grown, hills, level, painted, rgb, side_lit
from sketchy.dataset.demo.light import linear, noise
from sketchy.dataset.demo.pose import SIZE
from sketchy.dataset.demo.shapes import Array, pick, shade
from sketchy.dataset.demo.textures import lattice

Rest = Literal["stand", "lie", "air", "water"]
"""What holds the thing: the ground, a surface seen from above, nothing, or water that mirrors it."""


@dataclass(frozen=True)
class Scene:
    """A backdrop, how things rest in it, and how far above their foot the horizon may lie (shares of the height)."""

    rest: Rest
    paint: Callable[[Generator, float], Array]
    depth: tuple[float, float] = (0.0, 0.0)


def table(rng: Generator, horizon: float) -> Array:
    """A table before a wall that is out of focus, with boxes, books and jars on its far side."""

    def clutter(pen: ImageDraw.ImageDraw) -> None:
        for _ in range(rng.integers(0, 7)):
            x, width, height = rng.uniform(0, SIZE), rng.uniform(8, 40), rng.uniform(15, 110)
            tone = rgb(shade(pick(rng, "brick", "teal", "navy", "cream", "tan", "forest", "charcoal", "gold"), 0.9))
            pen.rounded_rectangle((x, horizon * SIZE - height, x + width, SIZE), width / 5, fill=tone)

    canvas = painted(_wall(rng), rng.uniform(4, 9), clutter)
    color = pick(rng, "tan", "brown", "chestnut", "cream", "white", "charcoal", "teal")
    across, away = level(horizon)
    if rng.random() < 0.6:
        pattern = 0.22 * lattice(rng, across * 1.5, away * 60) + 0.12 * lattice(rng, across * 6, away * 150)
    else:
        pattern = 0.08 * lattice(rng, across * 5, away * 8) + 0.05 * np.sign(np.sin(across * 9) * np.sin(away * 14))
    return floored(canvas, horizon, linear(color) * (1 + pattern)[..., None], soft=2.5)


def room(rng: Generator, horizon: float) -> Array:
    """Floorboards before a wall with a skirting."""
    canvas = _wall(rng)
    edge = int(horizon * SIZE)
    skirting = canvas[max(edge - 14, 0) : edge]
    skirting += 0.6 * (linear(pick(rng, "white", "cream", "brown")) - skirting)
    across, away = level(horizon)
    board = np.floor(across * 2.5)
    tone = 1 + 0.25 * lattice(rng, board * 3.7, board * 0) + 0.15 * lattice(rng, across * 40, away * 3)
    tone *= 1 - 0.5 * ((across * 2.5) % 1 < 0.05)
    wood = linear(pick(rng, "tan", "chestnut", "brown", "straw", "silver"))
    return floored(canvas, horizon, wood * tone[..., None], soft=1.0)


def meadow(rng: Generator, horizon: float) -> Array:
    """Grass before trees or hills, under the sky."""
    canvas = _treeline(rng, clouded(rng), horizon)
    across, away = level(horizon)
    tone = 0.9 + 0.35 * lattice(rng, across * 30, away * 40) + 0.3 * lattice(rng, across * 3, away * 6)
    grass = linear(pick(rng, "green", "forest", "lime", "straw")) * tone[..., None]
    return grown(rng, floored(canvas, horizon, grass, soft=1.5), horizon, 500)


def street(rng: Generator, horizon: float) -> Array:
    """Asphalt before houses."""
    canvas = _houses(rng, clouded(rng), horizon)
    across, away = level(horizon)
    tone = 0.9 + 0.12 * lattice(rng, across * 60, away * 90) + 0.12 * lattice(rng, across * 3, away * 3)
    ground = linear(pick(rng, "grey", "charcoal", "silver")) * tone[..., None]
    return floored(canvas, horizon, ground, soft=1.0)


def snow(rng: Generator, horizon: float) -> Array:
    """Snow before dark trees."""
    canvas = _treeline(rng, clouded(rng), horizon)
    across, away = level(horizon)
    drifts = 0.82 + 0.1 * lattice(rng, across * 2, away * 5) + 0.05 * lattice(rng, across * 40, away * 60)
    return floored(canvas, horizon, drifts[..., None] * np.array([0.86, 0.93, 1.0], np.float32), soft=1.5)


def sea(rng: Generator, horizon: float) -> Array:
    """Open water, perhaps with a coast behind it."""
    canvas = clouded(rng)
    if rng.random() < 0.6:
        canvas = hills(rng, canvas, horizon, pick(rng, "forest", "grey", "navy"), 0.12)
    across, away = level(horizon)
    waves = 0.8 + 0.3 * lattice(rng, across * 9, away * 55) + 0.2 * lattice(rng, across * 30, away * 120)
    mirror = 0.55 * canvas[: int(horizon * SIZE)].mean((0, 1)) + 0.45 * linear(pick(rng, "teal", "blue", "navy"))
    return floored(canvas, horizon, mirror * waves[..., None], soft=0.7)


def sky(rng: Generator, horizon: float) -> Array:
    """High air, with hills far below where there is room."""
    canvas = clouded(rng)
    low = max(horizon, 0.8)
    return hills(rng, canvas, low, pick(rng, "forest", "green", "tan"), 0.1) if low < 0.97 else canvas


def leaves(rng: Generator, _: float) -> Array:
    """A garden out of focus."""
    names = ("forest", "green", "lime", "green", "forest", "black", "yellow", "pink")

    def blots(pen: ImageDraw.ImageDraw) -> None:
        for _ in range(40):
            x, y, size = rng.uniform(0, SIZE), rng.uniform(0, SIZE), rng.uniform(8, 50)
            tone = shade(pick(rng, *names[: rng.integers(4, 9)]), rng.uniform(0.5, 1.3))
            pen.ellipse((x - size, y - size * 0.7, x + size, y + size * 0.7), fill=rgb(tone))

    high, low = linear(pick(rng, "forest", "green", "lime")), linear(pick(rng, "forest", "black"))
    return painted(gradient(rng, high, low), rng.uniform(5, 11), blots)


def underwater(rng: Generator, _: float) -> Array:
    """Below the surface: shafts of light, stones and weed in the haze."""

    def bottom(pen: ImageDraw.ImageDraw) -> None:
        for _ in range(rng.integers(4, 14)):
            x, size = rng.uniform(0, SIZE), rng.uniform(15, 60)
            tone = rgb(shade(pick(rng, "forest", "teal", "tan", "charcoal", "brown"), 0.6))
            if rng.random() < 0.5:
                pen.ellipse((x - size, SIZE - size * 0.6, x + size, SIZE + size), fill=tone)
            else:
                sway = rng.uniform(-15, 15)
                pen.polygon([(x, SIZE - 2.4 * size), (x + sway, SIZE), (x + sway + size / 4, SIZE)], fill=tone)

    deep = linear(pick(rng, "navy", "teal", "blue", "forest"))
    canvas = gradient(rng, 0.6 * linear(pick(rng, "sky", "teal")) + 0.3, deep)
    canvas = painted(canvas, rng.uniform(2, 5), bottom)
    down, across = np.mgrid[0 : 1 : SIZE * 1j, 0 : 1 : SIZE * 1j].astype(np.float32)
    slant = np.float32(rng.uniform(-0.4, 0.4))
    rays = lattice(rng, (across - down * slant) * 9, down * np.float32(0.4)) * np.clip(0.9 - down, 0, 1)
    return np.asarray(canvas * (1 + 0.35 * rays)[..., None])


def space(rng: Generator, _: float) -> Array:
    """Stars and the glow of a nebula."""
    glow = np.clip(noise(rng, (SIZE, SIZE), 2, 2), 0, 1)[..., None]
    color = linear(pick(rng, "purple", "blue", "teal", "crimson"))
    stars = rng.random((SIZE, SIZE, 1), np.float32)
    return np.asarray(0.012 + 0.8 * glow * color + np.where(stars > 0.9975, (stars - 0.9975) * 400, 0), np.float32)


SCENES: dict[str, Scene] = {
    "table": Scene("stand", table, (0.1, 0.3)),
    "room": Scene("stand", room, (0.08, 0.3)),
    "meadow": Scene("stand", meadow, (0.06, 0.28)),
    "street": Scene("stand", street, (0.06, 0.2)),
    "snow": Scene("stand", snow, (0.06, 0.25)),
    "sea": Scene("water", sea, (0.04, 0.22)),
    "sky": Scene("air", sky, (-0.1, 0.05)),
    "leaves": Scene("air", leaves),
    "underwater": Scene("air", underwater),
    "space": Scene("air", space),
    "boards": Scene("lie", surfaces.boards),
    "cloth": Scene("lie", surfaces.cloth),
    "stone": Scene("lie", surfaces.stone),
    "sand": Scene("lie", surfaces.sand),
    "lawn": Scene("lie", surfaces.lawn),
}


def _wall(rng: Generator) -> Array:
    """A wall with the light falling on it from one side, plain or papered."""
    color = linear(pick(rng, "cream", "white", "silver", "sky", "teal", "straw", "pink", "grey", "brick", "lime"))
    canvas = side_lit(rng, np.broadcast_to(color, (SIZE, SIZE, 3)))
    if rng.random() < 0.35:
        stripes = np.sin(np.arange(SIZE) / SIZE * rng.uniform(40, 120)) > 0
        canvas = canvas * (1 - 0.12 * stripes)[None, :, None]
    return np.asarray(canvas * (1 + 0.05 * noise(rng, (SIZE, SIZE), 6, 6))[..., None], np.float32)


def _treeline(rng: Generator, canvas: Array, horizon: float) -> Array:
    """Far hills, and perhaps a hedge of round or pointed trees before them."""
    canvas = hills(rng, canvas, horizon, pick(rng, "forest", "green", "grey"), rng.uniform(0.05, 0.2))
    if rng.random() < 0.4:
        return canvas
    pointed, foot = rng.random() < 0.4, horizon * SIZE

    def trees(pen: ImageDraw.ImageDraw) -> None:
        for x in rng.uniform(-10, SIZE + 10, rng.integers(10, 30)):
            size, tone = rng.uniform(8, 26), rgb(shade(pick(rng, "forest", "green"), rng.uniform(0.4, 0.9)))
            if pointed:
                pen.polygon([(x - size / 2, foot + 5), (x, foot - 2 * size), (x + size / 2, foot + 5)], tone)
            else:
                pen.ellipse((x - size, foot - 1.4 * size, x + size, foot + size), tone)

    return painted(canvas, rng.uniform(1.5, 4), trees)


def _houses(rng: Generator, canvas: Array, horizon: float) -> Array:
    """A row of fronts with windows, out of focus."""

    def row(pen: ImageDraw.ImageDraw) -> None:
        left = -rng.uniform(0, 40)
        while left < SIZE:
            width, top = rng.uniform(35, 90), horizon * SIZE * rng.uniform(0.0, 0.75)
            wall = shade(pick(rng, "brick", "cream", "tan", "silver", "grey", "straw"), 0.8)
            pen.rectangle((left, top, left + width, SIZE), fill=rgb(wall))
            for y in np.arange(top + 10, horizon * SIZE - 14, 26):
                for x in np.arange(left + 7, left + width - 12, 18):
                    pen.rectangle((x, y, x + 9, y + 14), fill=rgb(shade(wall, rng.choice([0.3, 0.45, 1.25]))))
            left += width

    return painted(canvas, rng.uniform(1.5, 4), row)
