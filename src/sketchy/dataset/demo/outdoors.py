"""What is built outdoors. Each function draws one of its kind, no two alike, as parts from back to front."""

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
    oval,
    pick,
    poly,
    stroke,
    symmetric,
)

GROUND = 0.85
"""Where a house stands."""


def house(rng: Generator) -> list[Part]:
    """A house from the front: roof, door, windows, mostly a chimney."""
    wide, eave, ridge = rng.uniform(0.58, 0.85), rng.uniform(-0.25, 0.05), rng.uniform(-0.95, -0.7)
    trim = pick(rng, "white", "brown", "cream")
    parts = []
    if rng.random() < 0.8:
        x = rng.choice([-1, 1]) * wide * rng.uniform(0.4, 0.6)
        cap = box(x - 0.12, ridge - 0.09, x + 0.12, ridge - 0.03)
        parts += [
            area(pick(rng, "brick", "grey"), box(x - 0.09, ridge - 0.05, x + 0.09, eave), texture="bricks"),
            area(pick(rng, "charcoal", "grey"), cap, form="puff", ink=0.7),
        ]
    parts += _walls(rng, wide, eave, ridge, trim)
    x, half, top = rng.choice([-0.45, 0.0, 0.45]) * wide, rng.uniform(0.11, 0.15), rng.uniform(0.3, 0.38)
    door, knob = pick(rng, "red", "brown", "forest", "navy", "teal", "chestnut"), pick(rng, "gold", "silver")
    parts += [
        area(trim, box(x - half - 0.03, top - 0.04, x + half + 0.03, GROUND), ink=0.2),
        area(door, box(x - half, top, x + half, GROUND), texture="wood"),
        area(knob, oval(x + half * 0.65, (top + GROUND) / 2, 0.02), form="puff", gloss=0.8, ink=0.7),
    ]
    size, high = rng.uniform(0.09, 0.125), rng.uniform(0.36, 0.46)
    for place in (-0.58 * wide, 0.0, 0.58 * wide):
        if abs(place - x) > half + size + 0.08:
            parts += _window(rng, trim, place, high, size)
    return parts


def _walls(rng: Generator, wide: float, eave: float, ridge: float, trim: Color) -> list[Part]:
    """Return the front and the roof: a gable, or the long side."""
    wall = pick(rng, "cream", "brick", "white", "sky", "straw", "tan")
    roof = pick(rng, "brick", "charcoal", "crimson", "brown", "grey")
    coat, over = rng.choice(["planks", "bricks", "grainy"]), rng.uniform(0.06, 0.16)
    if rng.random() < 0.45:
        inset = rng.uniform(0.1, 0.3)
        slope = symmetric(line((wide - inset, ridge), (wide + over, eave + 0.02)))
        gutter = line((-wide - over, eave + 0.03), (wide + over, eave + 0.03))
        return [
            area(wall, box(-wide, eave - 0.05, wide, GROUND), texture=coat),
            area(roof, slope, texture="tiles"),
            stroke(trim, 0.03, gutter, ink=0.15),
        ]
    low = eave + over * (eave - ridge) / wide
    slab = symmetric(line((0, ridge - 0.17), (wide + over, low - 0.16), (wide + over, low), (0, ridge)))
    front = symmetric(line((0, ridge), (wide, eave), (wide, GROUND)))
    parts = [area(wall, front, texture=coat), area(roof, slab, texture="tiles")]
    if rng.random() < 0.5:
        y = (ridge + eave) / 2 + 0.08
        parts.append(area(trim, oval(0, y, 0.12), form="puff", ink=0.5))
        parts.append(area(pick(rng, "charcoal"), oval(0, y, 0.09), texture="glass"))
    return parts


def _window(rng: Generator, trim: Color, x: float, y: float, size: float) -> list[Part]:
    def square(half: float) -> Points:
        return box(x - half, y - half, x + half, y + half)

    bars = line((x - size, y), (x + size, y)), line((x, y - size), (x, y + size))
    return [
        area(trim, square(size + 0.03), ink=0.3),
        area(pick(rng, "charcoal"), square(size), texture="glass", gloss=0.3),
        stroke(trim, 0.022, *bars, ink=0.75),
    ]


def snowman(rng: Generator) -> list[Part]:
    """A snowman of three balls with a face, arms, a scarf and mostly a hat."""
    low, middle, head = rng.uniform(0.42, 0.52), rng.uniform(0.3, 0.38), rng.uniform(0.2, 0.27)
    y_low = 1.0 - low
    y_mid = y_low - (low + middle) * 0.62
    y_head = y_mid - (middle + head) * 0.66
    dark, dye = pick(rng, "black", "charcoal"), pick(rng, "red", "teal", "green", "purple", "blue")
    parts = []
    wood = pick(rng, "brown")
    for side in (-1, 1):
        up = rng.uniform(-0.5, 0.1)
        hand = (side * (middle + 0.42), y_mid + up)
        arm = arc((side * middle * 0.7, y_mid - 0.05), (side * (middle + 0.2), y_mid + up * 0.4), hand)
        fingers = [line(hand, (hand[0] + side * dx, hand[1] + dy)) for dx, dy in ((0.12, -0.06), (0.05, -0.14))]
        parts.append(stroke(wood, 0.03, arm, *fingers, ink=0.9))
    for y, size in ((y_low, low), (y_mid, middle), (y_head, head)):
        ball = oval(0, y, size * rng.uniform(1.0, 1.08), size)
        parts.append(area((0.88, 0.91, 0.95), ball, form="puff", texture="grainy"))
    buttons = [oval(0, y_mid + shift, 0.035) for shift in np.linspace(-0.08, 0.2, rng.integers(2, 4))]
    parts.append(area(dark, *buttons, form="puff", gloss=0.4, ink=0.9))
    neck, end = y_mid - middle * 0.78, rng.uniform(0.3, 0.5)
    wool = partial(area, dye, texture="weave", ink=0.85)
    ring = closed(bow(0, neck - 0.06, head * 0.95, 0.07, 180, 0), bow(0, neck + 0.05, head, 0.08, 0, 180))
    tail = poly((0.06, neck + 0.04), (0.2, neck + 0.02), (0.26, neck + end), (0.12, neck + end))
    parts += [wool(ring, form="puff"), wool(tail), *_face(rng, dark, y_head, head)]
    if rng.random() < 0.75:
        brim, crown, tall = head * rng.uniform(1.05, 1.3), head * rng.uniform(0.65, 0.8), rng.uniform(0.25, 0.42)
        y = y_head - head * 0.72
        hat = symmetric(line((crown, y - tall), (crown * 0.92, y)))
        band = symmetric(line((crown * 0.94, y - 0.1), (crown * 0.92, y)))
        parts += [
            area(dark, hat, form="tube", texture="felt"),
            area(dye, band, form="tube", texture="weave", ink=0.6),
            area(dark, oval(0, y, brim, 0.05), form="puff", texture="felt"),
        ]
    return parts


def _face(rng: Generator, dark: Color, y: float, head: float) -> list[Part]:
    eyes = [oval(x * head, y - head * 0.25, 0.035) for x in (-0.35, 0.35)]
    tip = rng.choice([-1, 1]) * rng.uniform(0.2, 0.36)
    return [
        area(dark, *eyes, form="puff", gloss=0.4, ink=0.95),
        stroke(dark, 0.025, bow(0, y + head * 0.15, head * 0.5, head * 0.4, 30, 150), ink=0.7),
        area(pick(rng, "orange"), poly((0, y - 0.035), (tip, y + 0.06), (0, y + 0.05)), form="puff", ink=0.9),
    ]
