"""What people carry. Each function draws one of its kind, no two alike, as parts from back to front."""

from itertools import pairwise

import numpy as np
from numpy.random import Generator

from sketchy.dataset.demo.shapes import (
    Part,
    Points,
    arc,
    area,
    bow,
    box,
    closed,
    line,
    loop,
    mirrored,
    oval,
    pick,
    poly,
    shade,
    stroke,
    symmetric,
)


def hat(rng: Generator) -> list[Part]:
    """A hat with a brim and a band, of straw or felt."""
    brim, crown, tall = rng.uniform(0.85, 1.0), rng.uniform(0.42, 0.55), rng.uniform(0.45, 0.85)
    droop, curl, strip = rng.uniform(0.12, 0.24), rng.uniform(-0.12, 0.06), rng.uniform(0.1, 0.2)
    color = pick(rng, "straw", "brown", "black", "grey", "tan", "navy", "cream", "pink")
    fabric = "weave" if rng.random() < 0.5 else "felt"
    base, top = 0.3, 0.3 - tall
    narrow = crown * rng.uniform(0.72, 1.02)
    dent = rng.uniform(0.0, 0.12) if rng.random() < 0.6 else -0.06
    shoulder = (narrow, top + 0.08)
    shell = symmetric(
        arc((0, top + dent), (narrow * 0.6, top - 0.03), shoulder),
        arc(shoulder, (crown * 0.96, (base + top) / 2), (crown, base)),
        bow(0, base, crown, droop * 0.5, 0, 90),
    )
    back, front = [(0, base - droop * 0.7), (brim * 0.75, base - droop * 0.5)], (brim * 0.7, base + droop * 0.9)
    plate = mirrored(*back, (brim, base + curl), front, (0, base + droop * 1.35))
    upper = crown + (narrow - crown) * strip / tall
    band = closed(bow(0, base, crown * 1.02, droop * 0.5, 0, 180), bow(0, base - strip, upper, droop * 0.5, 180, 0))
    parts = [
        area(color, plate, form="puff", texture=fabric),
        area(color, shell, form="tube", texture=fabric, fade=shade(color, 0.8)),
        area(pick(rng, "red", "black", "navy", "white", "forest", "gold"), band, form="tube", texture="weave"),
    ]
    if rng.random() < 0.4:
        plume = loop((0.3, base - 0.05), (0.5, base - 0.5), (0.62, base - 0.8), (0.5, base - 0.35))
        plume = plume * [rng.choice([-1, 1]), 1]
        dye = pick(rng, "red", "white", "teal", "orange")
        parts.append(area(dye, plume, form="puff", texture="fibers", ink=0.9))
    return parts


def key(rng: Generator) -> list[Part]:
    """An old key: bow, shank and bit."""
    metal = pick(rng, "gold", "silver", "brown", "grey", "charcoal")
    grip, thick = rng.uniform(0.22, 0.3), rng.uniform(0.05, 0.075)
    middle, far = grip - 1, grip * 0.52
    style = rng.integers(3)
    if style == 0:
        ring, holes = [oval(middle, 0, grip, grip * rng.uniform(0.8, 1.15))], [oval(middle, 0, grip * 0.62, grip * 0.6)]
    elif style == 1:
        places = [(middle - far * 0.7, 0.0), (middle + far * 0.3, -far), (middle + far * 0.3, far)]
        ring = [oval(x, y, grip * 0.55) for x, y in places]
        holes = [oval(x, y, grip * 0.3) for x, y in places]
    else:
        upper = [(-0.6, -0.95), (0.5, -0.7)]
        rim = [(-1.0, 0.0), *upper, (1.0, 0.0), *((x, -y) for x, y in reversed(upper))]
        ring = [loop(*((middle + grip * x, grip * y) for x, y in rim))]
        holes = [oval(middle - grip * 0.15, 0, grip * 0.5, grip * 0.45)]
    shank = box(middle + grip * 0.7, -thick, 1.0, thick, thick * 0.8)
    bit = _bit(rng, thick)
    collar = middle + grip + rng.uniform(0.03, 0.1)
    band = box(collar, -thick * 1.6, collar + 0.07, thick * 1.6, 0.02)
    return [
        area(metal, *ring, shank, bit, holes=holes, form="puff", gloss=0.7),
        area(metal, bit, gloss=0.6, ink=0),
        area(metal, shank, form="puff", gloss=0.7, ink=0),
        area(shade(metal, 0.9), band, form="puff", gloss=0.7, ink=0.75),
    ]


def _bit(rng: Generator, thick: float) -> Points:
    """Return the blade of a key with its teeth, hanging from a shank that reaches x = 1."""
    drop, teeth, left, right = rng.uniform(0.24, 0.36), int(rng.integers(2, 4)), 1 - rng.uniform(0.3, 0.42), 0.94
    step = (right - left) / (2 * teeth - 1)
    edge = [(left, thick / 2)]
    for tooth in range(teeth):
        start, deep = left + 2 * tooth * step, drop * rng.uniform(0.75, 1.0)
        edge += [(start, deep), (start + step, deep)]
        if tooth < teeth - 1:
            edge += [(start + step, drop * 0.5), (start + 2 * step, drop * 0.5)]
    return poly(*edge, (right, thick / 2))


def umbrella(rng: Generator) -> list[Part]:
    """An open umbrella with a hooked handle."""
    wide, top, hem = rng.uniform(0.82, 1.0), rng.uniform(-0.82, -0.68), rng.uniform(-0.12, 0.02)
    first = pick(rng, "red", "blue", "yellow", "purple", "teal", "pink", "navy", "green")
    second = pick(rng, "white", "orange", "sky", "lime", "red") if rng.random() < 0.55 else shade(first, 0.85)
    marks = (np.sin(np.linspace(-1, 1, int(rng.integers(4, 8)) + 1) * np.pi / 2) * wide).tolist()
    dip = rng.uniform(0.06, 0.14)

    def rib(x: float) -> Points:
        side = (x / wide) ** 2
        low = hem - 0.05 * (1 - side)
        return arc((0, top), (x * 0.5, top + 0.08 + 0.05 * side), (x * 0.86, (top + low) / 2 - 0.02), (x, low))

    ribs = [rib(x) for x in marks]
    scallops = []
    for start, end in pairwise(ribs):
        (left, left_y), (right, right_y) = start[-1].tolist(), end[-1].tolist()
        lift = dip * (right - left) / wide
        scallops.append(arc((left, left_y), ((left + right) / 2, (left_y + right_y) / 2 - lift), (right, right_y)))
    gores = [closed(ribs[n], scallop, ribs[n + 1][::-1]) for n, scallop in enumerate(scallops)]
    canopy = closed(ribs[0], *scallops, ribs[-1][::-1])
    hook, side, wood = rng.uniform(0.1, 0.16), rng.choice([-1, 1]), pick(rng, "brown", "black", "chestnut", "silver")
    cane = np.concatenate([line((0, hem - 0.3), (0, 0.8)), bow(hook, 0.8, hook, hook, 180, 10) * [side, 1]])
    return [
        area(shade(first, 0.35), oval(0, hem - 0.06, wide * 0.93, 0.09), ink=0),
        stroke(wood, 0.045, cane, gloss=0.4),
        area(first, canopy, form="puff", texture="felt", gloss=0.15),
        area(second, *gores[1::2], within=(canopy,), form="puff", texture="felt", gloss=0.15, ink=0),
        stroke(shade(first, 0.55), 0.01, *ribs[1:-1], ink=0.85),
        stroke(wood, 0.04, line((0, top + 0.02), (0, top - 0.13)), gloss=0.4),
    ]
