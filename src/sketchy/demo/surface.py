"""The surfaces of the things of the demo dataset: their textures and their relief."""

import numpy as np
from numpy.random import Generator

from sketchy.demo.raster import Array, blurred, grain, lattice, resized
from sketchy.demo.things import Part

GRAINS = {
    "plain": ((0.08, 3, 3),),
    "wood": ((0.16, 40, 2), (0.12, 14, 0.7)),
    "planks": ((0.1, 3, 40),),
    "fibers": ((0.3, 38, 4), (0.18, 15, 2)),
    "weave": ((0.1, 25, 25),),
    "felt": ((0.08, 60, 60),),
    "grainy": ((0.1, 45, 45), (0.1, 12, 12)),
    "speckled": ((0.1, 26, 3), (0.08, 9, 9)),
    "bricks": ((0.08, 30, 30),),
    "tiles": ((0.06, 20, 20),),
}
"""The layers of noise of each texture, for `raster.grain`, in the coordinates of the thing."""

COURSES = {"planks": (7.0, 0.3, 0.0), "bricks": (11.0, 5.0, 0.0), "tiles": (12.0, 10.0, 0.5)}
"""Textures of rows of pieces: rows and columns in a unit of length, and how far a piece sags in its middle."""


def albedo(part: Part, x: Array, y: Array, top: int, rng: Generator) -> Array:
    """Return the share of red, green and blue light that a part reflects, shape (H, W, 3).

    Args:
        part: The part.
        x: Coordinates of each pixel in the system of the thing, shape (H, W).
        y: Likewise.
        top: Row of the picture that is the first row of `x` and `y`.
        rng: Random generator.
    """
    color = np.broadcast_to(part.color, (*x.shape, 3))
    if part.fade is not part.color:
        rows = part.paths[0][:, 1]
        height = (np.arange(top, top + len(x))[:, None] - rows.min()) / max(float(np.ptp(rows)), 1.0)
        share = np.clip(height * 1.2 - 0.1 + 0.25 * lattice(rng, x * 3, y * 3), 0, 1)[..., None]
        color = color * (1 - share) + part.fade * share
    tone = grain(rng, x, y, GRAINS[part.texture])
    if part.texture in COURSES:
        tone *= _courses(rng, x, y, *COURSES[part.texture])
    elif part.texture == "weave":
        tone *= 1 + 0.16 * np.sin(x * 70) * np.sin(y * 70)
    elif part.texture == "speckled":
        color = color + (0.3 * np.clip(lattice(rng, x * 30, y * 30) - 0.55, 0, 1))[..., None]
    return np.asarray(color * tone[..., None], np.float32)


def _courses(rng: Generator, x: Array, y: Array, rows: float, columns: float, hang: float) -> Array:
    """Return the random brightness of boards, bricks, tiles or scales, with dark joints."""
    row = np.floor(y * rows)
    across = x * columns + 0.5 * (row % 2)
    depth = y * rows - row - hang * (2 * (across % 1) - 1) ** 2
    piece = (row * 13 + np.floor(across)).astype(np.int32) % 97
    joint = (depth < 0.13) | (across % 1 < 0.014 * columns)
    return np.asarray(rng.uniform(0.8, 1.2, 97)[piece] * np.where(joint, 0.6, 1 + 0.1 * depth), np.float32)


def normals(form: str, body: Array) -> Array:
    """Return the unit normals of a part: x to the right, y down, z towards the viewer.

    Args:
        form: The form of the part, as in `things.Part`.
        body: Coverage of its pixels, shape (H, W), 0 to 1.

    Returns:
        Normals, shape (H, W, 3), float32.
    """
    if form == "puff":
        return _inflate(body)
    if form == "tube":
        return _revolve(body)
    return _relief(1.2 * blurred(body, 1.2), np.ones_like(body))


def _inflate(cover: Array) -> Array:
    """Inflate the area: its height is the root of the solution of Poisson's equation, a sphere over a disc."""
    height, width = cover.shape
    swell = np.zeros((2, 2), np.float32)
    for side in (6, 12, 24, 48):
        shrink = side / max(height, width)
        size = (max(3, round(width * shrink)), max(3, round(height * shrink)))
        inside = np.pad(resized(cover, size), 1)
        swell = np.pad(4 * resized(swell, size), 1)
        for _ in range(16):
            around = swell[:-2, 1:-1] + swell[2:, 1:-1] + swell[1:-1, :-2] + swell[1:-1, 2:]
            swell[1:-1, 1:-1] = inside[1:-1, 1:-1] * (around + 1) / 4
        swell = swell[1:-1, 1:-1]
    cell = width / swell.shape[1]
    swell = np.maximum(resized(swell, (width, height)), 0) * cell**2
    return _relief(swell, np.sqrt(swell) + 0.2)


def _revolve(cover: Array) -> Array:
    """Make the area a solid of revolution about its vertical axis: each row is as deep as it is wide."""
    filled = cover > 0.5
    first = filled.argmax(1)[:, None]
    last = (cover.shape[1] - 1 - filled[:, ::-1].argmax(1))[:, None]
    side = np.clip((2 * np.arange(cover.shape[1]) - first - last) / np.maximum(last - first, 1), -0.99, 0.99)
    return _unit(side, np.zeros_like(side), np.sqrt(1 - side**2))


def _relief(height: Array, z: Array) -> Array:
    """Return the unit normals of a relief with this height; a larger `z` makes it flatter."""
    down, across = (np.asarray(slope) for slope in np.gradient(height))
    return _unit(-across, -down, z)


def _unit(x: Array, y: Array, z: Array) -> Array:
    normal = np.stack([x, y, z], axis=2).astype(np.float32)
    return np.asarray(normal / np.sqrt((normal**2).sum(2, keepdims=True)))
