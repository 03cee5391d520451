"""What grows. Each function draws one of its kind, no two alike, as parts from back to front."""

import numpy as np
from numpy.random import Generator

from sketchy.dataset.demo.shapes import (
    Part,
    Points,
    arc,
    area,
    billow,
    bow,
    closed,
    line,
    loop,
    mirrored,
    moved,
    oval,
    pick,
    poly,
    shade,
    stroke,
    symmetric,
    tube,
)


def apple(rng: Generator) -> list[Part]:
    """An apple from the side, mostly with its leaf."""
    wide, foot, sag = rng.uniform(0.82, 1.02), rng.uniform(0.5, 0.72), rng.uniform(-0.15, 0.1)
    skin = pick(rng, "red", "crimson", "lime", "yellow", "red")
    shoulder, side = [(0, -0.6), (0.28 * wide, -0.74), (0.74 * wide, -0.62)], [(0.97 * wide, -0.1 + sag)]
    body = mirrored(*shoulder, *side, (foot + 0.14, 0.48), (0.36, 0.8), (0.14, 0.8), (0, 0.74))
    tip, tall = rng.uniform(-0.2, 0.2), rng.uniform(0.9, 1.1)
    parts = [
        area(skin, body, form="puff", texture="speckled", gloss=0.55, fade=pick(rng, "lime", "yellow", "red")),
        area(shade(skin, 0.5), bow(0, -0.585, 0.24 * wide, 0.075, 0, 360), texture="grainy", ink=0),
        stroke(shade(skin, 0.4), 0.015, bow(0, -0.62, 0.25 * wide, 0.1, 10, 170), ink=0.7),
        area(pick(rng, "brown"), tube(arc((0, -0.54), (tip / 4, -0.8), (tip, -tall)), 0.05, 0.09), form="puff"),
    ]
    if rng.random() < 0.7:
        turn, rise = rng.choice([-1, 1]), rng.uniform(0.0, 0.25)
        leaf = loop((0.04, -0.78), (0.3, -0.98 - rise), (0.62, -0.98 - rise), (0.34, -0.78 - rise / 2))
        vein = arc((0.06, -0.79), (0.3, -0.88 - rise * 0.7), (0.55, -0.96 - rise))
        green = pick(rng, "green", "forest", "lime")
        parts.append(area(green, leaf * [turn, 1], form="puff", texture="grainy", gloss=0.3))
        parts.append(stroke(shade(green, 1.3), 0.012, vein * [turn, 1], ink=0.5))
    return parts


def flower(rng: Generator) -> list[Part]:
    """One open flower on its stalk, with a leaf or two."""
    count, reach, thin = int(rng.integers(5, 13)), rng.uniform(0.46, 0.62), rng.uniform(0.8, 1.25)
    color = pick(rng, "red", "pink", "yellow", "white", "purple", "orange", "blue")
    heart, core = -0.42, rng.uniform(0.13, 0.22)
    bend = rng.uniform(-0.25, 0.25)
    green = pick(rng, "green", "forest", "lime")
    parts = [area(green, tube(arc((0, heart), (bend * 0.6, 0.2), (bend, 1.0)), 0.05, 0.07), form="puff")]
    for side in (-1, 1)[: rng.integers(1, 3)]:
        low, long = rng.uniform(0.45, 0.75), rng.uniform(0.4, 0.6) * side
        x = bend * low * 0.8
        leaf = loop((x, low), (x + long * 0.4, low - 0.3), (x + long, low - 0.36), (x + long * 0.6, low - 0.08))
        parts.append(area(green, leaf, form="puff", texture="fibers", gloss=0.2))
        parts.append(stroke(shade(green, 1.4), 0.012, line((x, low), (x + long * 0.8, low - 0.3)), ink=0.5))
    half, tip = min(0.3, thin * np.pi * reach * 0.62 / count), rng.uniform(0.6, 1.0)
    edge = [(reach * 0.5, half * 0.8), (reach * 0.85, half * tip)]
    petal = loop((0.05, 0), *((x, -y) for x, y in edge), (reach, 0), *reversed(edge))
    start = rng.uniform(0, 360)
    for number in [*range(0, count, 2), *range(1, count, 2)]:
        outline = moved(petal, 0, heart, start + number * 360 / count + rng.normal(0, 3), rng.uniform(0.92, 1.05))
        tone = shade(color, rng.uniform(0.85, 1.1))
        parts.append(area(tone, outline, form="puff", texture="grainy", fade=shade(color, 0.75)))
    middle = pick(rng, "gold", "brown", "yellow", "charcoal")
    spiral = np.arange(60)
    turn, far = spiral * 2.4, core * 0.95 * np.sqrt(spiral / 60)
    seeds = [
        oval(float(x), float(y), 0.018) for x, y in zip(far * np.cos(turn), heart + far * np.sin(turn), strict=True)
    ]
    return [
        *parts,
        area(middle, oval(0, heart, core), form="puff", texture="grainy"),
        area(shade(middle, 1.3), *seeds, ink=0),
    ]


def mushroom(rng: Generator) -> list[Part]:
    """A toadstool from the side: cap, gills and stem."""
    wide, tall, brim = rng.uniform(0.7, 1.0), rng.uniform(0.65, 0.95), rng.uniform(-0.1, 0.1)
    thick, foot, dip = rng.uniform(0.14, 0.24), rng.uniform(1.1, 1.6), rng.uniform(0.1, 0.2)
    color = pick(rng, "red", "brown", "tan", "red", "cream", "chestnut", "orange")
    flesh = pick(rng, "cream", "white")
    side = arc((thick, brim), (thick * 0.9, 0.4), (thick * foot, 0.85))
    stem = symmetric(side, bow(0, 0.85, thick * foot, 0.1, 0, 90))
    slope = (wide * 0.82, brim - tall * 0.6)
    dome = arc((-wide, brim), (-slope[0], slope[1]), (0, brim - tall), slope, (wide, brim))
    cap = closed(dome, bow(0, brim, wide, dip, 0, 180))
    parts = [
        area(flesh, stem, form="tube", texture="fibers", fade=shade(flesh, 0.75)),
        area(color, cap, form="puff", texture="grainy", gloss=0.35, fade=shade(color, 0.8)),
    ]
    if rng.random() < 0.65:
        spots = _spots(rng, wide, tall * 0.95, brim)
        parts.append(area(pick(rng, "white", "cream"), *spots, form="puff", texture="grainy", ink=0.8))
    if rng.random() < 0.5:
        under = closed(bow(0, brim, wide * 0.97, dip, 0, 180), bow(0, brim, wide * 0.97, dip * 0.25, 180, 0))
        gills = [
            line((x * thick * 1.2, brim), (x * wide * 0.9, brim + dip * 0.9 * np.sqrt(1 - x**2 * 0.8)))
            for x in np.linspace(-1, 1, 13)
        ]
        parts.append(area(shade(flesh, 0.6), under, texture="fibers", ink=0.8))
        parts.append(stroke(shade(flesh, 0.4), 0.012, *gills, ink=0.3))
    if rng.random() < 0.5:
        ring = closed(bow(0, 0.22, thick * 1.35, 0.08, 0, 180), line((-thick * 0.95, 0.14), (thick * 0.95, 0.14)))
        parts.append(area(flesh, ring, form="tube", texture="fibers", ink=0.8))
    return parts


def _spots(rng: Generator, wide: float, tall: float, brim: float) -> list[Points]:
    """Return spots on the cap that do not touch each other, smaller towards its sides."""
    found: list[tuple[float, float, float]] = []
    for _ in range(14):
        angle, far, size = rng.uniform(np.pi, 2 * np.pi), np.sqrt(rng.uniform(0.0, 0.6)), rng.uniform(0.06, 0.13)
        x, y = float(far * wide * np.cos(angle)), brim - 0.12 + 0.85 * float(far * tall * np.sin(angle))
        if all(np.hypot(x - left, y - top) > size + other + 0.04 for left, top, other in found):
            found.append((x, y, size))
    return [oval(x, y, size * (1.1 - abs(x) * 0.5), size * 0.85) for x, y, size in found]


def tree(rng: Generator) -> list[Part]:
    """A tree: a round crown on a trunk, or a fir."""
    if rng.random() < 0.3:
        return _fir(rng)
    wide, high, thick = rng.uniform(0.6, 0.95), rng.uniform(0.5, 0.65), rng.uniform(0.08, 0.15)
    bark, green = pick(rng, "brown", "chestnut"), pick(rng, "green", "forest", "lime", "orange", "gold")
    crotch = rng.uniform(0.15, 0.35)
    middle = crotch - high
    side = arc((thick, crotch - 0.3), (thick * 0.85, 0.5), (thick * 1.9, 1.0))
    boughs = [
        tube(arc((0, crotch + 0.1), (x * 0.45, crotch - 0.15), (x, crotch - 0.45)), thick, thick * 0.5)
        for x in (-wide * 0.5, wide * 0.5)
    ]
    crown = billow(rng, oval(0, middle, wide, high), int(rng.integers(9, 16)), 0.16)
    parts = [
        area(bark, symmetric(side), *boughs, form="puff", texture="fibers"),
        area(green, crown, form="puff", texture="leafy", fade=shade(green, 0.6)),
    ]
    for x, y in rng.uniform(-0.55, 0.55, (7, 2)) * [wide, high] + [0, middle]:
        clump = billow(rng, oval(x, y, wide * 0.36, high * 0.34), 7, 0.18)
        parts.append(area(shade(green, rng.uniform(0.9, 1.15)), clump, form="puff", texture="leafy", ink=0))
    tufts = rng.uniform(-0.5, 0.5, (5, 2)) * [wide, high] + [0, middle]
    return [*parts, stroke(shade(green, 0.5), 0.012, *(bow(x, y, 0.14, 0.11, 190, 350) for x, y in tufts), ink=0.5)]


def _fir(rng: Generator) -> list[Part]:
    tiers, wide, drop = int(rng.integers(3, 6)), rng.uniform(0.5, 0.75), rng.uniform(0.02, 0.1)
    green = pick(rng, "forest", "green")
    trunk = poly((-0.08, 0.5), (0.08, 0.5), (0.1, 1.0), (-0.1, 1.0))
    parts = [area(pick(rng, "brown", "chestnut"), trunk, form="tube", texture="fibers")]
    edges = np.linspace(-1.0, 0.7, tiers + 1)
    for number in reversed(range(tiers)):
        top, low = max(float(edges[number]) - 0.16, -1.0), float(edges[number + 1])
        half = wide * (number + 1.2) / (tiers + 0.2)
        hem = [(half * (1 - k / 3), low + (drop if k % 2 else 0)) for k in range(7)]
        flank = arc((0, top), (half * 0.4, (top + low) / 2), hem[0])
        tier = symmetric(flank, line(*hem[:4]))
        parts.append(area(shade(green, rng.uniform(0.85, 1.1)), tier, form="puff", texture="leafy"))
    return parts
