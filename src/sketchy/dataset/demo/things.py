"""Things about the house. Each function draws one of its kind, no two alike, as parts from back to front."""

import numpy as np
from numpy.random import Generator

from sketchy.dataset.demo.shapes import (
    Part,
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
    tube,
)


def candle(rng: Generator) -> list[Part]:
    """A burning candle, on a dish with a handle or alone."""
    half, top = rng.uniform(0.14, 0.26), rng.uniform(-0.5, -0.15)
    wax = pick(rng, "cream", "white", "red", "teal", "straw", "purple")
    rim = half * 0.28
    body = closed(
        line((half, top), (half, 0.8)),
        bow(0, 0.8, half, rim, 0, 180),
        line((-half, 0.8), (-half, top)),
        bow(0, top, half, rim, 180, 360),
    )
    parts = []
    if rng.random() < 0.6:
        dish, metal = half + rng.uniform(0.25, 0.45), pick(rng, "gold", "silver", "charcoal", "teal")
        parts.append(stroke(metal, 0.05, oval(dish + 0.08, 0.84, 0.12, 0.1), gloss=0.5))
        bowl = closed(
            bow(0, 0.82, dish, 0.16, 180, 360),
            arc((dish, 0.82), (dish * 0.8, 0.96), (dish * 0.5, 1.0)),
            line((dish * 0.5, 1.0), (-dish * 0.5, 1.0)),
            arc((-dish * 0.5, 1.0), (-dish * 0.8, 0.96), (-dish, 0.82)),
        )
        parts += [
            area(metal, bowl, form="tube", gloss=0.7),
            area(shade(metal, 0.75), oval(0, 0.82, dish * 0.95, 0.13), gloss=0.3, ink=0.7),
        ]
    parts += [
        area(wax, body, form="tube", texture="grainy", gloss=0.2, fade=shade(wax, 0.75)),
        area(shade(wax, 1.15), oval(0, top, half * 0.97, rim), texture="grainy", ink=0.8),
    ]
    for _ in range(int(rng.integers(0, 4))):
        x, drop = rng.uniform(-0.75, 0.75) * half, rng.uniform(0.12, 0.4)
        parts.append(
            area(
                shade(wax, 1.08),
                tube(arc((x, top + rim * 0.6), (x + 0.01, top + drop * 0.7), (x, top + rim + drop)), 0.06, 0.08),
                form="puff",
                gloss=0.3,
                ink=0.6,
            )
        )
    wick, high, lean = top - 0.1, rng.uniform(0.32, 0.5), rng.uniform(-0.08, 0.08)
    fat = rng.uniform(0.09, 0.14)
    flame = loop(
        (lean, wick - high),
        (fat * 0.75 + lean / 2, wick - high * 0.42),
        (fat, wick - 0.05),
        (0, wick + 0.06),
        (-fat, wick - 0.05),
        (-fat * 0.75 + lean / 2, wick - high * 0.42),
    )
    heart = flame * 0.5 + np.array([0, (wick + 0.02) * 0.5])
    return [
        *parts,
        area((0.97, 0.93, 0.72), flame, texture="glow", fade=(0.97, 0.55, 0.12)),
        area((0.97, 0.97, 0.92), heart, texture="glow", ink=0.3),
        stroke((0.1, 0.08, 0.08), 0.025, arc((0, top), (0.01, top - 0.06), (0.0, wick - 0.04))),
    ]


def chair(rng: Generator) -> list[Part]:
    """A kitchen chair seen a little from the side."""
    wide, deep, rise = rng.uniform(0.42, 0.52), rng.uniform(0.2, 0.34), rng.uniform(0.14, 0.22)
    seat, back, leg = rng.uniform(0.02, 0.14), rng.uniform(-1.0, -0.85), 0.055
    wood = pick(rng, "brown", "tan", "chestnut", "white", "teal", "red", "charcoal")
    lean = rng.uniform(0.02, 0.1)
    left, right = (-wide - deep / 2, seat), (wide - deep / 2, seat)
    far_left, far_right = (-wide + deep / 2, seat - rise), (wide + deep / 2, seat - rise)
    splay = rng.uniform(0.0, 0.06)

    def leg_at(x: float, y: float, foot: float, out: float) -> Part:
        return area(
            shade(wood, 0.9), tube(line((x, y), (x + out, foot)), leg * 1.3, leg * 0.9), form="tube", texture="wood"
        )

    top_left, top_right = (far_left[0] + lean, back), (far_right[0] + lean, back)
    parts = [
        leg_at(far_left[0] + 0.03, far_left[1], 0.82, -splay),
        leg_at(far_right[0] - 0.03, far_right[1], 0.82, splay),
    ]
    posts = [
        tube(line(top, (low[0], low[1] + 0.03)), leg, leg * 1.3)
        for top, low in ((top_left, far_left), (top_right, far_right))
    ]
    style, height = rng.integers(3), far_left[1] - back
    if style == 0:
        slats = [
            line(
                (top_left[0] + (far_left[0] - top_left[0]) * s, back + height * s),
                (top_right[0] + (far_right[0] - top_right[0]) * s, back + height * s),
            )
            for s in (0.08, 0.34, 0.6)
        ]
        parts.append(area(shade(wood, 1.05), *(tube(slat, 0.12, 0.12) for slat in slats), form="puff", texture="wood"))
    elif style == 1:
        bars = [
            line(
                (top_left[0] + (top_right[0] - top_left[0]) * s, back + 0.05),
                (far_left[0] + (far_right[0] - far_left[0]) * s, far_left[1]),
            )
            for s in np.linspace(0.18, 0.82, int(rng.integers(3, 6)))
        ]
        parts.append(area(wood, *(tube(bar, 0.04, 0.04) for bar in bars), form="puff", texture="wood"))
        parts.append(
            area(
                shade(wood, 1.05),
                tube(arc(top_left, ((top_left[0] + top_right[0]) / 2, back - 0.06), top_right), 0.13, 0.13),
                form="puff",
                texture="wood",
            )
        )
    else:
        panel = poly(
            top_left,
            top_right,
            (top_right[0] - lean * 0.7, back + height * 0.7),
            (top_left[0] - lean * 0.7, back + height * 0.7),
        )
        parts.append(area(pick(rng, "cream", "crimson", "navy", "forest", "grey"), panel, form="puff", texture="weave"))
    parts += [area(wood, *posts, form="puff", texture="wood")]
    thick = rng.uniform(0.05, 0.09)
    parts += [
        area(
            shade(wood, 0.7),
            poly(
                left,
                right,
                far_right,
                (far_right[0], far_right[1] + thick),
                (right[0], right[1] + thick),
                (left[0], left[1] + thick),
            ),
            texture="wood",
        ),
        leg_at(left[0] + 0.04, seat + thick, 1.0, -splay),
        leg_at(right[0] - 0.04, seat + thick, 1.0, splay),
        area(
            pick(rng, "cream", "crimson", "navy", "forest") if rng.random() < 0.4 else wood,
            poly(left, right, far_right, far_left),
            texture="wood",
            gloss=0.2,
        ),
    ]
    if rng.random() < 0.5:
        y = seat + thick + 0.45
        parts.append(
            area(
                wood,
                tube(line((left[0] + 0.03, y), (right[0] - 0.03, y)), 0.04, 0.04),
                form="puff",
                texture="wood",
                ink=0.8,
            )
        )
    return parts


def cup(rng: Generator) -> list[Part]:
    """A cup or a mug with its handle, perhaps on a saucer."""
    top, low, high = rng.uniform(0.5, 0.66), rng.uniform(0.32, 0.6), rng.uniform(0.5, 0.72)
    low = min(low, top)
    rim, foot = top * rng.uniform(0.16, 0.28), low * 0.2
    glaze = pick(rng, "white", "cream", "red", "teal", "blue", "yellow", "charcoal", "sky", "pink")
    bulge = rng.uniform(0.0, 0.08)
    side = arc((top, -high), ((top + low) / 2 + bulge + 0.04, 0.1), (low, high))
    body = closed(side, bow(0, high, low, foot, 0, 180), (side * [-1, 1])[::-1], bow(0, -high, top, rim, 180, 360))
    y, reach, tall = rng.uniform(-0.2, 0.0), rng.uniform(0.26, 0.4), rng.uniform(0.24, 0.36)
    x = (top + low) / 2 - 0.02
    handle = tube(
        arc(
            (x, y - tall),
            (x + reach * 0.75, y - tall * 0.95),
            (x + reach, y),
            (x + reach * 0.6, y + tall * 0.9),
            (x - 0.08, y + tall),
        ),
        0.11,
        0.1,
    )
    parts = []
    if rng.random() < 0.4:
        dish = low + rng.uniform(0.3, 0.5)
        parts += [
            area(shade(glaze, 0.95), oval(0, high + 0.03, dish, dish * 0.24), form="puff", gloss=0.4),
            area(shade(glaze, 0.85), oval(0, high + 0.02, dish * 0.6, dish * 0.13), gloss=0.2, ink=0.4),
        ]
    parts += [area(glaze, handle, form="puff", gloss=0.6), area(glaze, body, form="tube", gloss=0.6)]
    mark = pick(rng, "red", "blue", "forest", "gold", "white", "navy")
    decor = rng.integers(4)
    if decor == 0:
        for share in rng.choice([[0.2, 0.3], [0.5], [0.3, 0.5, 0.7]][rng.integers(3)], 1) if False else [0.25, 0.4]:
            cut = side[int(share * len(side))]
            cut2 = side[int((share + 0.07) * len(side))]
            parts.append(
                area(
                    mark,
                    closed(
                        bow(0, float(cut[1]), float(cut[0]), rim * 0.9, 0, 180),
                        bow(0, float(cut2[1]), float(cut2[0]), rim * 0.9, 180, 0),
                    ),
                    form="tube",
                    gloss=0.5,
                    ink=0.7,
                )
            )
    elif decor == 1:
        spots = [
            oval(px * top * 0.62, py + rim, 0.07 * (1 - px**2 * 0.4), 0.07)
            for px, py in ((-0.8, -0.2), (-0.35, 0.1), (0.1, -0.2), (0.5, 0.1), (0.85, -0.2), (-0.1, 0.38))
        ]
        parts.append(area(mark, *spots, form="flat", gloss=0.4, ink=0.7))
    elif decor == 2:
        heart = loop(
            (0, 0.08), (0.16, -0.1), (0.28, -0.02), (0.2, 0.16), (0, 0.36), (-0.2, 0.16), (-0.28, -0.02), (-0.16, -0.1)
        )
        parts.append(area(mark, heart * 0.9, gloss=0.4, ink=0.85))
    drink = pick(rng, "brown", "chestnut", "black")
    parts += [
        area(shade(glaze, 0.6), oval(0, -high, top * 0.96, rim * 0.92), texture="plain"),
        area(
            drink,
            closed(
                bow(0, -high + 0.03, top * 0.9, rim * 0.8, 0, 180), bow(0, -high + 0.06, top * 0.9, rim * 0.6, 180, 360)
            ),
            gloss=0.6,
            ink=0.35,
        ),
    ]
    return parts


def guitar(rng: Generator) -> list[Part]:
    """An acoustic guitar from the front, upright."""
    hips, chest, waist = rng.uniform(0.38, 0.46), rng.uniform(0.28, 0.35), rng.uniform(0.2, 0.26)
    wood, dark = pick(rng, "tan", "orange", "chestnut", "straw", "brown", "crimson"), pick(rng, "black", "brown")
    top = rng.uniform(-0.14, -0.04)
    body = mirrored(
        (0, top),
        (chest * 0.7, top + 0.03),
        (chest, top + 0.2),
        (waist, top + 0.4),
        (hips * 0.92, 0.56),
        (hips, 0.74),
        (hips * 0.75, 0.95),
        (0, 1.0),
    )
    neck_end = rng.uniform(-0.8, -0.7)
    hole = (0.0, top + 0.42, rng.uniform(0.1, 0.13))
    half = rng.uniform(0.042, 0.055)
    neck = poly((-half, neck_end), (half, neck_end), (half * 1.25, hole[1] - 0.1), (-half * 1.25, hole[1] - 0.1))
    head = poly(
        (-half * 1.2, neck_end), (-half * 1.9, neck_end - 0.22), (half * 1.9, neck_end - 0.22), (half * 1.2, neck_end)
    )
    pegs = [
        oval(side * (half * 1.6 + 0.045), neck_end - y, 0.032, 0.022) for side in (-1, 1) for y in (0.05, 0.115, 0.18)
    ]
    bridge = 0.7
    strings = [line((x * half * 0.75, neck_end - 0.02), (x * 0.06, bridge)) for x in np.linspace(-1, 1, 6)]
    frets = [line((-half * 1.05, y), (half * 1.05, y)) for y in np.linspace(neck_end + 0.06, hole[1] - 0.2, 9)]
    parts = [
        area(shade(dark, 1.2), *pegs, form="puff", gloss=0.6, ink=0.8),
        area(shade(wood, 0.45), body, form="puff", gloss=0.3),
        area(wood, body * 0.965 + np.array([0, 0.015]), texture="wood", gloss=0.5, fade=shade(wood, 0.75), ink=0.15),
        area((0.06, 0.05, 0.05), oval(*hole), ink=0.95),
        stroke(pick(rng, "cream", "brown", "black"), 0.018, oval(hole[0], hole[1], hole[2] + 0.03), ink=0.4),
    ]
    if rng.random() < 0.5:
        guard = loop(
            (hole[2] * 0.9, hole[1] + 0.02),
            (hole[2] + 0.13, hole[1] + 0.05),
            (hole[2] + 0.14, hole[1] + 0.2),
            (hole[2] * 0.6, hole[1] + 0.15),
        )
        parts.append(area(dark, guard, gloss=0.6, ink=0.5))
    return [
        *parts,
        area(dark, box(-0.14, bridge - 0.025, 0.14, bridge + 0.025, 0.015), form="puff", texture="wood"),
        area(shade(dark, 1.1), neck, form="tube", texture="wood"),
        stroke(pick(rng, "silver"), 0.008, *frets, ink=0.25),
        area(pick(rng, "brown", "black", "chestnut"), head, form="puff", texture="wood", gloss=0.4),
        stroke(pick(rng, "silver"), 0.007, *strings[::1], ink=0.35),
    ]


def hat(rng: Generator) -> list[Part]:
    """A hat with a brim and a band: straw, felt or top hat."""
    brim, crown, tall, droop = (
        rng.uniform(0.85, 1.0),
        rng.uniform(0.42, 0.55),
        rng.uniform(0.45, 0.85),
        rng.uniform(0.12, 0.24),
    )
    color = pick(rng, "straw", "brown", "black", "grey", "tan", "navy", "cream", "pink")
    fabric = "weave" if rng.random() < 0.5 else "fibers"
    base, top = 0.3, 0.3 - tall
    narrow = crown * rng.uniform(0.72, 1.02)
    dent = rng.uniform(0.0, 0.12) if rng.random() < 0.6 else -0.06
    shell = closed(
        arc((crown, base), (crown * 0.96, (base + top) / 2), (narrow, top + 0.08)),
        arc(
            (narrow, top + 0.08),
            (narrow * 0.6, top - 0.03),
            (0, top + dent),
            (-narrow * 0.6, top - 0.03),
            (-narrow, top + 0.08),
        ),
        arc((-narrow, top + 0.08), (-crown * 0.96, (base + top) / 2), (-crown, base)),
        bow(0, base, crown, droop * 0.5, 180, 0),
    )
    curl = rng.uniform(-0.12, 0.06)
    plate = loop(
        (-brim, base + curl),
        (-brim * 0.75, base - droop * 0.5),
        (0, base - droop * 0.7),
        (brim * 0.75, base - droop * 0.5),
        (brim, base + curl),
        (brim * 0.7, base + droop * 0.9),
        (0, base + droop * 1.35),
        (-brim * 0.7, base + droop * 0.9),
    )
    strip = rng.uniform(0.1, 0.2)
    share = strip / tall
    up = crown * (1 - share) + narrow * share
    band = closed(bow(0, base, crown * 1.005, droop * 0.5, 0, 180), bow(0, base - strip, up * 1.0, droop * 0.5, 180, 0))
    ribbon = pick(rng, "red", "black", "navy", "white", "forest", "gold")
    parts = [
        area(color, plate, form="puff", texture=fabric),
        area(color, shell, form="tube", texture=fabric, fade=shade(color, 0.8)),
        area(ribbon, band, form="tube", texture="weave"),
    ]
    if rng.random() < 0.4:
        side = rng.choice([-1, 1])
        plume = loop((0.3, base - 0.05), (0.5, base - 0.5), (0.62, base - 0.8), (0.5, base - 0.35))
        parts.append(
            area(pick(rng, "red", "white", "teal", "orange"), plume * [side, 1], form="puff", texture="fibers", ink=0.9)
        )
    return parts


def house(rng: Generator) -> list[Part]:
    """A house from the front: gable, door, windows, mostly a chimney."""
    wide, eave, ridge = rng.uniform(0.58, 0.85), rng.uniform(-0.25, 0.05), rng.uniform(-0.95, -0.7)
    over, ground = rng.uniform(0.06, 0.16), 0.85
    wall, roof = (
        pick(rng, "cream", "brick", "white", "sky", "straw", "tan"),
        pick(rng, "brick", "charcoal", "crimson", "brown", "grey"),
    )
    trim = pick(rng, "white", "brown", "cream")
    gabled = rng.random() < 0.55
    parts = []
    if rng.random() < 0.8:
        x = rng.choice([-1, 1]) * wide * rng.uniform(0.4, 0.6)
        parts.append(area(pick(rng, "brick", "grey"), box(x - 0.09, ridge - 0.05, x + 0.09, eave), texture="bricks"))
        parts.append(
            area(
                pick(rng, "charcoal", "grey"), box(x - 0.12, ridge - 0.09, x + 0.12, ridge - 0.03), form="puff", ink=0.7
            )
        )
    coat = rng.choice(["planks", "bricks", "grainy"])
    if gabled:
        front = poly((-wide, eave), (0, ridge), (wide, eave), (wide, ground), (-wide, ground))
        drop = over * (eave - ridge) / wide
        slab = tube(line((-wide - over, eave + drop), (0, ridge), (wide + over, eave + drop)), 0.13, 0.13)
        slab = poly(
            (-wide - over, eave + drop),
            (0, ridge),
            (wide + over, eave + drop),
            (wide + over, eave + drop - 0.16),
            (0, ridge - 0.17),
            (-wide - over, eave + drop - 0.16),
        )
        parts += [area(wall, front, texture=coat), area(roof, slab, form="flat", texture="tiles")]
        if rng.random() < 0.5:
            y = (ridge + eave) / 2 + 0.08
            parts += [
                area(trim, oval(0, y, 0.12), form="puff", ink=0.5),
                area(pick(rng, "charcoal"), oval(0, y, 0.09), texture="glass"),
            ]
    else:
        inset = rng.uniform(0.1, 0.3)
        slope = poly(
            (-wide - over, eave + 0.02), (-wide + inset, ridge), (wide - inset, ridge), (wide + over, eave + 0.02)
        )
        parts += [
            area(wall, box(-wide, eave - 0.05, wide, ground), texture=coat),
            area(roof, slope, texture="tiles"),
            stroke(trim, 0.03, line((-wide - over, eave + 0.03), (wide + over, eave + 0.03)), ink=0.15),
        ]
    door_x, door_half, door_top = rng.choice([-0.45, 0.0, 0.45]) * wide, rng.uniform(0.11, 0.15), rng.uniform(0.3, 0.38)
    door = pick(rng, "red", "brown", "forest", "navy", "teal", "chestnut")
    parts += [
        area(trim, box(door_x - door_half - 0.03, door_top - 0.04, door_x + door_half + 0.03, ground), ink=0.2),
        area(door, box(door_x - door_half, door_top, door_x + door_half, ground), texture="wood"),
        area(
            pick(rng, "gold", "silver"),
            oval(door_x + door_half * 0.65, (door_top + ground) / 2, 0.02),
            form="puff",
            gloss=0.8,
            ink=0.7,
        ),
    ]
    size = rng.uniform(0.1, 0.15)
    spots = [x * wide for x in (-0.55, 0.0, 0.55) if abs(x * wide - door_x) > door_half + size + 0.05]
    high = rng.uniform(0.36, 0.46)
    for x in spots:
        pane = box(x - size, high - size, x + size, high + size)
        parts += [
            area(
                trim,
                box(x - size - 0.03, high - size - 0.03, x + size + 0.03, high + size + 0.03),
                form="flat",
                ink=0.3,
            ),
            area(pick(rng, "charcoal"), pane, texture="glass", gloss=0.3),
            stroke(
                trim,
                0.022,
                line((x - size, high), (x + size, high)),
                line((x, high - size), (x, high + size)),
                ink=0.75,
            ),
        ]
    return parts


def key(rng: Generator) -> list[Part]:
    """An old key: bow, shank and bit."""
    metal = pick(rng, "gold", "silver", "brown", "grey", "charcoal")
    grip, thick = rng.uniform(0.22, 0.3), rng.uniform(0.05, 0.075)
    x = -1 + grip
    style = rng.integers(3)
    if style == 0:
        ring, holes = [oval(x, 0, grip, grip * rng.uniform(0.8, 1.15))], [oval(x, 0, grip * 0.62, grip * 0.6)]
    elif style == 1:
        far = grip * 0.52
        ring = [
            oval(x - far * 0.7, 0, grip * 0.55),
            oval(x + far * 0.3, -far, grip * 0.55),
            oval(x + far * 0.3, far, grip * 0.55),
        ]
        holes = [
            oval(x - far * 0.7, 0, grip * 0.3),
            oval(x + far * 0.3, -far, grip * 0.3),
            oval(x + far * 0.3, far, grip * 0.3),
        ]
    else:
        ring = [
            loop(
                (x - grip, 0),
                (x - grip * 0.6, -grip * 0.95),
                (x + grip * 0.5, -grip * 0.7),
                (x + grip, 0),
                (x + grip * 0.5, grip * 0.7),
                (x - grip * 0.6, grip * 0.95),
            )
        ]
        holes = [oval(x - grip * 0.15, 0, grip * 0.5, grip * 0.45)]
    end = 1.0
    shank = box(x + grip * 0.7, -thick, end, thick, thick * 0.8)
    drop, teeth = rng.uniform(0.22, 0.36), int(rng.integers(2, 4))
    left = end - rng.uniform(0.3, 0.42)
    right = end - 0.06
    step = (right - left) / (2 * teeth - 1)
    rim = [(left, 0.0)]
    for tooth in range(teeth):
        deep = drop * rng.uniform(0.75, 1.0)
        start = left + 2 * tooth * step
        rim += [(start, deep), (start + step, deep)]
        if tooth < teeth - 1:
            rim += [(start + step, drop * 0.5), (start + 2 * step, drop * 0.5)]
    bit = poly(*rim, (right, 0.0))
    collar = x + grip + rng.uniform(0.03, 0.1)
    return [
        area(metal, *ring, shank, bit, holes=holes, form="puff", texture="grainy", gloss=0.8),
        area(
            shade(metal, 0.9),
            box(collar, -thick * 1.6, collar + 0.07, thick * 1.6, 0.02),
            form="puff",
            gloss=0.8,
            ink=0.75,
        ),
    ]


def umbrella(rng: Generator) -> list[Part]:
    """An open umbrella with a hooked handle."""
    wide, top, hem = rng.uniform(0.82, 1.0), rng.uniform(-0.82, -0.68), rng.uniform(-0.12, 0.02)
    panels = int(rng.integers(4, 8))
    first, second = (
        pick(rng, "red", "blue", "yellow", "purple", "teal", "pink", "navy", "green"),
        pick(rng, "white", "orange", "sky", "lime", "red"),
    )
    if rng.random() < 0.45:
        second = shade(first, 0.9)
    marks = np.sin(np.linspace(-1, 1, panels + 1) * np.pi / 2) * wide
    dip = rng.uniform(0.06, 0.14)

    def rib(x: float) -> list[tuple[float, float]]:
        drop = hem - 0.05 * (1 - (x / wide) ** 2)
        return [
            (0, top),
            (x * 0.5, top + 0.08 + 0.05 * (x / wide) ** 2),
            (x * 0.86, (top + drop) / 2 - 0.02),
            (x, drop),
        ]

    gores, scallops = [], []
    for number, (left, right) in enumerate(zip(marks[:-1], marks[1:], strict=True)):
        start, end = rib(float(left)), rib(float(right))
        middle = ((start[-1][0] + end[-1][0]) / 2, (start[-1][1] + end[-1][1]) / 2 - dip * (right - left) / wide)
        scallop = arc(start[-1], middle, end[-1])
        scallops.append(scallop)
        gores.append(area(first if number % 2 == 0 else second, closed(arc(*start), scallop, arc(*end)[::-1]), ink=0))
    canopy = closed(arc(*rib(-wide)), *scallops, arc(*rib(wide))[::-1])
    hook = rng.uniform(0.1, 0.16)
    side = rng.choice([-1, 1])
    cane = np.concatenate(
        [
            line((0, hem - 0.3), (0, 0.8)),
            bow(side * hook, 0.8, side * hook, hook, 180, 10) if side > 0 else bow(-hook, 0.8, hook, hook, 0, 170),
        ]
    )
    wood = pick(rng, "brown", "black", "chestnut", "silver")
    return [
        area(shade(first, 0.35), oval(0, hem - 0.06, wide * 0.93, 0.09), ink=0),
        stroke(wood, 0.045, cane, gloss=0.4),
        area(first, canopy, form="puff", gloss=0.15),
        *gores,
        stroke(shade(first, 0.55), 0.01, *(arc(*rib(float(x))) for x in marks[1:-1]), ink=0.85),
        stroke(wood, 0.04, line((0, top + 0.02), (0, top - 0.13)), gloss=0.4),
    ]
