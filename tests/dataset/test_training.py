import numpy as np
import pytest
import torch

from sketchy.config_file import load_config
from sketchy.dataset.drawings import Drawings
from sketchy.dataset.further import Further, FurtherImages
from sketchy.dataset.loader import load_dataset
from sketchy.dataset.training import COPIED_AT_ONCE, Stacked, gather_to, training_set


def test_stacked_arrays_read_as_one():
    both = np.random.default_rng(0).integers(0, 256, (9, 1, 4, 4), dtype=np.uint8)
    stacked = Stacked([both[:5], both[5:7], both[7:]])
    for rows in ([0, 8, 4, 5, 0], [1, 2], [7, 6], []):
        assert np.array_equal(stacked[np.array(rows, np.int64)], both[rows])


@pytest.mark.parametrize("stacked", [False, True])
def test_a_copy_on_the_device_gives_the_images_that_the_files_give(stacked):
    whole = np.random.default_rng(0).integers(0, 256, (2 * COPIED_AT_ONCE + 1, 1, 4, 4), dtype=np.uint8)
    pixels = Stacked([whole[:1500].copy(), whole[1500:].copy()]) if stacked else whole.copy()
    device = torch.device("cpu")
    streamed, there = gather_to(device, pixels, pixels.nbytes - 1), gather_to(device, pixels, pixels.nbytes)
    for part in pixels.parts if stacked else (pixels,):
        part[:] = 0  # which the copy does not see
    rows = np.array([2048, 0, 1023, 1024, 1024, 1500])
    assert torch.equal(there(rows), torch.from_numpy(whole[rows]))
    assert not streamed(rows).any()
    assert streamed(rows).dtype == there(rows).dtype == torch.uint8


def test_without_further_sources_the_training_part_is_trained_on(tiny_config):
    data = load_dataset(load_config(tiny_config))
    images, sketches, photos = training_set(data, Further(data.pack.categories))
    assert images.sketches is data.pack.sketches
    assert np.array_equal(sketches.rows, data.parts["train"].sketches)
    assert np.array_equal(photos.categories, data.pack.photo_category[data.parts["train"].photos])


def further_images(images, categories, train):
    rest = np.setdiff1d(np.arange(len(categories)), train)
    return FurtherImages("further", images, np.array(categories), np.array(train), rest)


def test_further_images_come_behind_the_own_and_drawings_behind_all_sketches(tiny_config):
    data = load_dataset(load_config(tiny_config))
    lines = np.arange(8, dtype=np.int16).reshape(4, 2)
    drawings = Drawings(16, lines, np.array([0, 2, 4]), np.array([0, 1, 2]))
    further = Further(
        data.pack.categories,
        ("zebra",),
        sketches=(
            further_images(drawings, [3, 1], [0]),
            further_images(np.full((4, 1, 16, 16), 7, np.uint8), [2, 2, 1, 0], [0, 1, 3]),
        ),
        photos=(further_images(np.full((2, *data.pack.photos.shape[1:]), 9, np.uint8), [1, 2], [1]),),
    )
    images, sketches, photos = training_set(data, further, 0.5)
    own = len(data.pack.sketches)
    assert sketches.rows[-4:].tolist() == [own, own + 1, own + 3, own + 4]
    assert sketches.categories[-4:].tolist() == [2, 2, 0, 3]
    assert images.sketch_photo[-6:].tolist() == [-1] * 6
    assert (images.sketches[sketches.rows[-4:-1]] == 7).all()
    assert len(images.sketches) == own + 4
    assert (len(images.drawings), images.drawings.altered) == (2, 0.5)
    assert photos.rows[-1] == len(data.pack.photos) + 1
    assert (images.photos[photos.rows[-1:]] == 9).all()
    assert not np.isin(photos.rows, data.parts["test"].photos).any()
