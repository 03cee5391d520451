"""Which lines of a thing a sketch shows, and how a hand draws them."""

from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageFilter

from sketchy.demo import CATEGORIES, draw_pair
from sketchy.demo.sketch import trace, visible_lines
from sketchy.demo.things import Part, Thing

NUMBERS = (1, 2, 3)
RED = np.array([0.6, 0.02, 0.02], np.float32)


def box(left, top, right, bottom):
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], np.float64)


def circle(radius):
    angle = np.linspace(0, 2 * np.pi, 60)
    return 100 + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def part(*paths, within=(), width=0.0, ink=1.0):
    return Part(list(paths), list(within), width, RED, RED, "flat", "plain", 0.0, ink)


def thing(*parts):
    return Thing(list(parts), np.eye(2), np.zeros(2))


def lines_of(number, *parts):
    """The points of the visible lines of one of the parts."""
    return np.concatenate([line.points for line in visible_lines(thing(*parts)) if line.part == number])


def inside(points, left, top, right, bottom):
    x, y = points.T
    return ((x > left) & (x < right) & (y > top) & (y < bottom)).any()


BELOW, ABOVE = part(box(40, 40, 160, 160)), part(box(100, 100, 220, 220))


def test_hidden_parts_are_not_drawn():
    assert inside(lines_of(0, BELOW, ABOVE), 60, 150, 90, 170)
    assert not inside(lines_of(0, BELOW, ABOVE), 104, 104, 216, 216)
    assert inside(lines_of(1, BELOW, ABOVE), 104, 90, 150, 110)


def test_a_part_without_ink_hides_nothing():
    unseen = part(box(100, 100, 220, 220), ink=0)
    assert inside(lines_of(0, BELOW, unseen), 104, 104, 216, 216)


def test_a_part_on_a_body_is_clipped_to_it():
    points = lines_of(1, part(circle(50)), part(box(20, 80, 180, 120), within=[circle(50)]))
    assert np.hypot(*(points - 100).T).max() < 53


def test_outlines_that_overlap_are_drawn_as_one_body():
    both = part(box(40, 80, 120, 120), box(100, 80, 200, 120))
    assert not inside(lines_of(0, both), 104, 84, 116, 116)


def test_the_middle_of_a_bar_is_drawn():
    bar = part(np.array([(40.0, 100.0), (200.0, 100.0)]), width=20.0)
    assert np.ptp(lines_of(0, bar)[:, 1]) < 1


def test_sketches_of_a_thing_differ_but_resemble_it():
    lines = visible_lines(thing(part(circle(80))))
    first, second = (np.asarray(trace(lines, np.random.default_rng(seed))) < 128 for seed in (1, 2))
    assert (first != second).any()
    for ink in (first, second):
        distances = np.hypot(*(np.argwhere(ink) - 100).T)
        assert distances.mean() == pytest.approx(80, abs=8)


@cache
def pictures(category, number):
    photo, (sketch,) = draw_pair(category, number)
    return photo, np.asarray(sketch)


def edges(photo):
    """How strong the strongest edge within 3 pixels is, (256, 256)."""
    grey = np.asarray(photo.convert("L").filter(ImageFilter.GaussianBlur(1)), np.float32)
    down, across = np.gradient(grey)
    strength = np.clip(2 * np.hypot(down, across), 0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(strength).filter(ImageFilter.MaxFilter(7)), np.float32)


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize("number", NUMBERS)
def test_a_sketch_is_thin_dark_ink_on_white(category, number):
    _, sketch = pictures(category, number)
    assert sketch.max() == 255
    assert sketch.min() < 80
    assert 0.005 < (sketch < 128).mean() < 0.12
    thick = Image.fromarray(sketch).filter(ImageFilter.MaxFilter(5))  # only what is 5 pixels wide stays dark
    assert (np.asarray(thick) < 128).mean() < 0.1 * (sketch < 128).mean()


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_sketch_follows_the_edges_of_its_own_photo(category):
    fit = np.array(
        [[edges(pictures(category, a)[0])[pictures(category, b)[1] < 128].mean() for b in NUMBERS] for a in NUMBERS]
    )
    own, others = np.diag(fit).mean(), fit[~np.eye(len(NUMBERS), dtype=bool)].mean()
    assert own > 1.15 * others
