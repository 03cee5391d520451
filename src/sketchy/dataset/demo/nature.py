"""Things that grow, swim, fly or melt. Each function draws one of its kind, no two alike, as parts from back to front."""

import numpy as np
from numpy.random import Generator

from sketchy.dataset.demo.shapes import (
    Part,
    arc,
    area,
    billow,
    both,
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
    tube,
)


def apple(rng: Generator) -> list[Part]:
    """An apple from the side, mostly with its leaf."""
    wide, foot, sag = rng.uniform(0.82, 1.02), rng.uniform(0.5, 0.72), rng.uniform(-0.15, 0.1)
    skin = pick(rng, "red", "crimson", "lime", "yellow", "red")
    body = mirrored(
        (0, -0.6), (0.28 * wide, -0.74), (0.74 * wide, -0.62), (0.97 * wide, -0.1 + sag), (foot + 0.14, 0.48),
        (0.36, 0.8), (0.14, 0.8), (0, 0.74),
    )  # fmt: skip
    tip, tall = rng.uniform(-0.2, 0.2), rng.uniform(0.9, 1.1)
    parts = [
        area(skin, body, form="puff", texture="speckled", gloss=0.55, fade=pick(rng, "lime", "yellow", "red")),
        area(shade(skin, 0.5), bow(0, -0.585, 0.24 * wide, 0.075, 0, 360), texture="grainy", ink=0),
        stroke(shade(skin, 0.4), 0.015, bow(0, -0.62, 0.25 * wide, 0.1, 10, 170), ink=0.7),
        area(pick(rng, "brown"), tube(arc((0, -0.54), (tip / 4, -0.8), (tip, -tall)), 0.05, 0.09), form="puff"),
    ]
    if rng.random() < 0.7:
        side, rise = rng.choice([-1, 1]), rng.uniform(0.0, 0.25)
        leaf = loop((0.04, -0.78), (0.3, -0.98 - rise), (0.62, -0.98 - rise), (0.34, -0.78 - rise / 2))
        vein = arc((0.06, -0.79), (0.3, -0.88 - rise * 0.7), (0.55, -0.96 - rise))
        green = pick(rng, "green", "forest", "lime")
        parts.append(area(green, leaf * [side, 1], form="puff", texture="grainy", gloss=0.3))
        parts.append(stroke(shade(green, 1.3), 0.012, vein * [side, 1], ink=0.5))
    return parts


def butterfly(rng: Generator) -> list[Part]:
    """A butterfly from above with its wings spread."""
    reach, lift, low, tail = (
        rng.uniform(0.85, 1.05),
        rng.uniform(0.6, 0.95),
        rng.uniform(0.55, 0.8),
        rng.uniform(0.6, 1.0),
    )
    fore = loop(
        (0.05, -0.12), (0.4, -lift * 0.85), (reach * 0.9, -lift), (reach, -lift * 0.5), (0.62, 0.02), (0.05, 0.08)
    )
    hind = loop((0.05, 0.02), (0.5, 0.02), (low, 0.3), (low * 0.85, tail * 0.75), (low * 0.5, tail), (0.2, tail * 0.6))
    rim = pick(rng, "black", "brown", "navy")
    color, other = (
        pick(rng, "orange", "sky", "yellow", "pink", "white", "blue"),
        pick(rng, "orange", "yellow", "cream", "red"),
    )
    parts = []
    for wing, ink in ((hind, other if rng.random() < 0.5 else color), (fore, color)):
        root = np.array([0.12, wing[:, 1].mean() * 0.3])
        inner = root + (wing - root) * 0.86
        parts.append(area(rim, *both(wing), texture="grainy"))
        parts.append(area(ink, *both(inner), texture="fibers", fade=shade(ink, 0.6), ink=0.7))
        edge = root + (wing - root) * 0.93
        dots = [oval(float(x), float(y), 0.022) for x, y in edge[8:-8:4] if x > 0.35]
        parts.append(area(pick(rng, "white"), *(side for dot in dots for side in both(dot)), ink=0.0))
        veins = [line((0.1, float(root[1])), (float(x), float(y))) for x, y in inner[12:-6:8]]
        parts.append(stroke(rim, 0.018, *(side for vein in veins for side in both(vein)), ink=0.3))
        spot = root + (wing.mean(0) - root) * rng.uniform(1.0, 1.4)
        size = rng.uniform(0.05, 0.12)
        parts.append(area(pick(rng, "white", "red", "black"), *both(oval(*map(float, spot), size)), ink=0.6))
    length = rng.uniform(0.4, 0.6)
    body = mirrored((0, -0.34), (0.07, -0.28), (0.06, -0.15), (0.075, 0.05), (0.045, length * 0.8), (0, length))
    feeler = arc((0.02, -0.3), (0.1, -0.62), (rng.uniform(0.2, 0.35), -0.85))
    return [
        *parts,
        stroke(rim, 0.02, *both(feeler), ink=0.95),
        area(pick(rng, "black", "brown"), body, form="puff", texture="grainy"),
    ]


def fish(rng: Generator) -> list[Part]:
    """A fish from the side, slim or high."""
    high, long = rng.uniform(0.32, 0.62), rng.uniform(0.55, 0.7)
    body = loop(
        (-0.9, 0.02), (-0.72, -high * 0.55), (-0.3, -high), (0.2, -high * 0.75), (long, -0.12), (long, 0.12),
        (0.2, high * 0.7), (-0.3, high * 0.95), (-0.75, high * 0.5),
    )  # fmt: skip
    fork, spread = rng.uniform(0.0, 0.18), rng.uniform(0.3, 0.5)
    tail = loop(
        (long - 0.08, 0), (0.98, -spread), (1.02, -spread * 0.7), (0.96 - fork, 0), (1.02, spread * 0.7), (0.98, spread)
    )
    crest = rng.uniform(0.15, 0.34)
    back = loop((-0.4, -high * 0.85), (-0.2, -high - crest), (0.25, -high * 0.7 - crest * 0.8), (0.32, -high * 0.5))
    belly = loop((-0.05, high * 0.75), (0.14, high * 0.8 + crest), (0.3, high * 0.6 + crest * 0.6), (0.22, high * 0.5))
    color = pick(rng, "orange", "gold", "silver", "blue", "teal", "red", "lime")
    fins = pick(rng, "orange", "red", "charcoal", "gold") if rng.random() < 0.5 else shade(color, 0.75)
    rays = [line((long + 0.02, 0), (0.95 - fork / 2, y * spread)) for y in (-0.7, -0.35, 0.35, 0.7)]
    parts = [
        area(fins, tail, back, belly, texture="fibers", form="puff", gloss=0.2),
        stroke(shade(fins, 0.6), 0.012, *rays, ink=0.35),
        area(color, body, form="puff", texture="tiles", gloss=0.5, fade=shade(pick(rng, "cream", "silver"), 1.0)),
    ]
    if rng.random() < 0.5:
        stripe = pick(rng, "white", "charcoal", "yellow")
        for x in np.linspace(-0.28, 0.36, rng.integers(2, 5)):
            tall = high * (0.82 - 0.75 * max(x, 0))
            parts.append(
                area(stripe, loop((x, -tall), (x + 0.1, 0), (x, tall), (x - 0.05, 0)), texture="tiles", ink=0.6)
            )
    gill = arc((-0.5, -high * 0.62), (-0.38, 0), (-0.5, high * 0.55))
    fin = loop((-0.25, 0.1), (0.05, 0.08), (0.1, 0.2), (-0.08, 0.28))
    eye = rng.uniform(0.055, 0.09)
    return [
        *parts,
        stroke(shade(color, 0.5), 0.02, gill, ink=0.8),
        area(fins, fin, form="puff", texture="fibers", ink=0.8),
        area(pick(rng, "white", "yellow"), oval(-0.66, -high * 0.2, eye), form="puff", gloss=0.6),
        area(pick(rng, "black"), oval(-0.67, -high * 0.2, eye * 0.55), gloss=0.9, ink=0.7),
        stroke(shade(color, 0.4), 0.02, arc((-0.89, 0.06), (-0.8, 0.1), (-0.72, 0.09)), ink=0.8),
    ]


def flower(rng: Generator) -> list[Part]:
    """One open flower on its stalk, with a leaf or two."""
    petals, reach, thin = int(rng.integers(5, 13)), rng.uniform(0.46, 0.62), rng.uniform(0.8, 1.25)
    color = pick(rng, "red", "pink", "yellow", "white", "purple", "orange", "blue")
    heart, core = -0.42, rng.uniform(0.13, 0.22)
    half = min(0.3, thin * np.pi * reach * 0.62 / petals)
    tip = rng.uniform(0.6, 1.0)
    petal = loop((0.05, 0), (reach * 0.5, -half * 0.8), (reach * 0.85, -half * tip), (reach, 0), (reach * 0.85, half * tip), (reach * 0.5, half * 0.8))  # fmt: skip
    bend = rng.uniform(-0.25, 0.25)
    stalk = arc((0, heart), (bend * 0.6, 0.2), (bend, 1.0))
    green = pick(rng, "green", "forest", "lime")
    parts = [area(green, tube(stalk, 0.05, 0.07), form="puff")]
    for side in (-1, 1)[: rng.integers(1, 3)]:
        low = rng.uniform(0.45, 0.75)
        x, long = bend * low * 0.8, rng.uniform(0.4, 0.6)
        leaf = loop(
            (x, low),
            (x + side * long * 0.4, low - 0.3),
            (x + side * long, low - 0.36),
            (x + side * long * 0.6, low - 0.08),
        )
        parts.append(area(green, leaf, form="puff", texture="fibers", gloss=0.2))
        parts.append(stroke(shade(green, 1.4), 0.012, line((x, low), (x + side * long * 0.8, low - 0.3)), ink=0.5))
    start = rng.uniform(0, 360)
    for number in [*range(0, petals, 2), *range(1, petals, 2)]:
        outline = moved(petal, 0, heart, start + number * 360 / petals + rng.normal(0, 3), rng.uniform(0.92, 1.05))
        parts.append(
            area(shade(color, rng.uniform(0.85, 1.1)), outline, form="puff", texture="grainy", fade=shade(color, 0.75))
        )
    middle = pick(rng, "gold", "brown", "yellow", "charcoal")
    return [*parts, area(middle, oval(0, heart, core), form="puff", texture="leafy")]


def mushroom(rng: Generator) -> list[Part]:
    """A toadstool from the side: cap, gills and stem."""
    wide, tall, brim = rng.uniform(0.7, 1.0), rng.uniform(0.65, 0.95), rng.uniform(-0.1, 0.1)
    thick, foot = rng.uniform(0.14, 0.24), rng.uniform(1.1, 1.6)
    color = pick(rng, "red", "brown", "tan", "red", "cream", "chestnut", "orange")
    flesh = pick(rng, "cream", "white")
    stem = closed(
        arc((thick, brim), (thick * 0.9, 0.4), (thick * foot, 0.85)),
        bow(0, 0.85, thick * foot, 0.1, 0, 180),
        arc((-thick * foot, 0.85), (-thick * 0.9, 0.4), (-thick, brim)),
    )
    dip = rng.uniform(0.1, 0.2)
    top = arc(
        (-wide, brim),
        (-wide * 0.82, brim - tall * 0.6),
        (0, brim - tall),
        (wide * 0.82, brim - tall * 0.6),
        (wide, brim),
    )
    cap = closed(top, bow(0, brim, wide, dip, 0, 180))
    under = oval(0, brim, wide * 0.98, dip)
    gills = [
        line((x * thick * 1.2, brim), (x * wide * 0.9, brim + dip * 0.9 * np.sqrt(1 - x**2 * 0.8)))
        for x in np.linspace(-1, 1, 13)
    ]
    spots = []
    for _ in range(int(rng.integers(3, 9))) if rng.random() < 0.65 else ():
        angle, far = rng.uniform(195, 345), rng.uniform(0.2, 0.8)
        x, y = far * wide * np.cos(np.radians(angle)), brim + far * tall * 0.95 * np.sin(np.radians(angle))
        spots.append(oval(x, y, rng.uniform(0.06, 0.13) * (1.1 - abs(x) * 0.5), rng.uniform(0.05, 0.1)))
    ring = bow(0, 0.22, thick * 1.35, 0.08, 0, 180)
    parts = [
        area(flesh, stem, form="tube", texture="fibers", fade=shade(flesh, 0.75)),
        area(color, cap, form="puff", texture="grainy", gloss=0.35, fade=shade(color, 0.8)),
    ]
    if spots:
        parts.append(area(pick(rng, "white", "cream"), *spots, form="puff", texture="grainy", ink=0.8))
    if rng.random() < 0.5:
        parts.append(area(shade(flesh, 0.6), closed(bow(0, brim, wide * 0.97, dip, 0, 180), bow(0, brim, wide * 0.97, dip * 0.25, 180, 0)), texture="fibers", ink=0.8))  # fmt: skip
        parts.append(stroke(shade(flesh, 0.4), 0.012, *gills, ink=0.3))
    if rng.random() < 0.5:
        parts.append(
            area(
                flesh,
                closed(ring, line((-thick * 0.95, 0.14), (thick * 0.95, 0.14))),
                form="tube",
                texture="fibers",
                ink=0.8,
            )
        )
    del under
    return parts


def snowman(rng: Generator) -> list[Part]:
    """A snowman of two or three balls, with a hat or without."""
    low, middle, head = rng.uniform(0.42, 0.52), rng.uniform(0.3, 0.38), rng.uniform(0.2, 0.27)
    white = (0.88, 0.91, 0.95)
    y_low = 1.0 - low
    y_mid = y_low - low * 0.62 - middle * 0.62
    y_head = y_mid - middle * 0.66 - head * 0.66
    wood, dark, scarf = (
        pick(rng, "brown"),
        pick(rng, "black", "charcoal"),
        pick(rng, "red", "teal", "green", "purple", "blue"),
    )
    parts = []
    for side in (-1, 1):
        up = rng.uniform(-0.5, 0.1)
        hand = (side * (middle + 0.42), y_mid + up)
        arm = arc((side * middle * 0.7, y_mid - 0.05), (side * (middle + 0.2), y_mid + up * 0.4), hand)
        fingers = [line(hand, (hand[0] + side * dx, hand[1] + dy)) for dx, dy in ((0.12, -0.06), (0.05, -0.14))]
        parts.append(stroke(wood, 0.03, arm, *fingers, ink=0.85))
    for y, size in ((y_low, low), (y_mid, middle), (y_head, head)):
        parts.append(area(white, oval(0, y, size * rng.uniform(1.0, 1.08), size), form="puff", texture="grainy"))
    knot = y_mid - middle * 0.78
    parts.append(area(scarf, closed(bow(0, knot - 0.06, head * 0.95, 0.07, 180, 0), bow(0, knot + 0.05, head, 0.08, 0, 180)), form="puff", texture="weave", ink=0.85))  # fmt: skip
    end = rng.uniform(0.3, 0.5)
    parts.append(
        area(
            scarf,
            poly((0.06, knot + 0.04), (0.2, knot + 0.02), (0.26, knot + end), (0.12, knot + end)),
            texture="weave",
            ink=0.85,
        )
    )
    buttons = [oval(0, y_mid + shift, 0.035) for shift in np.linspace(-0.08, 0.2, rng.integers(2, 4))]
    eyes = [oval(x * head, y_head - head * 0.25, 0.035) for x in (-0.35, 0.35)]
    parts.append(area(dark, *buttons, *eyes, form="puff", gloss=0.4, ink=0.95))
    side, long = rng.choice([-1, 1]), rng.uniform(0.2, 0.36)
    nose = poly((0, y_head - 0.035), (side * long, y_head + 0.06), (0, y_head + 0.05))
    parts.append(area(pick(rng, "orange"), nose, form="puff", ink=0.9))
    smile = bow(0, y_head + head * 0.15, head * 0.5, head * 0.4, 30, 150)
    parts.append(stroke(dark, 0.025, smile, ink=0.7))
    if rng.random() < 0.75:
        brim, crown, tall = head * rng.uniform(1.05, 1.3), head * rng.uniform(0.65, 0.8), rng.uniform(0.25, 0.42)
        y = y_head - head * 0.72
        hat = poly((-crown, y - tall), (crown, y - tall), (crown * 0.92, y), (-crown * 0.92, y))
        band = poly((-crown * 0.94, y - 0.1), (crown * 0.94, y - 0.1), (crown * 0.92, y), (-crown * 0.92, y))
        parts.append(area(dark, hat, form="tube", texture="weave"))
        parts.append(area(scarf, band, form="tube", texture="weave", ink=0.6))
        parts.append(area(dark, oval(0, y, brim, 0.05), form="puff", texture="weave"))
    return parts


def starfish(rng: Generator) -> list[Part]:
    """A starfish of five arms from above, each bent its own way."""
    color = pick(rng, "orange", "crimson", "tan", "purple", "red", "blue")
    waist, plump = rng.uniform(0.28, 0.42), rng.uniform(0.05, 0.13)
    rim, ridges = [], []
    for arm in range(5):
        mid = np.radians(72 * arm - 90 + rng.normal(0, 5))
        long = rng.uniform(0.85, 1.05)
        for turn, far in ((-0.62, waist), (-1.1 * plump / 0.55, long * 0.55), (-plump / long, long * 0.95), (0, long), (plump / long, long * 0.95), (1.1 * plump / 0.55, long * 0.55)):  # fmt: skip
            far_turn = mid + turn + (0.1 * rng.normal() if far > waist else 0) * 0.3
            rim.append((float(far * np.cos(far_turn)), float(far * np.sin(far_turn))))
        ridges.append(line((0, 0), (float(0.85 * long * np.cos(mid)), float(0.85 * long * np.sin(mid)))))
    dots = []
    for ridge in ridges:
        for share in np.linspace(0.2, 1, 7):
            dots.append(oval(*map(float, ridge[1] * share), 0.022))
    pale = shade(color, 1.35)
    return [
        area(color, loop(*rim), form="puff", texture="leafy", gloss=0.1, fade=shade(color, 0.85)),
        area(pale, *dots, form="puff", ink=0.5),
        stroke(shade(color, 0.7), 0.015, *ridges, ink=0.25),
    ]


def tree(rng: Generator) -> list[Part]:
    """A tree: a round crown on a trunk, or a fir."""
    if rng.random() < 0.3:
        return _fir(rng)
    wide, high, thick = rng.uniform(0.6, 0.95), rng.uniform(0.5, 0.65), rng.uniform(0.08, 0.15)
    bark, green = pick(rng, "brown", "chestnut", "grey"), pick(rng, "green", "forest", "lime", "orange", "gold")
    crotch = rng.uniform(0.15, 0.35)
    trunk = closed(
        arc((-thick, crotch - 0.3), (-thick * 0.85, 0.5), (-thick * 1.9, 1.0)),
        arc((thick * 1.9, 1.0), (thick * 0.85, 0.5), (thick, crotch - 0.3)),
    )
    boughs = [
        tube(arc((0, crotch + 0.1), (x * 0.45, crotch - 0.15), (x, crotch - 0.45)), thick, thick * 0.5)
        for x in (-wide * 0.5, wide * 0.5)
    ]
    crown = billow(rng, oval(0, crotch - high, wide, high), int(rng.integers(9, 16)), 0.16)
    tufts = [
        bow(x, y, 0.14, 0.11, 190, 350) for x, y in rng.uniform(-0.5, 0.5, (5, 2)) * [wide, high] + [0, crotch - high]
    ]
    clumps = []
    for _ in range(7):
        x, y = rng.uniform(-0.55, 0.55) * wide, crotch - high + rng.uniform(-0.5, 0.5) * high
        clumps.append(billow(rng, oval(x, y, wide * 0.36, high * 0.34), 7, 0.18))
    return [
        area(bark, trunk, *boughs, form="puff", texture="fibers"),
        area(green, crown, form="puff", texture="leafy", fade=shade(green, 0.6)),
        *(area(shade(green, rng.uniform(0.9, 1.15)), clump, form="puff", texture="leafy", ink=0) for clump in clumps),
        stroke(shade(green, 0.5), 0.012, *tufts, ink=0.5),
    ]


def _fir(rng: Generator) -> list[Part]:
    tiers, wide, drop = int(rng.integers(3, 6)), rng.uniform(0.5, 0.75), rng.uniform(0.02, 0.1)
    green = pick(rng, "forest", "green", "teal")
    edges = np.linspace(-1.0, 0.7, tiers + 1)
    parts = [
        area(
            pick(rng, "brown", "chestnut"),
            poly((-0.08, 0.5), (0.08, 0.5), (0.1, 1.0), (-0.1, 1.0)),
            form="tube",
            texture="fibers",
        )
    ]
    for number in reversed(range(tiers)):
        top, low = max(edges[number] - 0.16, -1.0), edges[number + 1]
        half = wide * (number + 1.2) / (tiers + 0.2)
        hem = [(half * (1 - 2 * k / 6), low + (drop if k % 2 else 0)) for k in range(7)]
        tier = closed(
            arc((0, top), (half * 0.4, (top + low) / 2), hem[0]),
            line(*hem),
            arc(hem[-1], (-half * 0.4, (top + low) / 2), (0, top)),
        )
        parts.append(area(shade(green, rng.uniform(0.85, 1.1)), tier, form="puff", texture="leafy"))
    return parts
