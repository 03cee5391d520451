from dataclasses import replace

import numpy as np
import pytest
import torch

from sketchy.dataset.further import Further, FurtherImages
from sketchy.dataset.loader import Dataset
from sketchy.dataset.pack import Pack, Subset
from sketchy.evaluation.calibrate import PROBES, calibrate, nearest_of

NAMES = ("ant", "bee", "cat", "dog")
SIDE = 16


class Encoder(torch.nn.Linear):
    """Embeds an image as its mean pixel."""

    embedding_size = 1

    def __init__(self):
        super().__init__(1, 1)

    def forward(self, pixels, kind):
        return pixels.flatten(1).float().mean(1, keepdim=True) / 50


def images(labels, seed, shift=0):
    """Images whose mean pixel is near 50 times the label plus a shift."""
    generator = np.random.default_rng(seed)
    levels = 50 * labels + shift + generator.normal(0, 12, len(labels))
    return np.broadcast_to(np.clip(levels, 0, 255)[:, None, None, None], (len(labels), 1, SIDE, SIDE)).astype(np.uint8)


@pytest.fixture
def data():
    labels = np.arange(160) % len(NAMES)
    pack = Pack(images(labels, 0), images(labels, 1), (), (), NAMES, labels, labels, np.arange(160), ())
    return Dataset(None, pack, {})


WHOLE = Subset(np.arange(160), np.arange(160))


def source(kind_seed, shift):
    """A source that holds out all its images."""
    labels = np.repeat(np.arange(len(NAMES)), 40)
    rows = np.arange(len(labels))
    return FurtherImages("mine", images(labels, kind_seed, shift), labels, rows[:0], rows)


def test_the_score_is_fitted_without_further_sources(data):
    calibration, probes = calibrate(Encoder(), data, WHOLE, Further(NAMES))
    assert probes.shape == (min(160, PROBES), 1)
    near, far = (
        calibration.score(0.05, calibration.found(0.0, 160)),
        calibration.score(1.0, calibration.found(0.0, 160)),
    )
    assert near > far
    assert calibration.found(0.0, 160) > calibration.threshold
    assert len(calibration.weights) == 3


def test_few_sketches_are_not_outnumbered_by_scribbles(data):
    whole, few = (
        calibrate(Encoder(), data, Subset(np.arange(160), np.arange(n)), Further(NAMES))[0] for n in (160, 20)
    )
    assert few.found(0.0, 160) == pytest.approx(whole.found(0.0, 160), abs=0.05)


def test_photos_of_others_that_lie_further_away_raise_the_score_of_far_ones(data):
    own, _ = calibrate(Encoder(), data, WHOLE, Further(NAMES))
    photos = source(2, 25)
    with_others, _ = calibrate(Encoder(), data, WHOLE, Further(NAMES, photos=(photos,)))
    assert with_others.score(0.5) > own.score(0.5)


@pytest.mark.parametrize("kind", ["sketches", "photos"])
def test_every_second_held_out_image_is_left_for_checking(data, kind):
    plain = source(3, 20)
    fitted, _ = calibrate(Encoder(), data, WHOLE, Further(NAMES, **{kind: (plain,)}))
    for rows, same in ((plain.checking, True), (plain.calibrating, False)):
        changed = plain.images.copy()
        changed[rows] = 255 - changed[rows]
        again, _ = calibrate(Encoder(), data, WHOLE, Further(NAMES, **{kind: (replace(plain, images=changed),)}))
        assert (again == fitted) is same


def test_images_of_things_beyond_the_dataset_do_not_take_part(data):
    own, _ = calibrate(Encoder(), data, WHOLE, Further(NAMES))
    labels = np.full(20, len(NAMES))
    others = FurtherImages("others", images(labels, 4), labels, labels[:0], np.arange(20))
    further = Further(NAMES, ("emu",), (others,), (others,))
    assert calibrate(Encoder(), data, WHOLE, further)[0] == own


def test_a_small_gallery_is_searched_as_a_whole_alone(data):
    few = Subset(np.arange(8), np.arange(8))
    calibration, _ = calibrate(Encoder(), data, few, Further(NAMES))
    assert calibration is not None


def test_the_nearest_photos_come_first():
    distances = np.array([[3.0, 1.0, 2.0]], np.float32)
    near, right = nearest_of(distances, np.array([[True, False, True]]))
    assert near.tolist() == [[1, 2, 3]]
    assert right.tolist() == [[False, True, True]]
