"""How a thing stands in its picture."""

import numpy as np
import pytest

from sketchy.dataset.demo.pose import draw_pose
from sketchy.dataset.demo.shapes import area, box

THING = [area((0.5, 0.5, 0.5), box(-1, -0.5, 0.2, 0.4))]


def test_pixels_lead_back_to_the_things_own_coordinates():
    pose = draw_pose(THING, np.random.default_rng(0), tilt=30, flip=True)
    across, down = pose.local(slice(10, 14), slice(20, 23))
    assert across.shape == down.shape == (3, 4)
    placed = pose.place(np.array([[across[2, 1], down[2, 1]]], np.float64))
    assert placed[0] == pytest.approx([11.5, 22.5], abs=1e-3)


def test_what_may_not_look_left_never_does():
    turns = [np.linalg.det(draw_pose(THING, np.random.default_rng(s), tilt=5, flip=False).matrix) for s in range(20)]
    assert min(turns) > 0


def test_bottom_is_the_lowest_row():
    pose = draw_pose(THING, np.random.default_rng(1), tilt=10, flip=True)
    assert pose.bottom == pytest.approx(pose.place(THING[0].paths[0])[:, 1].max())
