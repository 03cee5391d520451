"""The curves of which the things of the demo set are made."""

import numpy as np
import pytest

from sketchy.dataset.demo.shapes import arc, billow, box, line, loop, mirrored, moved, oval, pick, poly, symmetric, tube

CLOSED = {
    "poly": poly((0, 0), (1, 0), (1, 1)),
    "loop": loop((0, 0), (1, 0), (1, 1)),
    "mirrored": mirrored((0, -1), (1, 0), (0, 1)),
    "oval": oval(0, 0, 2, 1),
    "box": box(0, 0, 2, 1),
    "round box": box(0, 0, 2, 1, 0.2),
    "symmetric": symmetric(line((0, -1), (1, 0)), line((0.5, 1))),
    "tube": tube(line((0, 0), (1, 1)), 0.2, 0.1),
    "billow": billow(np.random.default_rng(0), oval(0, 0, 1), 7, 0.1),
}


@pytest.mark.parametrize("name", CLOSED)
def test_a_closed_curve_ends_where_it_begins(name):
    assert CLOSED[name][-1] == pytest.approx(CLOSED[name][0], abs=1e-9)


@pytest.mark.parametrize("name", ["mirrored", "symmetric"])
def test_a_symmetric_curve_has_as_much_on_the_left(name):
    x = CLOSED[name][:, 0]
    assert x.min() == pytest.approx(-x.max())


def test_a_smooth_curve_passes_through_its_points():
    points = [(0.0, 0.0), (1.0, 2.0), (3.0, 1.0)]
    distances = [np.linalg.norm(arc(*points) - point, axis=1).min() for point in points]
    assert distances == pytest.approx([0, 0, 0])


def test_a_positive_turn_is_clockwise():
    assert moved(line((1, 0)), turn=90)[0] == pytest.approx([0, 1])  # y points down


def test_a_picked_colour_can_be_shown():
    rng = np.random.default_rng(0)
    assert all(0 < channel < 1 for _ in range(50) for channel in pick(rng, "white", "black"))
