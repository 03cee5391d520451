"""The photos of the demo set: filled, lit, and different from scene to scene."""

import numpy as np
import pytest

from sketchy.demo.photo import paint
from sketchy.demo.scenes import SCENES
from sketchy.demo.things import Part, Thing

RED, BLUE = (np.array(color, np.float32) for color in ((0.7, 0.02, 0.02), (0.02, 0.02, 0.7)))
ANGLE = np.linspace(0, 2 * np.pi, 60)
BALL = np.stack([128 + 70 * np.cos(ANGLE), 130 + 70 * np.sin(ANGLE)], axis=1)
BAND = np.array([(0.0, 110.0), (256.0, 110.0), (256.0, 150.0), (0.0, 150.0), (0.0, 110.0)])


def photo(*parts, scene="stone"):
    thing = Thing([Part([BALL], [], 0.0, RED, RED, "puff", "plain", 0.0, 1.0), *parts], np.eye(2) * 100, np.zeros(2))
    return np.asarray(paint(thing, scene, np.random.default_rng(0)), np.int16)


@pytest.mark.parametrize("scene", SCENES)
def test_every_scene_shows_the_thing(scene):
    picture = photo(scene=scene)
    assert picture.shape == (256, 256, 3)
    assert (picture[110:150, 108:148, 0] - picture[110:150, 108:148, 2]).mean() > 40
    assert picture.std() > 10


def test_a_ball_is_brighter_on_the_side_of_the_light():
    red = photo()[..., 0]
    assert red[72:88, 120:136].mean() > red[172:188, 120:136].mean() + 10  # light falls from above


def test_a_part_on_a_body_is_clipped_to_it():
    picture = photo(Part([BAND], [BALL], 0.0, BLUE, BLUE, "puff", "plain", 0.0, 1.0))
    blue = picture[..., 2] - picture[..., 0]
    assert blue[120:140, 120:136].mean() > 40
    assert blue[120:140, :40].mean() < 20


@pytest.mark.parametrize("form", ["flat", "puff", "tube"])
def test_a_fade_runs_from_top_to_bottom(form):
    picture = photo(Part([BALL], [], 0.0, RED, BLUE, form, "plain", 0.0, 1.0))
    blue = picture[..., 2] - picture[..., 0]
    assert blue[180:190, 120:136].mean() > blue[70:80, 120:136].mean() + 60
