"""Surfaces that things of the demo set lie on, seen from above. Each paints as a scene does; there is no horizon."""

import numpy as np
from numpy.random import Generator

from sketchy.dataset.demo.ground import grown, side_lit, tilted
from sketchy.dataset.demo.light import linear, noise
from sketchy.dataset.demo.pose import SIZE
from sketchy.dataset.demo.shapes import Array, pick
from sketchy.dataset.demo.textures import lattice


def boards(rng: Generator, _: float) -> Array:
    """Wooden boards."""
    down, across = tilted(rng)
    width = rng.uniform(0.2, 0.6)
    board = np.floor(across / width)
    bend = 0.06 * noise(rng, (SIZE, SIZE), 3, 2, 2)
    rings = np.sin((across + bend) * 50 + 3 * lattice(rng, across * 4, down * 0.8))
    tone = 1 + 0.08 * rings + 0.14 * lattice(rng, across * 60, down * 2) + 0.25 * lattice(rng, board * 5.3, board * 0)
    tone *= 1 - 0.6 * ((across / width) % 1 < 0.03)
    return side_lit(rng, linear(pick(rng, "tan", "chestnut", "brown", "straw", "silver")) * tone[..., None])


def cloth(rng: Generator, _: float) -> Array:
    """Woven cloth with folds, plain or checked."""
    down, across = tilted(rng)
    tone = 1 + 0.12 * np.sin(across * 260) * np.sin(down * 260) + 0.25 * lattice(rng, across * 2, down * 0.7)
    color = linear(pick(rng, "cream", "white", "navy", "crimson", "teal", "grey", "pink", "straw"))
    if rng.random() < 0.4:
        step = rng.uniform(7, 13)
        checks = ((across * step) % 1 < 0.5).astype(np.float32) + ((down * step) % 1 < 0.5)
        tone = tone * (1 - 0.22 * checks)
    return side_lit(rng, color * tone[..., None])


def stone(rng: Generator, _: float) -> Array:
    """A slab, a worktop or plain paper."""
    down, across = tilted(rng)
    rough = rng.uniform(0.02, 0.16)
    vein = 1 - np.abs(noise(rng, (SIZE, SIZE), 3, 3))
    tone = 1 + rough * lattice(rng, across * 90, down * 90) + rough * lattice(rng, across * 9, down * 9)
    tone = tone - rng.uniform(0, 0.25) * vein**6
    return side_lit(rng, linear(pick(rng, "white", "silver", "grey", "cream", "charcoal", "sky")) * tone[..., None])


def sand(rng: Generator, _: float) -> Array:
    """Sand with ripples."""
    down, across = tilted(rng)
    wave = np.sin((down + 0.12 * lattice(rng, across * 2, down * 2)) * rng.uniform(25, 60))
    tone = 0.95 + rng.uniform(0, 0.12) * wave + 0.14 * lattice(rng, across * 128, down * 128)
    tone += 0.1 * lattice(rng, across * 5, down * 5)
    return side_lit(rng, linear(pick(rng, "tan", "straw", "cream")) * tone[..., None])


def lawn(rng: Generator, _: float) -> Array:
    """Grass."""
    canvas = side_lit(rng, np.broadcast_to(linear(pick(rng, "green", "forest")), (SIZE, SIZE, 3)))
    canvas = canvas * (1 + 0.3 * noise(rng, (SIZE, SIZE), 4, 4))[..., None]
    return grown(rng, canvas, 0.0, 900)
