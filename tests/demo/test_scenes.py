"""The backdrops of the demo set."""

import numpy as np
import pytest

from sketchy.demo.scenes import SCENES


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("horizon", [0.3, 1.0])
def test_a_scene_fills_the_picture_for_every_horizon(name, horizon):
    one, other = (SCENES[name].paint(np.random.default_rng(seed), horizon) for seed in (1, 2))
    assert one.shape == (256, 256, 3)
    assert np.isfinite(one).all()
    assert 0.01 < one.mean() < 1.2
    assert np.abs(one - other).mean() > 0.01


def test_ground_begins_at_the_horizon():
    low, high = (SCENES["street"].paint(np.random.default_rng(0), horizon) for horizon in (0.8, 0.4))
    assert np.abs(low - high)[120:190].mean() > 0.02
