"""Things that carry people. Each function draws one of its kind, no two alike, as parts from back to front."""

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
    oval,
    pick,
    poly,
    shade,
    stroke,
    tube,
)


def bicycle(rng: Generator) -> list[Part]:
    """A bicycle from the side."""
    size, apart = rng.uniform(0.38, 0.46), rng.uniform(0.52, 0.6)
    ground = 0.62
    hub = ground - size
    back, front, crank = (-apart, hub), (apart, hub), (rng.uniform(-0.12, -0.02), hub + rng.uniform(0.02, 0.1))
    seat_x, seat_y = rng.uniform(-0.32, -0.22), rng.uniform(-0.42, -0.3)
    head_x, head_y = apart - rng.uniform(0.16, 0.24), rng.uniform(-0.46, -0.34)
    color, dark, metal = (
        pick(rng, "red", "blue", "teal", "black", "yellow", "pink", "green"),
        pick(rng, "black"),
        pick(rng, "silver"),
    )
    parts = []
    for x, y in (back, front):
        spokes = [
            line((x, y), (x + size * np.cos(a), y + size * np.sin(a)))
            for a in np.linspace(0, 2 * np.pi, 13)[:-1] + rng.uniform(0, 1)
        ]
        parts.append(stroke(metal, 0.008, *spokes, ink=0.3))
        parts.append(stroke(metal, 0.02, oval(x, y, size - 0.05), ink=0.35))
        parts.append(stroke(dark, 0.05, oval(x, y, size)))
        parts.append(area(metal, oval(x, y, 0.035), form="puff", gloss=0.5, ink=0.5))
    bar = (seat_x + 0.02, seat_y + 0.14)
    neck = (head_x + 0.02, head_y + 0.12)
    low = (neck[0] + 0.03, neck[1] + 0.12)
    slope = rng.uniform(0.0, 0.5) if rng.random() < 0.4 else 0.0
    top = (bar[0] + (crank[0] - bar[0]) * slope, bar[1] + (crank[1] - bar[1]) * slope)
    chain = 0.14 * size / 0.4
    parts += [
        stroke(metal, 0.015, line((back[0], hub - 0.03), (crank[0], crank[1] - chain * 0.7)), ink=0.2),
        stroke(color, 0.04, line(back, crank), line(back, bar), gloss=0.5),
        stroke(color, 0.05, line(crank, bar), line(crank, low), line(top, neck), gloss=0.5),
        stroke(color, 0.045, arc(neck, low, (front[0] - 0.05, hub - 0.12), front), gloss=0.5),
        stroke(metal, 0.03, line((seat_x, seat_y), bar), line((head_x, head_y), neck), gloss=0.6),
        stroke(metal, 0.02, oval(*crank, chain * 0.7), ink=0.7),
        stroke(metal, 0.03, line((crank[0] - 0.06, crank[1] + 0.15), (crank[0] + 0.06, crank[1] - 0.15)), ink=0.6),
        stroke(dark, 0.03, line((crank[0] - 0.12, crank[1] + 0.15), (crank[0], crank[1] + 0.15)), ink=0.5),
    ]
    saddle = loop(
        (seat_x - 0.16, seat_y - 0.05),
        (seat_x, seat_y - 0.04),
        (seat_x + 0.15, seat_y),
        (seat_x - 0.02, seat_y + 0.03),
        (seat_x - 0.14, seat_y + 0.04),
    )
    if rng.random() < 0.5:
        grip = arc(
            (head_x, head_y),
            (head_x + 0.14, head_y - 0.03),
            (head_x + 0.2, head_y + 0.07),
            (head_x + 0.1, head_y + 0.15),
        )
    else:
        grip = arc(
            (head_x + 0.02, head_y),
            (head_x + 0.06, head_y - 0.1),
            (head_x - 0.06, head_y - 0.13),
            (head_x - 0.2, head_y - 0.1),
        )
    parts += [area(dark, saddle, form="puff", gloss=0.3), stroke(dark, 0.04, grip, gloss=0.3)]
    if rng.random() < 0.35:
        basket = poly(
            (head_x + 0.08, head_y - 0.02),
            (head_x + 0.42, head_y - 0.02),
            (head_x + 0.36, head_y + 0.24),
            (head_x + 0.12, head_y + 0.24),
        )
        parts.append(area(pick(rng, "tan", "chestnut"), basket, form="tube", texture="weave"))
    return parts


def car(rng: Generator) -> list[Part]:
    """A saloon car from the side."""
    roof, hood, boot = rng.uniform(0.34, 0.46), rng.uniform(-0.08, 0.02), rng.uniform(-0.12, -0.02)
    start, end = rng.uniform(-0.5, -0.36), rng.uniform(0.42, 0.6)
    sill, wheel = 0.26, rng.uniform(0.155, 0.19)
    front_wheel, back_wheel = rng.uniform(-0.64, -0.58), rng.uniform(0.54, 0.62)
    color = pick(rng, "red", "blue", "silver", "white", "charcoal", "teal", "yellow", "crimson", "green")
    top = hood - roof
    body = closed(
        arc((-0.98, 0.2), (-1.0, 0.06), (-0.9, hood + 0.06), (start - 0.04, hood - 0.02)),
        arc((start, hood - 0.02), (start + 0.26, top + 0.06), (start + 0.42, top), (end - 0.44, top + 0.005), (end - 0.2, top + 0.07), (end, boot - 0.02)),
        arc((end + 0.04, boot - 0.02), (0.9, boot + 0.02), (0.98, boot + 0.1), (0.98, 0.18), (0.94, sill)),
        line((0.9, sill), (-0.92, sill)),
    )  # fmt: skip
    middle = rng.uniform(0.0, 0.08)
    glass_top, glass_low = top + 0.055, min(hood, boot) - 0.01
    front_pane = loop_of(
        line(
            (start + 0.1, glass_low),
            (start + 0.33, glass_top),
            (middle - 0.025, glass_top - 0.01),
            (middle - 0.025, glass_low),
        )
    )
    back_pane = loop_of(
        line(
            (middle + 0.025, glass_low),
            (middle + 0.025, glass_top - 0.01),
            (end - 0.38, glass_top),
            (end - 0.1, glass_low),
        )
    )
    dark, metal = pick(rng, "black"), pick(rng, "silver")
    door = arc((middle, glass_low), (middle + 0.005, 0.1), (middle - 0.01, sill - 0.03))
    rear_door = arc(
        (end - 0.1, glass_low),
        (end - 0.12, 0.05),
        (back_wheel - wheel * 1.15, 0.12),
        (back_wheel - wheel * 1.25, sill - 0.03),
    )
    front_door = arc((start + 0.1, glass_low), (start + 0.02, 0.05), (start + 0.04, sill - 0.03))
    parts = [
        area(shade(color, 0.25), box(-0.9, 0.1, 0.9, sill + 0.03), ink=0),
        area(color, body, form="puff", gloss=0.8, fade=shade(color, 0.6)),
        area(pick(rng, "charcoal"), front_pane, back_pane, texture="glass", gloss=0.5),
        stroke(shade(color, 0.45), 0.012, door, front_door, rear_door, ink=0.5),
        area(
            metal,
            *(box(x, 0.0, x + 0.09, 0.022, 0.01) for x in (middle - 0.14, middle + 0.06 + (end - middle) / 4)),
            form="puff",
            gloss=0.8,
            ink=0.4,
        ),
        area(
            pick(rng, "white", "yellow"),
            loop((-0.95, 0.06), (-0.85, 0.02), (-0.8, 0.08), (-0.93, 0.13)),
            form="puff",
            gloss=0.9,
            ink=0.75,
        ),
        area(
            pick(rng, "red"),
            loop((0.93, boot + 0.08), (0.97, boot + 0.1), (0.97, 0.1), (0.9, boot + 0.14)),
            form="puff",
            gloss=0.7,
            ink=0.75,
        ),
        area(shade(color, 0.35), box(-0.97, 0.2, 0.97, sill + 0.015, 0.02), form="puff", ink=0.3),
    ]
    for x in (front_wheel, back_wheel):
        hub = wheel * 0.62
        spokes = [
            line((x, sill), (x + hub * np.cos(a), sill + hub * np.sin(a)))
            for a in np.linspace(0, 2 * np.pi, int(rng.integers(5, 9)), endpoint=False)
        ]
        parts += [
            area((0.02, 0.02, 0.02), oval(x, sill, wheel * 1.15), ink=0),
            area(dark, oval(x, sill, wheel), form="puff"),
            area(metal, oval(x, sill, hub), gloss=0.6, ink=0.85),
            stroke(shade(metal, 0.45), 0.02, *spokes, ink=0.25),
        ]
    return parts


def loop_of(path: Points) -> Points:
    """Close a path."""
    return closed(path)


def hot_air_balloon(rng: Generator) -> list[Part]:
    """A hot-air balloon in gores of several colours, with its basket."""
    wide, waist, mouth = rng.uniform(0.6, 0.74), rng.uniform(0.0, 0.12), rng.uniform(0.1, 0.16)
    gores, low = int(rng.integers(5, 9)), 0.5
    colors = [
        pick(rng, "red", "yellow", "blue", "orange", "purple", "white", "green", "teal", "pink")
        for _ in range(rng.integers(2, 4))
    ]

    def edge(share: float) -> Points:
        reach = np.sin(share * np.pi / 2)
        return arc(
            (0, -1.0),
            (reach * wide * 0.72, -0.86),
            (reach * wide, -0.42 + waist),
            (reach * wide * 0.68, 0.12 + waist),
            (reach * mouth, low),
        )

    shares = np.linspace(-1, 1, gores + 1)
    outline = closed(edge(-1.0)[::-1], edge(1.0))
    parts = [area(colors[0], outline, form="puff", texture="plain")]
    envelope = [closed(edge(float(a)), edge(float(b))[::-1]) for a, b in zip(shares[:-1], shares[1:], strict=True)]
    ropes = [line((x * mouth, low), (x * 0.1, 0.78)) for x in (-0.95, -0.3, 0.3, 0.95)]
    del parts
    basket = poly((-0.12, 0.76), (0.12, 0.76), (0.1, 1.0), (-0.1, 1.0))
    stripes = [area(colors[k % len(colors)], gore, ink=0.0) for k, gore in enumerate(envelope)]
    whole = area(colors[0], outline, form="puff")
    seams = stroke(shade(colors[0], 0.5), 0.01, *(edge(float(share)) for share in shares[1:-1]), ink=0.8)
    parts = [whole, *stripes, seams]
    if rng.random() < 0.4:
        band = closed(bow(0, -0.42 + waist, wide, 0.1, 0, 180), bow(0, -0.3 + waist, wide * 0.97, 0.1, 180, 0))
        parts.append(area(pick(rng, "white", "yellow", "navy"), band, ink=0.7))
    parts += [
        area(shade(colors[-1], 0.4), oval(0, low, mouth, 0.03), ink=0.7),
        stroke(pick(rng, "charcoal"), 0.012, *ropes, ink=0.9),
        area(pick(rng, "tan", "brown", "chestnut"), basket, form="tube", texture="weave"),
        stroke(pick(rng, "brown"), 0.035, line((-0.125, 0.77), (0.125, 0.77)), ink=0.5),
    ]
    return parts


def rocket(rng: Generator) -> list[Part]:
    """A rocket as in picture books: nose, fins, portholes, and a flame while it flies."""
    wide, nose, low = rng.uniform(0.2, 0.3), rng.uniform(0.35, 0.55), rng.uniform(0.42, 0.55)
    color, trim = (
        pick(rng, "white", "silver", "red", "cream", "teal"),
        pick(rng, "red", "blue", "orange", "yellow", "navy"),
    )
    belly = wide * rng.uniform(1.05, 1.3)
    left = arc((-wide * 0.8, low), (-belly, 0.0), (-wide, -1 + nose), (-wide * 0.55, -1 + nose * 0.4), (0, -1.0))
    body = closed(left, (left * [-1, 1])[::-1])
    cone = [point for point in left.tolist() if point[1] <= -1 + nose * 0.9]
    cap_left = np.array(cone)
    cap = closed(
        cap_left, (cap_left * [-1, 1])[::-1], bow(0, float(cap_left[0, 1]), -float(cap_left[0, 0]), 0.04, 0, 180)
    )
    reach, drop = rng.uniform(0.5, 0.68), rng.uniform(0.62, 0.8)
    fin = closed(
        arc((wide * 0.85, 0.05), (reach * 0.85, 0.25), (reach, drop)),
        arc((reach, drop), (wide * 1.2, low - 0.02), (wide * 0.7, low)),
    )
    flame = loop(
        (0, 1.05), (-wide * 0.5, 0.78), (-wide * 0.62, low + 0.05), (wide * 0.62, low + 0.05), (wide * 0.5, 0.78)
    )
    core = loop(
        (0, 0.85), (-wide * 0.3, 0.68), (-wide * 0.35, low + 0.05), (wide * 0.35, low + 0.05), (wide * 0.3, 0.68)
    )
    ports = [(0.0, y, wide * size) for y, size in ((-0.28, 0.42), (0.1, 0.34))[: rng.integers(1, 3)]]
    parts = []
    if rng.random() < 0.7:
        parts += [
            area((0.97, 0.55, 0.1), flame, form="puff", fade=(0.97, 0.25, 0.05), ink=0.85),
            area((0.97, 0.95, 0.6), core, form="puff", ink=0.5),
        ]
    parts += [
        area(trim, fin, fin * [-1, 1], form="puff", gloss=0.4),
        area(
            pick(rng, "charcoal"),
            poly(
                (-wide * 0.6, low - 0.04),
                (wide * 0.6, low - 0.04),
                (wide * 0.75, low + 0.08),
                (-wide * 0.75, low + 0.08),
            ),
            form="tube",
            gloss=0.4,
        ),
        area(color, body, form="tube", gloss=0.45),
        area(trim, cap, form="tube", gloss=0.45),
        stroke(shade(color, 0.55), 0.012, bow(0, low - 0.16, wide * 1.0, 0.05, 5, 175), ink=0.6),
    ]
    for x, y, size in ports:
        parts.append(area(pick(rng, "silver"), oval(x, y, size * 1.25), form="puff", gloss=0.6, ink=0.6))
        parts.append(area(pick(rng, "navy"), oval(x, y, size * 0.9), texture="glass", gloss=0.5))
    parts.append(
        area(shade(trim, 0.85), tube(line((0, 0.16 + low / 3), (0, low + 0.2)), 0.05, 0.09), form="puff", ink=0.7)
    )
    return parts


def sailboat(rng: Generator) -> list[Part]:
    """A boat under mainsail, mostly with a jib."""
    bow_x, stern, deep, deck = rng.uniform(0.72, 0.95), rng.uniform(-0.85, -0.65), rng.uniform(0.22, 0.34), 0.62
    mast, top = rng.uniform(-0.1, 0.12), rng.uniform(-1.0, -0.85)
    hull_color, wood = (
        pick(rng, "white", "navy", "red", "brown", "teal", "chestnut"),
        pick(rng, "brown", "tan", "silver"),
    )
    hull = closed(
        arc((stern, deck), (0, deck + 0.05), (bow_x, deck - 0.08)),
        arc((bow_x, deck - 0.08), (bow_x - 0.2, deck + deep * 0.7), (bow_x - 0.42, deck + deep)),
        line((bow_x - 0.42, deck + deep), (stern + 0.14, deck + deep)),
        arc((stern + 0.14, deck + deep), (stern + 0.04, deck + deep / 2), (stern, deck)),
    )
    boom, belly = deck - rng.uniform(0.1, 0.18), rng.uniform(0.04, 0.14)
    end = stern + rng.uniform(0.02, 0.2)
    main = closed(
        line((mast - 0.03, top + 0.06), (mast - 0.03, boom)),
        arc((mast - 0.03, boom), ((mast + end) / 2, boom + 0.03), (end, boom - 0.02)),
        arc((end, boom - 0.02), ((mast + end) / 2 - belly, (top + boom) / 2), (mast - 0.03, top + 0.06)),
    )
    cloth = pick(rng, "white", "cream", "white", "red", "orange", "sky")
    battens = [
        line((mast - 0.03, y), (mast - 0.03 + (end - mast) * share * 0.98, y + 0.02))
        for y, share in ((top + (boom - top) * s, s) for s in (0.35, 0.55, 0.75))
    ]
    parts = [
        stroke(
            wood, 0.035, line((mast, deck + 0.05), (mast, top)), line((mast, boom + 0.02), (end - 0.03, boom + 0.01))
        )
    ]
    parts += [
        area(cloth, main, form="puff", texture="plain", fade=shade(cloth, 0.85)),
        stroke(shade(cloth, 0.65), 0.01, *battens, ink=0.3),
    ]
    if rng.random() < 0.8:
        tip = bow_x - rng.uniform(0.04, 0.15)
        jib_top = top + rng.uniform(0.05, 0.35)
        jib = closed(
            arc((mast + 0.04, jib_top), ((mast + tip) / 2 + 0.08, (jib_top + deck) / 2 - 0.05), (tip, deck - 0.12)),
            arc((tip, deck - 0.12), ((mast + tip) / 2, boom + 0.03), (mast + 0.06, boom + 0.02)),
            arc((mast + 0.06, boom + 0.02), (mast + 0.1, (jib_top + boom) / 2), (mast + 0.04, jib_top)),
        )
        parts.append(area(cloth if rng.random() < 0.6 else pick(rng, "red", "blue", "yellow"), jib, form="puff"))
    if rng.random() < 0.6:
        flag = rng.uniform(0.1, 0.16)
        parts.append(
            area(
                pick(rng, "red", "blue", "green"),
                poly((mast, top), (mast - flag, top + 0.035), (mast, top + 0.08)),
                ink=0.8,
            )
        )
    if rng.random() < 0.5:
        parts.append(
            area(
                pick(rng, "white", "tan"),
                box(mast - 0.3, deck - 0.07, mast + 0.15, deck + 0.05, 0.03),
                form="puff",
                ink=0.8,
            )
        )
    stripe = arc((stern + 0.03, deck + 0.08), (0, deck + 0.12), (bow_x - 0.05, deck + 0.01))
    return [
        *parts,
        area(hull_color, hull, form="puff", texture="planks", gloss=0.3),
        stroke(shade(hull_color, 1.5), 0.025, stripe, ink=0.6),
    ]
