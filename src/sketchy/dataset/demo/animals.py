"""What swims, crawls and flies. Each function draws one of its kind, no two alike, as parts from back to front."""

import numpy as np
from numpy.random import Generator

from sketchy.dataset.demo.shapes import (
    Color,
    Part,
    Points,
    arc,
    area,
    both,
    line,
    loop,
    mirrored,
    oval,
    pick,
    shade,
    stroke,
)


def butterfly(rng: Generator) -> list[Part]:
    """A butterfly from above with its wings spread."""
    reach, lift, low, tail = rng.uniform([0.85, 0.6, 0.55, 0.6], [1.05, 0.95, 0.8, 1.0]).tolist()
    tip = [(reach * 0.9, -lift), (reach, -lift * 0.5)]
    fore = loop((0.05, -0.12), (0.4, -lift * 0.85), *tip, (0.62, 0.02), (0.05, 0.08))
    end = [(low * 0.85, tail * 0.75), (low * 0.5, tail)]
    hind = loop((0.05, 0.02), (0.5, 0.02), (low, 0.3), *end, (0.2, tail * 0.6))
    rim, color = pick(rng, "black", "brown", "navy"), pick(rng, "orange", "sky", "yellow", "pink", "white", "blue")
    other = pick(rng, "orange", "yellow", "cream", "red") if rng.random() < 0.5 else color
    length = rng.uniform(0.4, 0.6)
    body = mirrored((0, -0.34), (0.07, -0.28), (0.06, -0.15), (0.075, 0.05), (0.045, length * 0.8), (0, length))
    feeler = arc((0.02, -0.3), (0.1, -0.62), (rng.uniform(0.2, 0.35), -0.85))
    return [
        *_wings(rng, hind, rim, other),
        *_wings(rng, fore, rim, color),
        stroke(rim, 0.02, *both(feeler), ink=0.95),
        area(pick(rng, "black", "brown"), body, form="puff", texture="grainy"),
    ]


def _wings(rng: Generator, wing: Points, rim: Color, color: Color) -> list[Part]:
    """Return a right wing and its mirror image: a dark rim with dots, a coloured field, veins and a spot."""
    root = np.array([0.12, wing[:, 1].mean() * 0.3])
    inner, edge = root + (wing - root) * 0.86, root + (wing - root) * 0.93
    dots = [oval(x, y, 0.022) for x, y in edge[8:-8:4].tolist() if x > 0.35]
    veins = [line((0.1, float(root[1])), (x, y)) for x, y in inner[12:-6:8].tolist()]
    x, y = (root + (wing.mean(0) - root) * rng.uniform(1.0, 1.4)).tolist()
    spot = oval(x, y, rng.uniform(0.05, 0.12))
    return [
        area(rim, *both(wing), texture="grainy"),
        area(color, *both(inner), texture="fibers", fade=shade(color, 0.6), ink=0.7),
        area(pick(rng, "white"), *(side for dot in dots for side in both(dot)), ink=0),
        stroke(rim, 0.018, *(side for vein in veins for side in both(vein)), ink=0.25),
        area(pick(rng, "white", "red", "black"), *both(spot), ink=0.6),
    ]


def fish(rng: Generator) -> list[Part]:
    """A fish from the side, slim or high."""
    high, long = rng.uniform(0.32, 0.62), rng.uniform(0.55, 0.7)
    back = [(-0.9, 0.02), (-0.72, -high * 0.55), (-0.3, -high), (0.2, -high * 0.75), (long, -0.12)]
    body = loop(*back, (long, 0.12), (0.2, high * 0.7), (-0.3, high * 0.95), (-0.75, high * 0.5))
    color = pick(rng, "orange", "gold", "silver", "blue", "teal", "red", "lime")
    fins = pick(rng, "orange", "red", "charcoal", "gold") if rng.random() < 0.5 else shade(color, 0.75)
    parts = [
        *_fins(rng, fins, high, long),
        area(color, body, form="puff", texture="tiles", gloss=0.5, fade=pick(rng, "cream", "silver")),
    ]
    if rng.random() < 0.5:
        stripes = [
            loop((x, -high * 1.1), (x + 0.1, 0), (x, high * 1.1), (x - 0.05, 0))
            for x in np.linspace(-0.28, 0.36, int(rng.integers(2, 5))).tolist()
        ]
        stripe = pick(rng, "white", "charcoal", "yellow")
        parts.append(area(stripe, *stripes, within=(body,), form="puff", texture="tiles", gloss=0.5, ink=0.6))
    gill = arc((-0.5, -high * 0.62), (-0.38, 0), (-0.5, high * 0.55))
    fin = loop((-0.25, 0.1), (0.05, 0.08), (0.1, 0.2), (-0.08, 0.28))
    eye = rng.uniform(0.055, 0.09)
    return [
        *parts,
        stroke(shade(color, 0.5), 0.02, gill, ink=0.8),
        area(fins, fin, form="puff", texture="fibers", ink=0.8),
        area(pick(rng, "white", "yellow"), oval(-0.66, -high * 0.2, eye), form="puff", gloss=0.6),
        area(pick(rng, "black"), oval(-0.67, -high * 0.2, eye * 0.55), gloss=0.9, ink=0.5),
        stroke(shade(color, 0.4), 0.02, arc((-0.89, 0.06), (-0.8, 0.1), (-0.72, 0.09)), ink=0.8),
    ]


def _fins(rng: Generator, color: Color, high: float, long: float) -> list[Part]:
    """Return what lies behind a fish's body: the tail with its rays, the fins of back and belly."""
    fork, spread, crest = rng.uniform(0.0, 0.18), rng.uniform(0.3, 0.5), rng.uniform(0.15, 0.34)
    ends = [(0.98, -spread), (1.02, -spread * 0.7)]
    tail = loop((long - 0.08, 0), *ends, (0.96 - fork, 0), *((x, -y) for x, y in reversed(ends)))
    back = loop((-0.4, -high * 0.85), (-0.2, -high - crest), (0.25, -high * 0.7 - crest * 0.8), (0.32, -high * 0.5))
    belly = loop((-0.05, high * 0.75), (0.14, high * 0.8 + crest), (0.3, high * 0.6 + crest * 0.6), (0.22, high * 0.5))
    rays = [line((long + 0.02, 0), (0.95 - fork / 2, y * spread)) for y in (-0.7, -0.35, 0.35, 0.7)]
    return [
        area(color, tail, back, belly, texture="fibers", form="puff", gloss=0.2),
        stroke(shade(color, 0.6), 0.012, *rays, ink=0.35),
    ]


def starfish(rng: Generator) -> list[Part]:
    """A starfish of five arms from above, each bent its own way."""
    color = pick(rng, "orange", "crimson", "tan", "purple", "red", "blue")
    waist, plump = rng.uniform(0.3, 0.42), rng.uniform(0.1, 0.16)
    rim: list[tuple[float, float]] = []
    ridges = []
    for arm in range(5):
        root = np.radians(72 * arm - 90 + rng.normal(0, 4))
        long, bend = rng.uniform(0.85, 1.05), rng.normal(0, 0.1)
        # Distance from the middle and half the width there, down one flank and up the other.
        flank = [(0.5 * long, plump * 1.05), (0.8 * long, plump * 0.68), (0.96 * long, plump * 0.36)]
        gap = np.array([waist * np.cos(root - np.pi / 5), waist * np.sin(root - np.pi / 5)])
        rim.append((float(gap[0]), float(gap[1])))
        for far, half in [*((far, -half) for far, half in flank), (long, 0.0), *reversed(flank)]:
            turn = root + bend * far + np.arctan2(half, far)
            rim.append((float(far * np.cos(turn)), float(far * np.sin(turn))))
        ridges.append([(far * np.cos(root + bend * far), far * np.sin(root + bend * far)) for far in (0, 0.45, 0.85)])
    spines = [arc(*((float(x), float(y)) for x, y in ridge)) for ridge in ridges]
    dots = [oval(x, y, 0.024) for spine in spines for x, y in spine[5::3].tolist()]
    return [
        area(color, loop(*rim), form="puff", texture="grainy", gloss=0.1, fade=shade(color, 0.8)),
        area(shade(color, 1.45), *dots, form="puff", ink=0.35),
        stroke(shade(color, 0.7), 0.015, *spines, ink=0.25),
    ]
