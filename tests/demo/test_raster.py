"""Colours, noise and filled shapes of the demo set."""

import numpy as np
import pytest

from sketchy.demo.raster import PALETTE, SIZE, coverage, grain, noise, pick

SQUARE = np.array([(20.0, 20.0), (60.0, 20.0), (60.0, 60.0), (20.0, 60.0), (20.0, 20.0)])


def test_a_picked_colour_can_be_shown():
    rng = np.random.default_rng(0)
    assert all(0 < channel < 1 for name in PALETTE for channel in pick(rng, name))


def test_noise_is_about_between_minus_one_and_one():
    clouds = noise(np.random.default_rng(0), 3, 3)
    assert clouds.shape == (SIZE, SIZE)
    assert abs(clouds.mean()) < 0.4
    assert 0.5 < np.abs(clouds).max() < 2


def test_grain_without_layers_is_one():
    assert (grain(np.random.default_rng(0), np.zeros((2, 3)), np.zeros((2, 3)), ()) == np.ones((2, 3))).all()


@pytest.mark.parametrize("oversample", [1, 4])
def test_an_outline_covers_its_area(oversample):
    assert coverage([SQUARE], oversample=oversample).sum() == pytest.approx(1600, rel=0.06)


def test_a_line_covers_its_length_times_its_width():
    line = np.array([(50.0, 100.0), (150.0, 100.0)])
    assert coverage([line], width=4.0).sum() == pytest.approx(100 * 4 + np.pi * 4, rel=0.1)


def test_nothing_is_covered_outside_the_clipping_path():
    cover = coverage([SQUARE], [SQUARE + 30])
    assert cover[55, 55] == 1
    assert cover[:48].max() == cover[:, :48].max() == 0


def test_a_window_is_a_crop_of_the_picture():
    assert (coverage([SQUARE], window=(10, 15, 70, 40)) == coverage([SQUARE])[15:40, 10:70]).all()
