"""Which lines of a thing a sketch shows, and how a hand draws them."""

import numpy as np
import pytest

from sketchy.dataset.demo.pose import Pose
from sketchy.dataset.demo.shapes import area, box, oval, stroke
from sketchy.dataset.demo.sketch import trace, visible_lines

RED = (0.8, 0.1, 0.1)
AS_IS = Pose(np.eye(2), np.zeros(2), 200.0)
BELOW = area(RED, box(40, 40, 160, 160))


def lines_of(part, *parts):
    """The points of the visible lines of one part."""
    found = [line.points for line in visible_lines(parts, AS_IS) if line.part == parts.index(part)]
    return np.concatenate(found)


def inside(points, left, top, right, bottom):
    x, y = points.T
    return ((x > left) & (x < right) & (y > top) & (y < bottom)).any()


def test_what_lies_behind_is_not_drawn():
    above = area(RED, box(100, 100, 220, 220))
    assert inside(lines_of(BELOW, BELOW, above), 60, 150, 90, 170)
    assert not inside(lines_of(BELOW, BELOW, above), 104, 104, 216, 216)
    assert inside(lines_of(above, BELOW, above), 104, 90, 150, 110)


def test_what_only_the_photo_has_hides_nothing():
    unseen = area(RED, box(100, 100, 220, 220), ink=0)
    assert inside(lines_of(BELOW, BELOW, unseen), 104, 104, 216, 216)


def test_a_decal_is_not_drawn_beyond_its_body():
    body = oval(100, 100, 50)
    band = area(RED, box(20, 80, 180, 120), within=(body,))
    points = lines_of(band, area(RED, body), band)
    assert np.hypot(*(points - 100).T).max() < 53


def test_outlines_that_overlap_are_drawn_as_one_body():
    both = area(RED, box(40, 80, 120, 120), box(100, 80, 200, 120))
    assert not inside(lines_of(both, both), 104, 84, 116, 116)


def test_a_hole_is_drawn():
    ring = area(RED, oval(100, 100, 60), holes=[oval(100, 100, 20)])
    distances = np.hypot(*(lines_of(ring, ring) - 100).T)
    assert np.count_nonzero(np.abs(distances - 20) < 3) > 20


def test_the_middle_of_a_bar_is_drawn():
    bar = stroke(RED, 20.0, np.array([(40.0, 100.0), (200.0, 100.0)]))
    assert np.ptp(lines_of(bar, bar)[:, 1]) < 1


def test_no_two_hands_draw_alike_but_all_draw_the_thing():
    lines = visible_lines([area(RED, oval(128, 128, 80))], AS_IS)
    first, second = (np.asarray(trace(lines, np.random.default_rng(seed))) < 128 for seed in (1, 2))
    assert (first != second).any()
    for ink in (first, second):
        distances = np.hypot(*(np.argwhere(ink) - 128).T)
        assert distances.mean() == pytest.approx(80, abs=8)
