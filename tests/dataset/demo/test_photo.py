"""The photos of the demo set: filled, lit, and different from scene to scene."""

import numpy as np
import pytest

from sketchy.dataset.demo.photo import paint
from sketchy.dataset.demo.pose import Pose
from sketchy.dataset.demo.scenes import SCENES
from sketchy.dataset.demo.shapes import area, box, oval

RED, BLUE = (0.9, 0.1, 0.1), (0.1, 0.1, 0.9)
AS_IS = Pose(np.eye(2), np.zeros(2), 200.0)
BALL = oval(128, 130, 70)


def photo(*parts, scene="stone", seed=0):
    return np.asarray(paint(parts, AS_IS, scene, np.random.default_rng(seed)), np.int16)


@pytest.mark.parametrize("scene", SCENES)
def test_every_scene_holds_the_thing(scene):
    picture = photo(area(RED, BALL, form="puff"), scene=scene)
    assert picture.shape == (256, 256, 3)
    red = picture[..., 0] - picture[..., 2]
    assert red[110:150, 108:148].mean() > 40
    assert picture.std() > 10


def test_a_ball_is_brighter_on_the_side_of_the_light():
    luma = photo(area(RED, BALL, form="puff"))[..., 0]
    around = [luma[130 + dy - 8 : 138 + dy, 120 + dx : 136 + dx].mean() for dx, dy in ((0, -50), (0, 50))]
    assert around[0] > around[1] + 10  # light falls from above


def test_a_decal_ends_with_its_body():
    band = area(BLUE, box(0, 110, 256, 150), within=(BALL,))
    picture = photo(area(RED, BALL, form="puff"), band)
    blue = picture[..., 2] - picture[..., 0]
    assert blue[120:140, 120:136].mean() > 40
    assert blue[120:140, :40].mean() < 20
