"""Where the things of the demo set are photographed.

A scene paints a whole picture of linear light, (256, 256, 3) float32, given a generator and the height (0 top to
1 bottom) at which the thing will touch the ground.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter

from sketchy.dataset.demo.light import Array, linear, noise
from sketchy.dataset.demo.pose import SIZE
from sketchy.dataset.demo.shapes import Color, pick, shade
from sketchy.dataset.demo.textures import lattice

Rest = Literal["stand", "lie", "air", "water"]
"""What holds the thing: the ground, a surface seen from above, nothing, or water that mirrors it."""


@dataclass(frozen=True)
class Scene:
    """A backdrop and how things rest in it."""

    rest: Rest
    paint: Callable[[Generator, float], Array]


def table(rng: Generator, floor: float) -> Array:
    """A table before a wall that is out of focus."""
    canvas = _wall(rng)
    top = floor - rng.uniform(0.1, 0.3)
    canvas = _clutter(rng, canvas, top)
    color = pick(rng, "tan", "brown", "chestnut", "cream", "white", "charcoal", "teal")
    across, away = _ground(top)
    if rng.random() < 0.6:
        pattern = 0.22 * lattice(rng, across * 1.5, away * 60) + 0.12 * lattice(rng, across * 6, away * 150)
    else:
        pattern = 0.08 * lattice(rng, across * 5, away * 8) + 0.05 * np.sign(np.sin(across * 9) * np.sin(away * 14))
    return _floored(canvas, top, linear(color) * (1 + pattern)[..., None], soft=2.5)


def room(rng: Generator, floor: float) -> Array:
    """Floorboards before a wall."""
    canvas = _wall(rng)
    edge = floor - rng.uniform(0.08, 0.3)
    skirting = int(edge * SIZE)
    band = canvas[max(skirting - 14, 0) : skirting]
    band += 0.6 * (linear(pick(rng, "white", "cream", "brown")) - band)
    across, away = _ground(edge)
    board = np.floor(across * 2.5)
    tone = 1 + 0.25 * lattice(rng, board * 3.7, board * 0) + 0.15 * lattice(rng, across * 40, away * 3)
    tone *= 1 - 0.5 * ((across * 2.5) % 1 < 0.05)
    wood = linear(pick(rng, "tan", "chestnut", "brown", "straw", "silver"))
    return _floored(canvas, edge, wood * tone[..., None], soft=1.0)


def meadow(rng: Generator, floor: float) -> Array:
    """Grass before trees or hills, under the sky."""
    edge = floor - rng.uniform(0.06, 0.28)
    canvas = _treeline(rng, _sky(rng), edge)
    across, away = _ground(edge)
    blades = 0.35 * lattice(rng, across * 30, away * 40) + 0.3 * lattice(rng, across * 3, away * 6)
    grass = linear(pick(rng, "green", "forest", "lime", "straw")) * (0.9 + blades)[..., None]
    return _blades(rng, _floored(canvas, edge, grass, soft=1.5), edge)


def street(rng: Generator, floor: float) -> Array:
    """Asphalt before houses."""
    edge = floor - rng.uniform(0.06, 0.2)
    canvas = _houses(rng, _sky(rng), edge)
    across, away = _ground(edge)
    tone = 0.9 + 0.12 * lattice(rng, across * 60, away * 90) + 0.12 * lattice(rng, across * 3, away * 3)
    ground = linear(pick(rng, "grey", "charcoal", "silver")) * tone[..., None]
    return _floored(canvas, edge, ground, soft=1.0)


def snow(rng: Generator, floor: float) -> Array:
    """Snow before dark trees."""
    edge = floor - rng.uniform(0.06, 0.25)
    canvas = _treeline(rng, _sky(rng), edge)
    across, away = _ground(edge)
    drifts = 0.82 + 0.1 * lattice(rng, across * 2, away * 5) + 0.05 * lattice(rng, across * 40, away * 60)
    return _floored(canvas, edge, drifts[..., None] * np.array([0.86, 0.93, 1.0], np.float32), soft=1.5)


def sea(rng: Generator, floor: float) -> Array:
    """Open water, perhaps with a coast behind it."""
    edge = floor - rng.uniform(0.04, 0.22)
    canvas = _sky(rng)
    if rng.random() < 0.6:
        canvas = _hills(rng, canvas, edge, pick(rng, "forest", "grey", "navy"), 0.12)
    across, away = _ground(edge)
    waves = 0.3 * lattice(rng, across * 9, away * 55) + 0.2 * lattice(rng, across * 30, away * 120)
    mirror = 0.55 * canvas[: int(edge * SIZE)].mean((0, 1)) + 0.45 * linear(pick(rng, "teal", "blue", "navy"))
    return _floored(canvas, edge, mirror * (0.8 + waves)[..., None], soft=0.7)


def sky(rng: Generator, floor: float) -> Array:
    """High air, with hills far below where there is room."""
    canvas = _sky(rng)
    edge = max(floor + rng.uniform(-0.05, 0.1), 0.8)
    return _hills(rng, canvas, edge, pick(rng, "forest", "green", "tan"), 0.1) if edge < 0.97 else canvas


def leaves(rng: Generator, floor: float) -> Array:
    """A garden out of focus."""
    names = ("forest", "green", "lime", "green", "forest", "black", "yellow", "pink")
    canvas = _lit(rng, linear(pick(rng, "forest", "green", "lime")), linear(pick(rng, "forest", "black")))
    sheet = _to_image(canvas)
    pen = ImageDraw.Draw(sheet)
    for _ in range(40):
        x, y, size = rng.uniform(0, SIZE), rng.uniform(0, SIZE), rng.uniform(8, 50)
        tone = shade(pick(rng, *names[: rng.integers(4, 9)]), rng.uniform(0.5, 1.3))
        pen.ellipse((x - size, y - size * 0.7, x + size, y + size * 0.7), fill=_rgb(tone))
    return _from_image(sheet.filter(ImageFilter.GaussianBlur(rng.uniform(5, 11))))


def underwater(rng: Generator, floor: float) -> Array:
    """Below the surface: shafts of light, stones and weed in the haze."""
    deep = linear(pick(rng, "navy", "teal", "blue", "forest"))
    canvas = _lit(rng, 0.6 * linear(pick(rng, "sky", "teal")) + 0.3, deep)
    sheet = _to_image(canvas)
    pen = ImageDraw.Draw(sheet)
    for _ in range(rng.integers(4, 14)):
        x, size = rng.uniform(0, SIZE), rng.uniform(15, 60)
        tone = _rgb(shade(pick(rng, "forest", "teal", "tan", "charcoal", "brown"), 0.6))
        if rng.random() < 0.5:
            pen.ellipse((x - size, SIZE - size * 0.6, x + size, SIZE + size), fill=tone)
        else:
            sway = rng.uniform(-15, 15)
            pen.polygon([(x, SIZE - 2.4 * size), (x + sway, SIZE), (x + sway + size / 4, SIZE)], fill=tone)
    canvas = _from_image(sheet.filter(ImageFilter.GaussianBlur(rng.uniform(2, 5))))
    down, across = np.mgrid[0 : 1 : SIZE * 1j, 0 : 1 : SIZE * 1j].astype(np.float32)
    rays = lattice(rng, (across - down * rng.uniform(-0.4, 0.4)) * 9, down * 0.4) * np.clip(0.9 - down, 0, 1)
    return canvas * (1 + 0.35 * rays)[..., None]


def space(rng: Generator, floor: float) -> Array:
    """Stars and the glow of a nebula."""
    glow = np.clip(noise(rng, SIZE, SIZE, 2, 2), 0, 1)[..., None] * linear(
        pick(rng, "purple", "blue", "teal", "crimson")
    )
    stars = rng.random((SIZE, SIZE, 1)).astype(np.float32)
    return 0.012 + 0.8 * glow + np.where(stars > 0.9975, (stars - 0.9975) * 400, 0)


def boards(rng: Generator, floor: float) -> Array:
    """Wooden boards from above."""
    down, across = _tilted(rng)
    width = rng.uniform(0.2, 0.6)
    board = np.floor(across / width)
    bend = 0.06 * noise(rng, SIZE, SIZE, 3, 2, 2)
    rings = np.sin((across + bend) * 50 + 3 * lattice(rng, across * 4, down * 0.8))
    tone = 1 + 0.08 * rings + 0.14 * lattice(rng, across * 60, down * 2) + 0.25 * lattice(rng, board * 5.3, board * 0)
    tone *= 1 - 0.6 * ((across / width) % 1 < 0.03)
    return _top_light(rng, linear(pick(rng, "tan", "chestnut", "brown", "straw", "silver")) * tone[..., None])


def cloth(rng: Generator, floor: float) -> Array:
    """Woven cloth with folds, plain or checked."""
    down, across = _tilted(rng)
    tone = 1 + 0.12 * np.sin(across * 260) * np.sin(down * 260) + 0.25 * lattice(rng, across * 2, down * 0.7)
    color = linear(pick(rng, "cream", "white", "navy", "crimson", "teal", "grey", "pink", "straw"))
    if rng.random() < 0.4:
        step = rng.uniform(7, 13)
        checks = ((across * step) % 1 < 0.5).astype(np.float32) + ((down * step) % 1 < 0.5)
        tone = tone * (1 - 0.22 * checks)
    return _top_light(rng, color * tone[..., None])


def stone(rng: Generator, floor: float) -> Array:
    """A slab, a worktop or plain paper."""
    down, across = _tilted(rng)
    rough = rng.uniform(0.02, 0.16)
    vein = 1 - np.abs(noise(rng, SIZE, SIZE, 3, 3))
    tone = 1 + rough * lattice(rng, across * 90, down * 90) + rough * lattice(rng, across * 9, down * 9)
    tone = tone - rng.uniform(0, 0.25) * vein**6
    return _top_light(rng, linear(pick(rng, "white", "silver", "grey", "cream", "charcoal", "sky")) * tone[..., None])


def sand(rng: Generator, floor: float) -> Array:
    """Sand with ripples."""
    down, across = _tilted(rng)
    wave = np.sin((down + 0.12 * lattice(rng, across * 2, down * 2)) * rng.uniform(25, 60))
    tone = 0.95 + rng.uniform(0, 0.12) * wave + 0.14 * lattice(rng, across * 128, down * 128)
    tone += 0.1 * lattice(rng, across * 5, down * 5)
    return _top_light(rng, linear(pick(rng, "tan", "straw", "cream")) * tone[..., None])


def lawn(rng: Generator, floor: float) -> Array:
    """Grass from above."""
    canvas = _top_light(rng, np.broadcast_to(linear(pick(rng, "green", "forest")), (SIZE, SIZE, 3)))
    canvas = canvas * (1 + 0.3 * noise(rng, SIZE, SIZE, 4, 4))[..., None]
    return _blades(rng, canvas, 0.0, 900)


SCENES: dict[str, Scene] = {
    "table": Scene("stand", table),
    "room": Scene("stand", room),
    "meadow": Scene("stand", meadow),
    "street": Scene("stand", street),
    "snow": Scene("stand", snow),
    "sea": Scene("water", sea),
    "sky": Scene("air", sky),
    "leaves": Scene("air", leaves),
    "underwater": Scene("air", underwater),
    "space": Scene("air", space),
    "boards": Scene("lie", boards),
    "cloth": Scene("lie", cloth),
    "stone": Scene("lie", stone),
    "sand": Scene("lie", sand),
    "lawn": Scene("lie", lawn),
}


def _sky(rng: Generator) -> Array:
    """Blue, grey or evening sky with clouds."""
    high, low = [("blue", "sky"), ("sky", "white"), ("silver", "white"), ("navy", "orange"), ("sky", "cream")][
        rng.choice(5, p=[0.3, 0.3, 0.2, 0.08, 0.12])
    ]
    canvas = _lit(rng, linear(pick(rng, high)), linear(pick(rng, low)))
    clouds = noise(rng, SIZE, SIZE, rng.uniform(3, 6), rng.uniform(1.5, 3), 5)
    thick = np.clip((clouds - rng.uniform(-0.2, 0.7)) * 1.6, 0, 0.85)[..., None]
    return np.asarray(canvas * (1 - thick) + thick * (0.75 + 0.15 * clouds[..., None]), np.float32)


def _wall(rng: Generator) -> Array:
    """A wall with the light falling on it from one side, plain or papered."""
    color = linear(pick(rng, "cream", "white", "silver", "sky", "teal", "straw", "pink", "grey", "brick", "lime"))
    canvas = _top_light(rng, np.broadcast_to(color, (SIZE, SIZE, 3)))
    if rng.random() < 0.35:
        stripes = np.sin(np.arange(SIZE) / SIZE * rng.uniform(40, 120)) > 0
        canvas = canvas * (1 - 0.12 * stripes)[None, :, None]
    return canvas * (1 + 0.05 * noise(rng, SIZE, SIZE, 6, 6))[..., None]


def _clutter(rng: Generator, canvas: Array, edge: float) -> Array:
    """Boxes, books and jars out of focus on the far side of a table."""
    sheet = _to_image(canvas)
    pen = ImageDraw.Draw(sheet)
    for _ in range(rng.integers(0, 7)):
        x, width, height = rng.uniform(0, SIZE), rng.uniform(8, 40), rng.uniform(15, 110)
        tone = _rgb(shade(pick(rng, "brick", "teal", "navy", "cream", "tan", "forest", "charcoal", "gold"), 0.9))
        pen.rounded_rectangle((x, edge * SIZE - height, x + width, SIZE), width / 5, fill=tone)
    return _from_image(sheet.filter(ImageFilter.GaussianBlur(rng.uniform(4, 9))))


def _hills(rng: Generator, canvas: Array, edge: float, color: Color, height: float) -> Array:
    """Two ridges before the sky, the farther one paler."""
    rows = np.arange(SIZE)[:, None] / SIZE
    for part in (1.0, 0.45):
        ridge = edge - height * part * (0.6 + 0.6 * noise(rng, 2, SIZE, 2, 3, 5)[:1])
        haze = canvas[:60].mean((0, 1)) * (0.25 + 0.5 * part)
        tone = haze + linear(color) * (1 - 0.5 * part)
        cover = np.clip((rows - ridge) * 90, 0, 1)[..., None]
        canvas = canvas * (1 - cover) + cover * tone
    return np.asarray(canvas, np.float32)


def _treeline(rng: Generator, canvas: Array, edge: float) -> Array:
    """Far hills, and perhaps a hedge of round or pointed trees before them."""
    canvas = _hills(rng, canvas, edge, pick(rng, "forest", "green", "grey"), rng.uniform(0.05, 0.2))
    if rng.random() < 0.4:
        return canvas
    sheet = _to_image(canvas)
    pen = ImageDraw.Draw(sheet)
    pointed = rng.random() < 0.4
    for x in rng.uniform(-10, SIZE + 10, rng.integers(10, 30)):
        size, tone = rng.uniform(8, 26), _rgb(shade(pick(rng, "forest", "green"), rng.uniform(0.4, 0.9)))
        if pointed:
            pen.polygon(
                [(x - size / 2, edge * SIZE + 5), (x, edge * SIZE - 2 * size), (x + size / 2, edge * SIZE + 5)], tone
            )
        else:
            pen.ellipse((x - size, edge * SIZE - 1.4 * size, x + size, edge * SIZE + size), tone)
    return _from_image(sheet.filter(ImageFilter.GaussianBlur(rng.uniform(1.5, 4))))


def _houses(rng: Generator, canvas: Array, edge: float) -> Array:
    """A row of fronts with windows, out of focus."""
    sheet = _to_image(canvas)
    pen = ImageDraw.Draw(sheet)
    left = -rng.uniform(0, 40)
    while left < SIZE:
        width, top = rng.uniform(35, 90), edge * SIZE * rng.uniform(0.0, 0.75)
        wall = shade(pick(rng, "brick", "cream", "tan", "silver", "grey", "straw"), 0.8)
        pen.rectangle((left, top, left + width, SIZE), fill=_rgb(wall))
        for y in np.arange(top + 10, edge * SIZE - 14, 26):
            for x in np.arange(left + 7, left + width - 12, 18):
                pen.rectangle((x, y, x + 9, y + 14), fill=_rgb(shade(wall, rng.choice([0.3, 0.45, 1.25]))))
        left += width
    return _from_image(sheet.filter(ImageFilter.GaussianBlur(rng.uniform(1.5, 4))))


def _blades(rng: Generator, canvas: Array, edge: float, count: int = 500) -> Array:
    """Single blades of grass, longer towards the viewer."""
    sheet = _to_image(canvas)
    pen = ImageDraw.Draw(sheet)
    for y in np.sort(rng.uniform(edge, 1.02, count)):
        x, tall = rng.uniform(0, SIZE), (4 + 12 * (y - edge) / (1 - edge + 0.01)) * rng.uniform(0.5, 1.2)
        tone = _rgb(shade(pick(rng, "green", "forest", "lime"), rng.uniform(0.6, 1.2)))
        pen.line((x, y * SIZE, x + rng.normal(0, tall / 3), y * SIZE - tall), fill=tone)
    return _from_image(sheet)


def _ground(edge: float) -> tuple[Array, Array]:
    """Return across and away, (256, 256) each, of the level ground seen below the height `edge`."""
    rows = (np.arange(SIZE, dtype=np.float32)[:, None] + 0.5) / SIZE
    away = np.float32(0.35) / np.maximum(rows - edge + 0.06, 0.02)
    across = (np.arange(SIZE, dtype=np.float32)[None] / SIZE - 0.5) * away * 2
    return across, np.broadcast_to(away, (SIZE, SIZE))


def _floored(canvas: Array, edge: float, ground: Array, soft: float) -> Array:
    """Put the ground below the height `edge`, which is `soft` pixels wide, paler in the distance."""
    rows = np.arange(SIZE, dtype=np.float32)[:, None, None]
    cover = np.clip((rows - edge * SIZE) / soft, 0, 1)
    return np.asarray(canvas * (1 - cover) + ground * cover, np.float32)


def _tilted(rng: Generator) -> tuple[Array, Array]:
    """Return down and across, (256, 256) each, 0 to 1, turned by any angle."""
    angle = rng.uniform(0, np.pi)
    down, across = np.mgrid[0 : 1 : SIZE * 1j, 0 : 1 : SIZE * 1j].astype(np.float32)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return down * cos - across * sin + 2, across * cos + down * sin + 2


def _top_light(rng: Generator, canvas: Array) -> Array:
    """Light a surface more on one side than on the other."""
    down, across = _tilted(rng)
    slope = (across - across.mean()) * rng.uniform(0.1, 0.7)
    return np.asarray(canvas * (0.85 + slope)[..., None], np.float32)


def _lit(rng: Generator, high: Array, low: Array) -> Array:
    """Return a picture that runs from one colour at the top to another at the bottom."""
    share = np.linspace(0, 1, SIZE, dtype=np.float32)[:, None, None] ** np.float32(rng.uniform(0.7, 1.4))
    return np.asarray(np.broadcast_to(high * (1 - share) + low * share, (SIZE, SIZE, 3)), np.float32).copy()


def _to_image(canvas: Array) -> Image.Image:
    return Image.fromarray((np.clip(canvas, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8))


def _from_image(sheet: Image.Image) -> Array:
    return (np.asarray(sheet, np.float32) / 255) ** 2.2


def _rgb(color: Color) -> tuple[int, int, int]:
    red, green, blue = (int(255 * channel) for channel in color)
    return red, green, blue
