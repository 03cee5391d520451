import numpy as np
import pytest
import torch

from sketchy.config_file import load_config
from sketchy.dataset.extra import ExtraSketches
from sketchy.dataset.loader import load_dataset
from sketchy.dataset.training import COPIED_AT_ONCE, Stacked, gather_to, training_images


def test_stacked_arrays_read_as_one():
    both = np.random.default_rng(0).integers(0, 256, (9, 1, 4, 4), dtype=np.uint8)
    stacked = Stacked(both[:5], both[5:])
    for rows in ([0, 8, 4, 5, 0], [1, 2], [7, 6], []):
        assert np.array_equal(stacked[np.array(rows, np.int64)], both[rows])


@pytest.mark.parametrize("stacked", [False, True])
def test_a_copy_on_the_device_gives_the_images_that_the_files_give(stacked):
    whole = np.random.default_rng(0).integers(0, 256, (2 * COPIED_AT_ONCE + 1, 1, 4, 4), dtype=np.uint8)
    pixels = Stacked(whole[:1500].copy(), whole[1500:].copy()) if stacked else whole.copy()
    device = torch.device("cpu")
    streamed, there = gather_to(device, pixels, pixels.nbytes - 1), gather_to(device, pixels, pixels.nbytes)
    for part in (pixels.first, pixels.second) if stacked else (pixels,):
        part[:] = 0  # which the copy does not see
    rows = np.array([2048, 0, 1023, 1024, 1024, 1500])
    assert torch.equal(there(rows), torch.from_numpy(whole[rows]))
    assert not streamed(rows).any()
    assert streamed(rows).dtype == there(rows).dtype == torch.uint8


def test_without_extra_sketches_the_training_part_is_trained_on(tiny_config):
    data = load_dataset(load_config(tiny_config))
    images, sketches, photos = training_images(data, None)
    assert images.sketches is data.pack.sketches
    assert np.array_equal(sketches.rows, data.parts["train"].sketches)
    assert np.array_equal(photos.categories, data.pack.photo_category[data.parts["train"].photos])


def test_extra_sketches_come_behind_the_own_and_trace_nothing(tiny_config):
    data = load_dataset(load_config(tiny_config))
    extra = ExtraSketches(
        images=np.full((4, 1, 16, 16), 7, np.uint8),
        categories=np.array([2, 2, 1, 0]),
        train=np.array([0, 1, 3]),
        test=np.array([2]),
        matched=3,
    )
    images, sketches, photos = training_images(data, extra)
    own = len(data.pack.sketches)
    assert sketches.rows[-3:].tolist() == [own, own + 1, own + 3]
    assert sketches.categories[-3:].tolist() == [2, 2, 0]
    assert images.sketch_photo[-3:].tolist() == [-1] * 3
    assert (images.sketches[sketches.rows[-3:]] == 7).all()
    assert not np.isin(photos.rows, data.parts["test"].photos).any()
