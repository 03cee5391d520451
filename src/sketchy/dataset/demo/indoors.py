"""What stands about the house. Each function draws one of its kind, no two alike, as parts from back to front."""

from functools import partial

import numpy as np
from numpy.random import Generator

from sketchy.dataset.demo.shapes import (
    Color,
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
    moved,
    oval,
    pick,
    poly,
    shade,
    stroke,
    symmetric,
    tube,
)


def candle(rng: Generator) -> list[Part]:
    """A burning candle, on a dish with a handle or alone."""
    half, top = rng.uniform(0.14, 0.26), rng.uniform(-0.5, -0.15)
    wax, rim = pick(rng, "cream", "white", "red", "teal", "straw", "purple"), half * 0.28
    body = symmetric(bow(0, top, half, rim, -90, 0), bow(0, 0.8, half, rim, 0, 90))
    parts = _dish(rng, half) if rng.random() < 0.6 else []
    parts += [
        area(wax, body, form="tube", texture="grainy", gloss=0.2, fade=shade(wax, 0.75)),
        area(shade(wax, 1.15), oval(0, top, half * 0.97, rim), texture="grainy", ink=0.8),
    ]
    for _ in range(int(rng.integers(0, 4))):
        x, drop = rng.uniform(-0.75, 0.75) * half, rng.uniform(0.12, 0.4)
        drip = arc((x, top + rim * 0.6), (x + 0.01, top + drop * 0.7), (x, top + rim + drop))
        parts.append(area(shade(wax, 1.08), tube(drip, 0.06, 0.08), form="puff", gloss=0.3, ink=0.6))
    return [*parts, *_flame(rng, top)]


def _dish(rng: Generator, half: float) -> list[Part]:
    """Return a candlestick with a ring to hold it by, under a candle so wide."""
    wide, metal = half + rng.uniform(0.25, 0.45), pick(rng, "gold", "silver", "charcoal", "teal")
    side = arc((wide, 0.82), (wide * 0.8, 0.96), (wide * 0.5, 1.0))
    bowl = symmetric(bow(0, 0.82, wide, 0.16, -90, 0), side)
    return [
        stroke(metal, 0.05, oval(wide + 0.08, 0.84, 0.12, 0.1), gloss=0.5),
        area(metal, bowl, form="tube", gloss=0.7),
        area(shade(metal, 0.75), oval(0, 0.82, wide * 0.95, 0.13), gloss=0.3, ink=0.7),
    ]


def _flame(rng: Generator, top: float) -> list[Part]:
    """Return a flame and its wick on a candle whose upper rim lies at this height."""
    foot, high, lean, fat = top - 0.1, rng.uniform(0.32, 0.5), rng.uniform(-0.08, 0.08), rng.uniform(0.09, 0.14)
    waist = foot - high * 0.42
    right = [(fat * 0.75 + lean / 2, waist), (fat, foot - 0.05)]
    left = [(-fat, foot - 0.05), (-fat * 0.75 + lean / 2, waist)]
    flame = loop((lean, foot - high), *right, (0, foot + 0.06), *left)
    heart = flame * 0.5 + [0, (foot + 0.02) * 0.5]
    return [
        area((0.97, 0.93, 0.72), flame, texture="glow", fade=(0.97, 0.55, 0.12)),
        area((0.97, 0.97, 0.92), heart, texture="glow", ink=0.3),
        stroke((0.1, 0.08, 0.08), 0.025, arc((0, top), (0.01, top - 0.06), (0.0, foot - 0.04))),
    ]


def chair(rng: Generator) -> list[Part]:
    """A kitchen chair seen a little from the side."""
    wide, deep, rise = rng.uniform(0.42, 0.52), rng.uniform(0.2, 0.34), rng.uniform(0.14, 0.22)
    seat, top, lean = rng.uniform(0.02, 0.14), rng.uniform(-1.0, -0.85), rng.uniform(0.02, 0.1)
    thick, splay = rng.uniform(0.05, 0.09), rng.uniform(0.0, 0.06)
    wood = pick(rng, "brown", "tan", "chestnut", "white", "teal", "red", "charcoal")
    left, right = (-wide - deep / 2, seat), (wide - deep / 2, seat)
    far_left, far_right = (-wide + deep / 2, seat - rise), (wide + deep / 2, seat - rise)

    def leg(x: float, y: float, foot: float, out: float) -> Part:
        return area(shade(wood, 0.9), tube(line((x, y), (x + out, foot)), 0.07, 0.05), form="tube", texture="wood")

    low_right, low_far, low_left = ((x, y + thick) for x, y in (right, far_right, left))
    cushion = pick(rng, "cream", "crimson", "navy", "forest") if rng.random() < 0.4 else wood
    parts = [
        leg(far_left[0] + 0.03, far_left[1], 0.82, -splay),
        leg(far_right[0] - 0.03, far_right[1], 0.82, splay),
        *_chair_back(rng, wood, (far_left[0] + lean, top), (far_right[0] + lean, top), far_left, far_right),
        area(shade(wood, 0.7), poly(left, right, far_right, low_far, low_right, low_left), texture="wood"),
        leg(left[0] + 0.04, seat + thick, 1.0, -splay),
        leg(right[0] - 0.04, seat + thick, 1.0, splay),
        area(cushion, poly(left, right, far_right, far_left), texture="wood", gloss=0.2),
    ]
    if rng.random() < 0.5:
        y = seat + thick + 0.45
        rung = tube(line((left[0] + 0.03, y), (right[0] - 0.03, y)), 0.04, 0.04)
        parts.append(area(wood, rung, form="puff", texture="wood", ink=0.8))
    return parts


Spot = tuple[float, float]


def _chair_back(rng: Generator, wood: Color, top_left: Spot, top_right: Spot, left: Spot, right: Spot) -> list[Part]:
    """Return the back between two posts: slats, bars or a padded panel."""

    def across(share: float) -> Points:
        """A line from post to post, at a share of the way down."""
        ends = ((top, low) for top, low in ((top_left, left), (top_right, right)))
        return line(*((top[0] + (low[0] - top[0]) * share, top[1] + (low[1] - top[1]) * share) for top, low in ends))

    posts = [tube(line(top, (x, y + 0.03)), 0.055, 0.07) for top, (x, y) in ((top_left, left), (top_right, right))]
    wooden = partial(area, form="puff", texture="wood")
    style = rng.integers(3)
    if style == 0:
        back = [wooden(shade(wood, 1.05), *(tube(across(share), 0.12, 0.12) for share in (0.08, 0.34, 0.6)))]
    elif style == 1:
        high, low = across(0.06), across(1.0)
        shares = np.linspace(0.18, 0.82, int(rng.integers(3, 6)))
        bars = [np.stack([high[0] + (high[1] - high[0]) * s, low[0] + (low[1] - low[0]) * s]) for s in shares]
        crest = arc(top_left, ((top_left[0] + top_right[0]) / 2, top_left[1] - 0.06), top_right)
        back = [
            wooden(wood, *(tube(bar, 0.04, 0.04) for bar in bars)),
            wooden(shade(wood, 1.05), tube(crest, 0.13, 0.13)),
        ]
    else:
        panel = closed(across(0.0), across(0.7)[::-1])
        back = [area(pick(rng, "cream", "crimson", "navy", "forest", "grey"), panel, form="puff", texture="weave")]
    return [*back, wooden(wood, *posts)]


def cup(rng: Generator) -> list[Part]:
    """A cup or a mug with its handle, perhaps on a saucer."""
    top, high, bulge = rng.uniform(0.5, 0.66), rng.uniform(0.5, 0.72), rng.uniform(0.0, 0.08)
    low = min(rng.uniform(0.32, 0.6), top)
    rim, foot = top * rng.uniform(0.16, 0.28), low * 0.2
    glaze = pick(rng, "white", "cream", "red", "teal", "blue", "yellow", "charcoal", "sky", "pink")
    side = arc((top, -high), ((top + low) / 2 + bulge + 0.04, 0.1), (low, high))
    body = symmetric(bow(0, -high, top, rim, -90, 0), side, bow(0, high, low, foot, 0, 90))
    x, y = (top + low) / 2 - 0.02, rng.uniform(-0.2, 0.0)
    reach, tall = rng.uniform(0.26, 0.4), rng.uniform(0.24, 0.36)
    bend = [(x, y - tall), (x + reach * 0.75, y - tall * 0.95), (x + reach, y), (x + reach * 0.6, y + tall * 0.9)]
    handle = tube(arc(*bend, (x - 0.08, y + tall)), 0.11, 0.1)
    parts = []
    if rng.random() < 0.4:
        dish = low + rng.uniform(0.3, 0.5)
        parts += [
            area(shade(glaze, 0.95), oval(0, high + 0.03, dish, dish * 0.24), form="puff", gloss=0.4),
            area(shade(glaze, 0.85), oval(0, high + 0.02, dish * 0.6, dish * 0.13), gloss=0.2, ink=0.4),
        ]
    parts += [area(glaze, handle, form="puff", gloss=0.6), area(glaze, body, form="tube", gloss=0.6)]
    if decor := _decor(rng, side, rim):
        mark = pick(rng, "red", "blue", "forest", "gold", "white", "navy")
        parts.append(area(mark, *decor, within=(body,), form="tube", gloss=0.5, ink=0.7))
    inside = oval(0, -high, top * 0.95, rim * 0.9)
    drink = oval(0, -high + rim * 0.5, top * 0.95, rim)
    return [
        *parts,
        area(shade(glaze, 0.6), inside),
        area(pick(rng, "brown", "chestnut", "black"), drink, within=(inside,), gloss=0.6, ink=0.35),
    ]


def _decor(rng: Generator, side: Points, rim: float) -> list[Points]:
    """Return what is painted on a cup with this right-hand outline: bands, dots, a heart or nothing."""

    def band(start: float, end: float) -> Points:
        (x, y), (low_x, low_y) = (side[int(share * len(side))].tolist() for share in (start, end))
        return closed(bow(0, y, x * 1.02, rim * 0.9, 0, 180), bow(0, low_y, low_x * 1.02, rim * 0.9, 180, 0))

    style = rng.integers(4)
    if style == 0:
        bands = ([(0.25, 0.32), (0.4, 0.47)], [(0.3, 0.6)], [(0.15, 0.22), (0.7, 0.77)])[rng.integers(3)]
        return [band(start, end) for start, end in bands]
    wide, high = float(side[:, 0].max()), float(side[-1, 1])
    if style == 1:
        spots = [(-0.75, -0.3), (-0.35, 0.05), (0.05, -0.25), (0.45, 0.05), (0.8, -0.3), (-0.7, 0.4), (0.05, 0.4)]
        return [oval(x * wide, (y + 0.2) * high, 0.07 * (1.1 - x**2 * 0.6), 0.07) for x, y in spots]
    if style == 2:
        heart = mirrored((0, -0.02), (0.14, -0.14), (0.27, -0.04), (0.22, 0.12), (0, 0.36))
        return [moved(heart, 0, rim * 0.6)]
    return []


def guitar(rng: Generator) -> list[Part]:
    """An acoustic guitar from the front, upright."""
    hips, chest, waist = rng.uniform(0.38, 0.46), rng.uniform(0.28, 0.35), rng.uniform(0.2, 0.26)
    wood, dark = pick(rng, "tan", "orange", "chestnut", "straw", "brown", "crimson"), pick(rng, "black", "brown")
    top, radius = rng.uniform(-0.14, -0.04), rng.uniform(0.1, 0.13)
    upper = [(0, top), (chest * 0.7, top + 0.03), (chest, top + 0.2), (waist, top + 0.4)]
    body = mirrored(*upper, (hips * 0.92, 0.56), (hips, 0.74), (hips * 0.75, 0.95), (0, 1.0))
    hole, bridge = top + 0.42, 0.7
    parts = [
        area(shade(wood, 0.45), body, form="puff", gloss=0.3),
        area(wood, body * 0.965 + [0, 0.015], texture="wood", gloss=0.5, fade=shade(wood, 0.75), ink=0.1),
        area((0.06, 0.05, 0.05), oval(0, hole, radius)),
        stroke(pick(rng, "cream", "brown", "black"), 0.018, oval(0, hole, radius + 0.03), ink=0.4),
    ]
    if rng.random() < 0.5:
        far = [(radius + 0.13, hole + 0.05), (radius + 0.14, hole + 0.2)]
        guard = loop((radius * 0.9, hole + 0.02), *far, (radius * 0.6, hole + 0.15))
        parts.append(area(dark, guard, gloss=0.6, ink=0.5))
    return [
        *parts,
        area(dark, box(-0.14, bridge - 0.025, 0.14, bridge + 0.025, 0.015), form="puff", texture="wood"),
        *_neck(rng, dark, hole - radius, bridge),
    ]


def _neck(rng: Generator, dark: Color, low: float, bridge: float) -> list[Part]:
    """Return a guitar's neck down to `low`, its head with the pegs, and the strings down to the bridge."""
    top, half = rng.uniform(-0.8, -0.7), rng.uniform(0.042, 0.055)
    neck = poly((-half, top), (half, top), (half * 1.25, low), (-half * 1.25, low))
    corners = [(half * 1.9, top - 0.22), (half * 1.2, top)]
    head = poly(*((-x, y) for x, y in reversed(corners)), *corners)
    pegs = [oval(side * (half * 1.6 + 0.045), top - y, 0.032, 0.022) for side in (-1, 1) for y in (0.05, 0.115, 0.18)]
    strings = [line((x * half * 0.75, top - 0.02), (x * 0.06, bridge)) for x in np.linspace(-1, 1, 6)]
    frets = [line((-half * 1.05, y), (half * 1.05, y)) for y in np.linspace(top + 0.06, low - 0.08, 9)]
    metal = pick(rng, "silver")
    return [
        area(shade(dark, 1.2), *pegs, form="puff", gloss=0.6, ink=0.8),
        area(shade(dark, 1.1), neck, form="tube", texture="wood"),
        stroke(metal, 0.008, *frets, ink=0.25),
        area(pick(rng, "brown", "black", "chestnut"), head, form="puff", texture="wood", gloss=0.4),
        stroke(metal, 0.007, *strings, ink=0),
    ]
