"""What the surfaces of the demo set's photos are made of.

A texture takes the part, the x and y of its pixels in the thing's own coordinates, (H, W) each, and a generator;
it returns how much of each colour the surface throws back, (H, W, 3).
"""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from sketchy.dataset.demo.light import linear, noise
from sketchy.dataset.demo.shapes import Array, Part

Texture = Callable[[Part, Array, Array, Generator], Array]


def plain(part: Part, x: Array, y: Array, rng: Generator) -> Array:
    """Paint: a little uneven, fading into the second colour where there is one."""
    low = noise(rng, x.shape, 3, 3)
    color = np.broadcast_to(linear(part.color), (*x.shape, 3))
    if part.fade is not None:
        span = max(float(np.ptp(part.paths[0][:, 1])), 1e-6)
        height = (y - float(part.paths[0][:, 1].min())) / span
        share = np.clip(height * 1.2 - 0.1 + 0.25 * low, 0, 1)[..., None]
        color = color * (1 - share) + linear(part.fade) * share
    return _toned(color, 1 + 0.08 * low)


def wood(part: Part, x: Array, y: Array, rng: Generator) -> Array:
    """Grain along y."""
    bend = 0.1 * noise(rng, x.shape, 3, 2, 2)
    rings = np.sin((x + bend) * 45 + 3 * lattice(rng, x * 6, y * 0.7)) * 0.5 + lattice(rng, x * 40, y * 2)
    return _toned(plain(part, x, y, rng), 1 + 0.16 * rings)


def planks(part: Part, x: Array, y: Array, rng: Generator) -> Array:
    """Boards laid across, each of its own shade."""
    board = y * 7
    shade = _shade_of(rng, np.floor(board)) * (1 - 0.45 * (board % 1 < 0.12))
    return _toned(plain(part, x, y, rng), shade * (1 + 0.1 * lattice(rng, x * 3, y * 40)))


def bricks(part: Part, x: Array, y: Array, rng: Generator) -> Array:
    """Courses of bricks with pale joints."""
    row = np.floor(y * 11)
    across = x * 5 + 0.5 * (row % 2)
    joint = ((y * 11) % 1 < 0.14) | (across % 1 < 0.07)
    wall = _toned(plain(part, x, y, rng), _shade_of(rng, row * 7 + np.floor(across)))
    return np.where(joint[..., None], np.float32(0.45), wall)


def tiles(part: Part, x: Array, y: Array, rng: Generator) -> Array:
    """Rows of roof tiles or of scales, each darker towards its upper edge."""
    row = np.floor(y * 12)
    across = x * 10 + 0.5 * (row % 2)
    hang = (y * 12) % 1 - 0.5 * (2 * (across % 1) - 1) ** 2
    shade = _shade_of(rng, row * 13 + np.floor(across)) * (0.78 + 0.35 * np.clip(hang, -0.4, 1))
    return _toned(plain(part, x, y, rng), shade)


def fibers(part: Part, x: Array, y: Array, rng: Generator) -> Array:
    """Straw, bristles or bark: fine streaks along y."""
    streaks = lattice(rng, x * 38, y * 4) + 0.6 * lattice(rng, x * 15, y * 2)
    return _toned(plain(part, x, y, rng), 1 + 0.3 * streaks)


def weave(part: Part, x: Array, y: Array, rng: Generator) -> Array:
    """Cloth or wicker: threads over and under."""
    threads = np.sin(x * 70) * np.sin(y * 70)
    return _toned(plain(part, x, y, rng), 1 + 0.16 * threads + 0.1 * lattice(rng, x * 25, y * 25))


def felt(part: Part, x: Array, y: Array, rng: Generator) -> Array:
    """Felt or thick cloth: a fine nap."""
    return _toned(plain(part, x, y, rng), 1 + 0.08 * lattice(rng, x * 60, y * 60))


def leafy(part: Part, x: Array, y: Array, rng: Generator) -> Array:
    """Foliage: light leaves before dark gaps."""
    leaves = lattice(rng, x * 17, y * 17) + 0.8 * lattice(rng, x * 34, y * 34) + 0.5 * lattice(rng, x * 6, y * 6)
    tint = 1 + np.array([0.25, 0.1, -0.1], np.float32) * lattice(rng, x * 9, y * 9)[..., None]
    return _toned(plain(part, x, y, rng) * tint, np.clip(0.85 + 0.75 * leaves, 0.12, 2.4))


def grainy(part: Part, x: Array, y: Array, rng: Generator) -> Array:
    """Snow, stone or skin: fine bumps and soft hollows."""
    bumps = 0.1 * lattice(rng, x * 45, y * 45) + 0.1 * lattice(rng, x * 12, y * 12)
    return _toned(plain(part, x, y, rng), 1 + bumps)


def speckled(part: Part, x: Array, y: Array, rng: Generator) -> Array:
    """Fruit skin: streaks from top to bottom and pale dots."""
    streak = lattice(rng, np.arctan2(x, 1.6 - np.abs(y)) * 26, y * 2)
    dots = np.clip(lattice(rng, x * 30, y * 30) - 0.55, 0, 1) * 1.2
    return np.asarray(_toned(plain(part, x, y, rng), 1 + 0.16 * streak) + (dots * 0.25)[..., None])


def glass(part: Part, x: Array, y: Array, rng: Generator) -> Array:
    """A pane: dark, with the sky in it, split by a slanted edge."""
    edge = np.clip((x + y * rng.uniform(0.3, 0.9) + rng.uniform(-0.5, 0.5)) * 14, 0, 1)
    sky = 0.12 + 0.25 * np.clip(0.4 - y, 0, 1) + 0.16 * edge
    return np.asarray(plain(part, x, y, rng) * 0.5 + sky[..., None] * np.array([0.3, 0.37, 0.45], np.float32))


def glow(part: Part, x: Array, y: Array, rng: Generator) -> Array:
    """Fire: brighter than anything lit."""
    return np.asarray(3.0 * plain(part, x, y, rng))


TEXTURES: dict[str, Texture] = {
    "plain": plain,
    "wood": wood,
    "planks": planks,
    "bricks": bricks,
    "tiles": tiles,
    "fibers": fibers,
    "weave": weave,
    "felt": felt,
    "leafy": leafy,
    "grainy": grainy,
    "speckled": speckled,
    "glass": glass,
    "glow": glow,
}


def lattice(rng: Generator, x: Array, y: Array) -> Array:
    """Return smooth noise, about -1 to 1, that changes once about every unit of `x` and `y`."""
    table = rng.random((64, 64), np.float32) * 2 - 1
    left, top = np.floor(x), np.floor(y)
    fx, fy = x - left, y - top
    fx, fy = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)
    column, row = left.astype(np.int32) & 63, (top.astype(np.int32) & 63) << 6
    right, below = (column + 1) & 63, (row + 64) & 4095
    flat = table.ravel()
    above, under = flat[row + column], flat[below + column]
    above += fx * (flat[row + right] - above)
    under += fx * (flat[below + right] - under)
    return np.asarray(above + fy * (under - above))


def _toned(color: Array, tone: Array) -> Array:
    """Return colours, (H, W, 3), made darker or lighter, (H, W)."""
    return np.asarray(color * tone[..., None], np.float32)


def _shade_of(rng: Generator, number: Array) -> Array:
    """Return one brightness for each numbered tile, 0.8 to 1.2."""
    return rng.uniform(0.8, 1.2, 97).astype(np.float32)[number.astype(np.int32) % 97]
