"""What goes up. Each function draws one of its kind, no two alike, as parts from back to front."""

import itertools

import numpy as np
from numpy.random import Generator

from sketchy.dataset.demo.shapes import (
    Color,
    Part,
    Points,
    arc,
    area,
    bow,
    closed,
    line,
    loop,
    oval,
    pick,
    shade,
    stroke,
    symmetric,
    tube,
)


def hot_air_balloon(rng: Generator) -> list[Part]:
    """A hot-air balloon in gores of several colours, with its basket."""
    wide, waist, mouth, low = rng.uniform(0.6, 0.74), rng.uniform(-0.42, -0.3), rng.uniform(0.1, 0.16), 0.5
    names = ("red", "yellow", "blue", "orange", "purple", "white", "green", "teal", "pink")
    colors = [pick(rng, name) for name in rng.choice(names, rng.integers(2, 4), replace=False)]

    def edge(share: float) -> Points:
        """A seam from the top to the mouth; shares -1 and 1 are the outline."""
        reach = np.sin(share * np.pi / 2) * wide
        upper = [(0, -1.0), (reach * 0.72, -0.86), (reach, waist)]
        return arc(*upper, (reach * 0.68, waist + 0.54), (reach * mouth / wide, low))

    seams = [edge(share) for share in np.linspace(-1, 1, int(rng.integers(5, 9)) + 1).tolist()]
    gores = [closed(left, right[::-1]) for left, right in itertools.pairwise(seams)]
    envelope = closed(seams[0], seams[-1][::-1])
    parts = [area(colors[0], envelope, form="puff", texture="felt")]
    for number, color in enumerate(colors[1:], 1):
        stripes = gores[number :: len(colors)]
        parts.append(area(color, *stripes, within=(envelope,), form="puff", texture="felt", ink=0))
    parts.append(stroke(shade(colors[0], 0.5), 0.01, *seams[1:-1], ink=0.8))
    if rng.random() < 0.4:
        band = closed(bow(0, waist, wide * 1.1, 0.1, 0, 180), bow(0, waist + 0.13, wide * 1.1, 0.1, 180, 0))
        parts.append(area(pick(rng, "white", "yellow", "navy"), band, within=(envelope,), form="puff", ink=0.7))
    ropes = [line((x * mouth, low), (x * 0.1, 0.78)) for x in (-0.95, -0.3, 0.3, 0.95)]
    return [
        *parts,
        area(shade(colors[-1], 0.4), oval(0, low, mouth, 0.03), ink=0.7),
        stroke(pick(rng, "charcoal"), 0.012, *ropes, ink=0.95),
        area(pick(rng, "tan", "chestnut"), symmetric(line((0.12, 0.76), (0.1, 1.0))), form="tube", texture="weave"),
        stroke(pick(rng, "brown"), 0.035, line((-0.125, 0.77), (0.125, 0.77)), ink=0.5),
    ]


def rocket(rng: Generator) -> list[Part]:
    """A rocket as in picture books: nose, fins, portholes, and a flame while it flies."""
    wide, nose, low = rng.uniform(0.2, 0.3), rng.uniform(-0.65, -0.45), rng.uniform(0.42, 0.55)
    color = pick(rng, "white", "silver", "red", "cream", "teal")
    trim = pick(rng, "red", "blue", "orange", "yellow", "navy")
    belly, neck = wide * rng.uniform(1.05, 1.3), -0.6 + 0.4 * nose
    side = arc((0, -1.0), (wide * 0.55, neck), (wide, nose), (belly, 0.0), (wide * 0.8, low))
    tip = side[side[:, 1] <= nose * 1.05]
    cone = symmetric(tip, bow(0, float(tip[-1, 1]), float(tip[-1, 0]), 0.04, 0, 90))
    reach, drop = rng.uniform(0.5, 0.68), rng.uniform(0.62, 0.8)
    fin = closed(
        arc((wide * 0.85, 0.05), (reach * 0.85, 0.25), (reach, drop)),
        arc((reach, drop), (wide * 1.2, low - 0.02), (wide * 0.7, low)),
    )
    nozzle = symmetric(line((wide * 0.6, low - 0.04), (wide * 0.75, low + 0.08)))
    middle_fin = tube(line((0, 0.16 + low / 3), (0, low + 0.2)), 0.05, 0.09)
    parts = _exhaust(wide, low) if rng.random() < 0.7 else []
    parts += [
        area(trim, fin, fin * [-1, 1], form="puff", gloss=0.4),
        area(pick(rng, "charcoal"), nozzle, form="tube", gloss=0.4),
        area(color, symmetric(side), form="tube", gloss=0.45),
        area(trim, cone, form="tube", gloss=0.45),
        stroke(shade(color, 0.55), 0.012, bow(0, low - 0.16, wide, 0.05, 5, 175), ink=0.6),
    ]
    for y, size in ((-0.28, 0.42), (0.1, 0.34))[: rng.integers(1, 3)]:
        parts.append(area(pick(rng, "silver"), oval(0, y, wide * size * 1.25), form="puff", gloss=0.6, ink=0.6))
        parts.append(area(pick(rng, "navy"), oval(0, y, wide * size * 0.9), texture="glass", gloss=0.5))
    return [*parts, area(shade(trim, 0.85), middle_fin, form="puff", ink=0.7)]


def _exhaust(wide: float, low: float) -> list[Part]:
    """Return a flame below an engine: orange, and nearly white within."""

    def flame(long: float, share: float) -> Points:
        waist = low + (long - low) * 0.5
        right = [(wide * 0.62 * share, low + 0.05), (wide * 0.5 * share, waist)]
        return loop((0, long), *((-x, y) for x, y in reversed(right)), *right)

    outer: Color = (0.97, 0.55, 0.1)
    return [
        area(outer, flame(1.05, 1.0), form="puff", texture="glow", fade=(0.97, 0.25, 0.05), ink=0.85),
        area((0.97, 0.9, 0.5), flame(0.85, 0.55), form="puff", texture="glow", ink=0.5),
    ]
