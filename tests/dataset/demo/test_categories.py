"""Every category draws a thing that is in the picture, and sketches that trace it."""

from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageFilter

from sketchy.dataset.demo import draw_pictures
from sketchy.dataset.demo.categories import CATEGORIES
from sketchy.dataset.demo.pose import SIZE, draw_pose
from sketchy.dataset.demo.scenes import SCENES
from sketchy.dataset.demo.textures import TEXTURES

NUMBERS = (1, 2)


@cache
def pictures(category, number):
    photo, (sketch,) = draw_pictures(category, number, 1, seed=0)
    return photo, np.asarray(sketch)


def edges(photo):
    """How strong the strongest edge within 3 pixels is, (256, 256)."""
    grey = np.asarray(photo.convert("L").filter(ImageFilter.GaussianBlur(1)), np.float32)
    down, across = np.gradient(grey)
    strength = np.clip(2 * np.hypot(down, across), 0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(strength).filter(ImageFilter.MaxFilter(7)), np.float32)


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_thing_is_whole_and_large_in_the_picture(category):
    kind = CATEGORIES[category]
    for seed in range(6):
        rng = np.random.default_rng(seed)
        parts = kind.draw(rng)
        pose = draw_pose(parts, rng, kind.tilt, kind.flip)
        points = np.concatenate([pose.place(path) for part in parts for path in part.paths])
        assert points.min() >= 0
        assert points.max() <= SIZE
        assert np.ptp(points, axis=0).max() > 0.5 * SIZE
        assert {part.texture for part in parts} <= TEXTURES.keys()
    assert set(kind.scenes) <= SCENES.keys()


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
