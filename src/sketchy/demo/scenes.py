"""The backgrounds of the photos of the demo dataset.

A scene paints linear light, shape (256, 256, 3), float32, given a random generator and the height of the horizon (0 top
to 1 bottom), below which is the ground.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter

from sketchy.demo.raster import COLUMNS, ROWS, SIZE, Array, Layers, grain, lattice, noise, pick


@dataclass(frozen=True)
class Scene:
    """A background.

    Attributes:
        rest: What a thing rests on in this scene.
        paint: Paints the scene, given a generator and the horizon.
        depth: Least and largest height of the horizon above the foot of a thing, as shares of the image's height.
    """

    rest: Literal["ground", "surface", "air"]
    paint: Callable[[Generator, float], Array]
    depth: tuple[float, float] = (0.0, 0.0)


def _table(rng: Generator, horizon: float) -> Array:
    """Paint a table with boxes, books and jars on its far side, before a wall out of focus."""

    def clutter(pen: ImageDraw.ImageDraw) -> None:
        for _ in range(rng.integers(0, 7)):
            x, width, height = rng.uniform(0, SIZE), rng.uniform(8, 40), rng.uniform(15, 110)
            tone = _rgb(pick(rng, "brick teal navy cream tan forest charcoal gold"))
            pen.rounded_rectangle((x, horizon * SIZE - height, x + width, SIZE), width / 5, fill=tone)

    canvas = _drawn_on(_wall(rng), rng.uniform(4, 9), clutter)
    grained = ((0.22, 1.5, 60), (0.12, 6, 150))
    return _floored(rng, canvas, horizon, "tan brown chestnut cream white charcoal teal", grained, 2.5)


def _meadow(rng: Generator, horizon: float) -> Array:
    """Paint grass before trees or hills, under the sky."""
    canvas = _hills(rng, _clouded(rng), horizon, "forest green grey", rng.uniform(0.05, 0.2))
    foot, pointed, count = horizon * SIZE, rng.random() < 0.4, rng.integers(10, 30) * (rng.random() < 0.6)

    def trees(pen: ImageDraw.ImageDraw) -> None:
        for x in rng.uniform(-10, SIZE + 10, count):
            size, tone = rng.uniform(8, 26), _rgb(pick(rng, "green forest") * rng.uniform(0.15, 0.8))
            if pointed:
                pen.polygon([(x - size / 2, foot + 5), (x, foot - 2 * size), (x + size / 2, foot + 5)], tone)
            else:
                pen.ellipse((x - size, foot - 1.4 * size, x + size, foot + size), tone)

    def blades(pen: ImageDraw.ImageDraw) -> None:
        for y in np.sort(rng.uniform(horizon, 1.02, 500)):
            x, tall = rng.uniform(0, SIZE), (4 + 12 * (y - horizon) / (1 - horizon + 0.01)) * rng.uniform(0.5, 1.2)
            tone = _rgb(pick(rng, "green forest lime") * rng.uniform(0.3, 1.5))
            pen.line((x, y * SIZE, x + rng.normal(0, tall / 3), y * SIZE - tall), fill=tone)

    if count:
        canvas = _drawn_on(canvas, rng.uniform(1.5, 4), trees)
    grass = _floored(rng, canvas, horizon, "green forest lime straw", ((0.35, 30, 40), (0.3, 3, 6)), 1.5)
    return _drawn_on(grass, 0, blades)


def _street(rng: Generator, horizon: float) -> Array:
    """Paint asphalt before a row of houses out of focus."""

    def houses(pen: ImageDraw.ImageDraw) -> None:
        left = -rng.uniform(0, 40)
        while left < SIZE:
            width, top = rng.uniform(35, 90), horizon * SIZE * rng.uniform(0.0, 0.75)
            wall = pick(rng, "brick cream tan silver grey straw") * 0.6
            pen.rectangle((left, top, left + width, SIZE), fill=_rgb(wall))
            for y in np.arange(top + 10, horizon * SIZE - 14, 26):
                for x in np.arange(left + 7, left + width - 12, 18):
                    pen.rectangle((x, y, x + 9, y + 14), fill=_rgb(wall * rng.choice([0.07, 0.17, 1.6])))
            left += width

    canvas = _drawn_on(_clouded(rng), rng.uniform(1.5, 4), houses)
    return _floored(rng, canvas, horizon, "grey charcoal silver", ((0.12, 60, 90), (0.12, 3, 3)), 1.0)


def _sea(rng: Generator, horizon: float) -> Array:
    """Paint open water, perhaps with a coast behind it."""
    canvas = _clouded(rng)
    if rng.random() < 0.6:
        canvas = _hills(rng, canvas, horizon, "forest grey navy", 0.12)
    return _floored(rng, canvas, horizon, "teal blue navy sky", ((0.3, 9, 55), (0.2, 30, 120)), 0.7)


def _sky(rng: Generator, horizon: float) -> Array:
    """Paint the sky, with hills at the bottom if there is room."""
    canvas, low = _clouded(rng), max(horizon, 0.8)
    return _hills(rng, canvas, low, "forest green tan", 0.1) if low < 0.97 else canvas


def _blurry(rng: Generator, _: float, high: str, low: str) -> Array:
    """Paint leaves or water out of focus."""

    def blot(pen: ImageDraw.ImageDraw) -> None:
        for _ in range(40):
            x, y, size = rng.uniform(0, SIZE), rng.uniform(0, SIZE), rng.uniform(8, 50)
            tone = _rgb(pick(rng, f"{high} {low}") * rng.uniform(0.25, 1.6))
            pen.ellipse((x - size, y - size * 0.7, x + size, y + size * 0.7), fill=tone)

    return _drawn_on(_gradient(rng, pick(rng, high), pick(rng, low)), rng.uniform(5, 11), blot)


def _surface(rng: Generator, _: float, colors: str, layers: Layers, pattern: str) -> Array:
    """Paint a surface seen from above, rotated by a random angle, with light from one side."""
    angle = rng.uniform(0, np.pi)
    x, y = COLUMNS * np.cos(angle) + ROWS * np.sin(angle) + 2, ROWS * np.cos(angle) - COLUMNS * np.sin(angle) + 2
    tone = grain(rng, x, y, layers)
    if pattern == "boards":
        board = x / rng.uniform(0.2, 0.6)
        tone *= 1 - 0.6 * (board % 1 < 0.03) + 0.25 * lattice(rng, np.floor(board) * 5.3, board * 0)
        tone *= 1 + 0.08 * np.sin((x + 0.06 * noise(rng, 3, 2, 2)) * 50)
    elif pattern == "threads":
        tone *= 1 + 0.12 * np.sin(x * 260) * np.sin(y * 260)
        if rng.random() < 0.4:
            step = rng.uniform(7, 13)
            tone *= 1 - 0.22 * ((x * step % 1 < 0.5).astype(np.float32) + (y * step % 1 < 0.5))
    elif pattern == "veins":
        tone -= rng.uniform(0, 0.25) * (1 - np.abs(noise(rng, 3, 3))) ** 6
    else:
        tone += rng.uniform(0, 0.12) * np.sin((y + 0.12 * lattice(rng, x * 2, y * 2)) * rng.uniform(25, 60))
    return _side_lit(rng, pick(rng, colors) * tone[..., None])


def _lying(colors: str, layers: Layers, pattern: str) -> Scene:
    return Scene("surface", partial(_surface, colors=colors, layers=layers, pattern=pattern))


SCENES: dict[str, Scene] = {
    "table": Scene("ground", _table, (0.1, 0.3)),
    "meadow": Scene("ground", _meadow, (0.06, 0.28)),
    "street": Scene("ground", _street, (0.06, 0.2)),
    "sea": Scene("air", _sea, (0.04, 0.22)),
    "sky": Scene("air", _sky, (-0.1, 0.05)),
    "leaves": Scene("air", partial(_blurry, high="lime yellow pink green", low="forest green black")),
    "underwater": Scene("air", partial(_blurry, high="sky teal", low="navy teal blue")),
    "boards": _lying("tan chestnut brown straw silver", ((0.14, 60, 2), (0.1, 4, 0.8)), "boards"),
    "cloth": _lying("cream white navy crimson teal grey pink straw", ((0.25, 2, 0.7),), "threads"),
    "stone": _lying("white silver grey cream charcoal sky", ((0.08, 90, 90), (0.08, 9, 9)), "veins"),
    "sand": _lying("tan straw cream", ((0.14, 128, 128), (0.1, 5, 5)), "ripples"),
}


def _wall(rng: Generator) -> Array:
    """Paint a wall, plain or with wallpaper."""
    color = pick(rng, "cream white silver sky teal straw pink grey brick lime")
    stripes = (np.sin(COLUMNS * rng.uniform(40, 120)) > 0) * (rng.random() < 0.35)
    return _side_lit(rng, color * (1 + 0.05 * noise(rng, 6, 6) - 0.12 * stripes)[..., None])


def _side_lit(rng: Generator, canvas: Array) -> Array:
    """Light a surface more on one random side."""
    angle = rng.uniform(0, 2 * np.pi)
    slope = (COLUMNS - 0.5) * np.cos(angle) + (ROWS - 0.5) * np.sin(angle)
    return np.asarray(canvas * (0.85 + rng.uniform(0.1, 0.7) * slope)[..., None], np.float32)


def _gradient(rng: Generator, high: Array, low: Array) -> Array:
    """Return a gradient from the colour `high` at the top to `low` at the bottom."""
    share = ROWS[..., None] ** np.float32(rng.uniform(0.7, 1.4))
    return np.asarray(high * (1 - share) + low * share, np.float32)


def _clouded(rng: Generator) -> Array:
    """Return a blue, grey or evening sky with clouds."""
    skies = [("blue", "sky"), ("sky", "white"), ("silver", "white"), ("navy", "orange"), ("sky", "cream")]
    high, low = skies[rng.choice(len(skies), p=[0.3, 0.3, 0.2, 0.08, 0.12])]
    canvas = _gradient(rng, pick(rng, high), pick(rng, low))
    clouds = noise(rng, rng.uniform(3, 6), rng.uniform(1.5, 3), 5)
    thick = np.clip((clouds - rng.uniform(-0.2, 0.7)) * 1.6, 0, 0.85)[..., None]
    return np.asarray(canvas * (1 - thick) + thick * (0.75 + 0.15 * clouds[..., None]), np.float32)


def _hills(rng: Generator, canvas: Array, horizon: float, colors: str, height: float) -> Array:
    """Paint two ridges before the sky, the farther one paler."""
    color = pick(rng, colors)
    for near in (1.0, 0.45):
        ridge = horizon - height * near * (0.6 + 0.6 * noise(rng, 2, 3, 5)[:1])
        tone = canvas[:60].mean((0, 1)) * (0.25 + 0.5 * near) + color * (1 - 0.5 * near)
        cover = np.clip((ROWS - ridge) * 90, 0, 1)[..., None]
        canvas = canvas * (1 - cover) + cover * tone
    return np.asarray(canvas, np.float32)


def _floored(rng: Generator, canvas: Array, horizon: float, colors: str, layers: Layers, soft: float) -> Array:
    """Paint level ground below the horizon, whose far edge is blurred over `soft` pixels."""
    away = 0.35 / np.maximum(ROWS - np.float32(horizon) + 0.06, 0.02)
    ground = pick(rng, colors) * grain(rng, (COLUMNS - 0.5) * away * 2, away, layers)[..., None]
    cover = np.clip((ROWS - horizon) * SIZE / soft, 0, 1)[..., None]
    return np.asarray(canvas * (1 - cover) + ground * cover, np.float32)


def _drawn_on(canvas: Array, blur: float, strokes: Callable[[ImageDraw.ImageDraw], None]) -> Array:
    """Return the picture with the drawing of `strokes` on it, both blurred by `blur` pixels."""
    sheet = Image.fromarray((np.clip(canvas, 0, 1) ** np.float32(1 / 2.2) * 255).astype(np.uint8))
    strokes(ImageDraw.Draw(sheet))
    return (np.asarray(sheet.filter(ImageFilter.GaussianBlur(blur)), np.float32) / 255) ** np.float32(2.2)


def _rgb(color: Array) -> tuple[int, int, int]:
    """Return linear light as a colour of Pillow, 0 to 255."""
    red, green, blue = (255 * np.clip(color, 0, 1) ** (1 / 2.2)).astype(int).tolist()
    return red, green, blue
