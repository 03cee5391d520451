"""What goes on wheels and on water. Each function draws one of its kind, no two alike, as parts from back to front."""

import numpy as np
from numpy.random import Generator

from sketchy.dataset.demo.shapes import (
    Color,
    Part,
    Points,
    arc,
    area,
    box,
    closed,
    line,
    loop,
    oval,
    pick,
    poly,
    shade,
    stroke,
)

Spot = tuple[float, float]

SILL = 0.26
"""How low a car's body reaches; its axles lie there."""


def bicycle(rng: Generator) -> list[Part]:
    """A bicycle from the side."""
    size, apart = rng.uniform(0.38, 0.46), rng.uniform(0.52, 0.6)
    hub = 0.62 - size
    back, front, crank = (-apart, hub), (apart, hub), (rng.uniform(-0.12, -0.02), hub + rng.uniform(0.02, 0.1))
    seat = (rng.uniform(-0.32, -0.22), rng.uniform(-0.42, -0.3))
    head = (apart - rng.uniform(0.16, 0.24), rng.uniform(-0.46, -0.34))
    color = pick(rng, "red", "blue", "teal", "black", "yellow", "pink", "green")
    dark, metal = pick(rng, "black"), pick(rng, "silver")
    bar, neck = (seat[0] + 0.02, seat[1] + 0.14), (head[0] + 0.02, head[1] + 0.12)
    low = (neck[0] + 0.03, neck[1] + 0.12)
    slope = rng.uniform(0.0, 0.5) if rng.random() < 0.4 else 0.0
    top = (bar[0] + (crank[0] - bar[0]) * slope, bar[1] + (crank[1] - bar[1]) * slope)
    x, y = seat
    saddle = loop((x - 0.16, y - 0.05), (x, y - 0.04), (x + 0.15, y), (x - 0.02, y + 0.03), (x - 0.14, y + 0.04))
    parts = [
        *_wheels(rng, [back, front], size, dark, metal),
        *_pedals(back, crank, size, dark, metal),
        stroke(color, 0.04, line(back, crank), line(back, bar), gloss=0.5),
        stroke(color, 0.05, line(crank, bar), line(crank, low), line(top, neck), gloss=0.5),
        stroke(color, 0.045, arc(neck, low, (front[0] - 0.05, hub - 0.12), front), gloss=0.5),
        stroke(metal, 0.03, line(seat, bar), line(head, neck), gloss=0.6),
        area(dark, saddle, form="puff", gloss=0.3),
    ]
    racing, flat = (
        [(0, 0), (0.14, -0.03), (0.2, 0.07), (0.1, 0.15)],
        [(0.02, 0), (0.06, -0.1), (-0.06, -0.13), (-0.2, -0.1)],
    )
    grip = arc(*((head[0] + dx, head[1] + dy) for dx, dy in (racing if rng.random() < 0.5 else flat)))
    parts.append(stroke(dark, 0.04, grip, gloss=0.3))
    if rng.random() < 0.35:
        corners = [(0.08, -0.02), (0.42, -0.02), (0.36, 0.24), (0.12, 0.24)]
        basket = poly(*((head[0] + dx, head[1] + dy) for dx, dy in corners))
        parts.append(area(pick(rng, "tan", "chestnut"), basket, form="tube", texture="weave"))
    return parts


def _wheels(rng: Generator, hubs: list[Spot], size: float, dark: Color, metal: Color) -> list[Part]:
    angles = np.linspace(0, 2 * np.pi, 13)[:-1] + rng.uniform(0, 1)
    spokes = [line((x, y), (x + size * np.cos(a), y + size * np.sin(a))) for x, y in hubs for a in angles]
    return [
        stroke(metal, 0.008, *spokes, ink=0.25),
        stroke(metal, 0.02, *(oval(x, y, size - 0.05) for x, y in hubs), ink=0.35),
        stroke(dark, 0.05, *(oval(x, y, size) for x, y in hubs)),
        area(metal, *(oval(x, y, 0.035) for x, y in hubs), form="puff", gloss=0.5, ink=0.5),
    ]


def _pedals(back: Spot, crank: Spot, size: float, dark: Color, metal: Color) -> list[Part]:
    """Return the chain, its wheel and the pedals."""
    (x, y), ring = crank, 0.25 * size
    return [
        stroke(metal, 0.015, line((back[0], back[1] - 0.03), (x, y - ring)), ink=0.2),
        stroke(metal, 0.02, oval(x, y, ring), ink=0.7),
        stroke(metal, 0.03, line((x - 0.06, y + 0.15), (x + 0.06, y - 0.15)), ink=0.6),
        stroke(dark, 0.03, line((x - 0.12, y + 0.15), (x, y + 0.15)), ink=0.5),
    ]


def car(rng: Generator) -> list[Part]:
    """A saloon car from the side."""
    hood, boot = rng.uniform(-0.08, 0.02), rng.uniform(-0.12, -0.02)
    top = min(hood, boot) - rng.uniform(0.25, 0.33)
    screen, rear = rng.uniform(-0.5, -0.38), rng.uniform(0.52, 0.66)
    front, back = screen + rng.uniform(0.26, 0.36), rear - rng.uniform(0.26, 0.36)
    color = pick(rng, "red", "blue", "silver", "white", "charcoal", "teal", "yellow", "crimson", "green")
    body = closed(
        arc((-0.98, 0.2), (-1.0, 0.06), (-0.9, hood + 0.06), (screen - 0.04, hood - 0.02)),
        line((screen, hood - 0.02), (front - 0.05, top + 0.05)),
        arc((front - 0.03, top + 0.035), (front + 0.08, top), (back - 0.08, top + 0.005), (back + 0.03, top + 0.04)),
        line((back + 0.05, top + 0.055), (rear, boot - 0.02)),
        arc((rear + 0.04, boot - 0.02), (0.9, boot + 0.02), (0.98, boot + 0.1), (0.98, 0.18), (0.94, SILL)),
        line((0.9, SILL), (-0.92, SILL)),
    )
    lamp = loop((-0.95, 0.06), (-0.85, 0.02), (-0.8, 0.08), (-0.93, 0.13))
    tail = loop((0.93, boot + 0.08), (0.97, boot + 0.1), (0.97, 0.1), (0.9, boot + 0.14))
    belt, axles = min(hood, boot) - 0.01, (rng.uniform(-0.64, -0.58), rng.uniform(0.54, 0.62))
    return [
        area(shade(color, 0.25), box(-0.9, 0.1, 0.9, SILL + 0.03), ink=0),
        area(color, body, form="puff", gloss=0.8, fade=shade(color, 0.6)),
        *_cabin(
            rng,
            color,
            (screen + 0.1, belt),
            (front + 0.02, top + 0.055),
            (back - 0.02, top + 0.055),
            (rear - 0.12, belt),
        ),
        area(pick(rng, "white", "yellow"), lamp, form="puff", gloss=0.9, ink=0.75),
        area(pick(rng, "red"), tail, form="puff", gloss=0.7, ink=0.75),
        area(shade(color, 0.35), box(-0.97, 0.2, 0.97, SILL + 0.015, 0.02), form="puff", ink=0),
        *_tyres(rng, axles, rng.uniform(0.155, 0.19)),
    ]


def _cabin(rng: Generator, color: Color, low: Spot, high: Spot, far_high: Spot, far_low: Spot) -> list[Part]:
    """Return a car's side windows between these corners, its doors and their handles."""
    middle, belt = rng.uniform(0.02, 0.1), low[1]
    pillar = [(middle - 0.025, high[1]), (middle - 0.025, belt)]
    panes = poly(low, high, *pillar), poly((middle + 0.025, belt), (middle + 0.025, far_high[1]), far_high, far_low)
    doors = [
        arc(low, (low[0] - 0.06, 0.05), (low[0] - 0.04, SILL - 0.03)),
        arc((middle, belt), (middle + 0.005, 0.1), (middle - 0.01, SILL - 0.03)),
        arc(far_low, (far_low[0] - 0.02, 0.05), (0.36, 0.12), (0.32, SILL - 0.03)),
    ]
    handles = [box(x, 0.0, x + 0.09, 0.022, 0.01) for x in (middle - 0.14, far_low[0] - 0.16)]
    return [
        area(pick(rng, "charcoal"), *panes, texture="glass", gloss=0.5),
        stroke(shade(color, 0.45), 0.012, *doors, ink=0.5),
        area(pick(rng, "silver"), *handles, form="puff", gloss=0.8, ink=0.4),
    ]


def _tyres(rng: Generator, axles: tuple[float, float], size: float) -> list[Part]:
    """Return two wheels under their dark arches."""
    hub, angles = size * 0.62, np.linspace(0, 2 * np.pi, int(rng.integers(5, 9)), endpoint=False)
    metal = pick(rng, "silver")
    spokes = [line((x, SILL), (x + hub * np.cos(a), SILL + hub * np.sin(a))) for x in axles for a in angles]
    return [
        area((0.02, 0.02, 0.02), *(oval(x, SILL, size * 1.15) for x in axles), ink=0),
        area(pick(rng, "black"), *(oval(x, SILL, size) for x in axles), form="puff"),
        area(metal, *(oval(x, SILL, hub) for x in axles), gloss=0.6, ink=0.85),
        stroke(shade(metal, 0.45), 0.02, *spokes, ink=0.25),
    ]


def sailboat(rng: Generator) -> list[Part]:
    """A boat under mainsail, mostly with a jib."""
    prow, stern, deep, deck = rng.uniform(0.72, 0.95), rng.uniform(-0.85, -0.65), rng.uniform(0.22, 0.34), 0.62
    mast, top = rng.uniform(-0.1, 0.12), rng.uniform(-1.0, -0.85)
    boom, end = deck - rng.uniform(0.1, 0.18), stern + rng.uniform(0.02, 0.2)
    paint = pick(rng, "white", "navy", "red", "brown", "teal", "chestnut")
    wood, cloth = pick(rng, "brown", "tan", "silver"), pick(rng, "white", "cream", "white", "red", "orange", "sky")
    keel = [(prow - 0.42, deck + deep), (stern + 0.14, deck + deep)]
    hull = closed(
        arc((stern, deck), (0, deck + 0.05), (prow, deck - 0.08)),
        arc((prow, deck - 0.08), (prow - 0.2, deck + deep * 0.7), keel[0]),
        arc(keel[1], (stern + 0.04, deck + deep / 2), (stern, deck)),
    )
    stripe = arc((stern + 0.03, deck + 0.08), (0, deck + 0.12), (prow - 0.05, deck + 0.01))
    spars = line((mast, deck + 0.05), (mast, top)), line((mast, boom + 0.02), (end - 0.03, boom + 0.01))
    parts = [stroke(wood, 0.035, *spars), *_mainsail(rng, cloth, mast - 0.03, top + 0.06, boom, end)]
    if rng.random() < 0.8:
        jib = _jib(rng, mast, top + rng.uniform(0.05, 0.35), boom, prow - rng.uniform(0.04, 0.15), deck)
        parts.append(area(cloth if rng.random() < 0.6 else pick(rng, "red", "blue", "yellow"), jib, form="puff"))
    if rng.random() < 0.6:
        flag = poly((mast, top), (mast - rng.uniform(0.1, 0.16), top + 0.035), (mast, top + 0.08))
        parts.append(area(pick(rng, "red", "blue", "green"), flag, ink=0.8))
    if rng.random() < 0.5:
        cabin = box(mast - 0.3, deck - 0.07, mast + 0.15, deck + 0.05, 0.03)
        parts.append(area(pick(rng, "white", "tan"), cabin, form="puff", ink=0.8))
    return [
        *parts,
        area(paint, hull, form="puff", texture="planks", gloss=0.3),
        stroke(shade(paint, 1.5), 0.025, stripe, ink=0.6),
    ]


def _mainsail(rng: Generator, cloth: Color, mast: float, top: float, boom: float, end: float) -> list[Part]:
    """Return the sail behind the mast, from its top to the end of the boom, with its battens."""
    belly, middle = rng.uniform(0.04, 0.14), (mast + end) / 2
    sail = closed(
        line((mast, top), (mast, boom)),
        arc((mast, boom), (middle, boom + 0.03), (end, boom - 0.02)),
        arc((end, boom - 0.02), (middle - belly, (top + boom) / 2), (mast, top)),
    )
    heights = [(top + (boom - top) * share, share) for share in (0.35, 0.55, 0.75)]
    battens = [line((mast, y), (mast + (end - mast) * share * 0.98, y + 0.02)) for y, share in heights]
    return [
        area(cloth, sail, form="puff", fade=shade(cloth, 0.85)),
        stroke(shade(cloth, 0.65), 0.01, *battens, ink=0.3),
    ]


def _jib(rng: Generator, mast: float, top: float, boom: float, tip: float, deck: float) -> Points:
    """Return the outline of the sail before the mast."""
    middle = (mast + tip) / 2
    return closed(
        arc((mast + 0.04, top), (middle + 0.08, (top + deck) / 2 - 0.05), (tip, deck - 0.12)),
        arc((tip, deck - 0.12), (middle, boom + 0.03), (mast + 0.06, boom + 0.02)),
        arc((mast + 0.06, boom + 0.02), (mast + rng.uniform(0.08, 0.12), (top + boom) / 2), (mast + 0.04, top)),
    )
