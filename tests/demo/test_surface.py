"""Textures and relief of the demo set."""

import numpy as np
import pytest

from sketchy.demo.surface import GRAINS, albedo, normals
from sketchy.demo.things import Part

GREY = np.full(3, 0.3, np.float32)
DOWN, ACROSS = np.mgrid[-1:1:64j, -1:1:64j].astype(np.float32)
DISC = (DOWN**2 + ACROSS**2 < 0.8).astype(np.float32)


@pytest.mark.parametrize("texture", GRAINS)
def test_a_texture_varies_about_its_colour(texture):
    part = Part([np.zeros((3, 2))], [], 0.0, GREY, GREY, "flat", texture, 0.0, 1.0)
    color = albedo(part, ACROSS, DOWN, 0, np.random.default_rng(0))
    assert color.shape == (64, 64, 3)
    assert color.mean() == pytest.approx(0.3, abs=0.07)
    assert 0.002 < color.std() < 0.15


@pytest.mark.parametrize(("form", "upwards"), [("puff", True), ("tube", False)])
def test_a_relief_faces_away_from_its_middle(form, upwards):
    normal = normals(form, DISC)
    assert np.linalg.norm(normal, axis=2) == pytest.approx(np.ones((64, 64)), abs=1e-4)
    assert normal[32, 10, 0] < -0.3
    assert normal[32, 53, 0] > 0.3
    assert (normal[10, 32, 1] < -0.3) == upwards  # y points down
    assert normal[32, 32, 2] > 0.95


def test_a_flat_part_faces_the_viewer():
    assert normals("flat", DISC)[26:38, 26:38, 2].min() > 0.99
