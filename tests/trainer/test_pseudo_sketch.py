import numpy as np
import torch

from sketchy.trainer.pseudo_sketch import PseudoSketches, pseudo_sketches


def boxes(count: int = 12) -> np.ndarray:
    """Photos of one bright box on dark ground."""
    images = np.full((count, 3, 64, 64), 30, np.uint8)
    images[:, :, 16:48, 16:48] = 220
    return images


def draw(photos: np.ndarray, seed: int = 0) -> np.ndarray:
    return pseudo_sketches(torch.from_numpy(photos), 48, torch.Generator().manual_seed(seed)).numpy()


def test_the_edge_of_a_thing_becomes_lines_on_a_white_sheet():
    ink = draw(boxes()) < 128
    assert ink.shape == (12, 1, 48, 48)
    drawn = ink.any(0)[0]
    assert drawn[8:16, 16:32].any()
    assert drawn[32:40, 16:32].any()
    assert not drawn[20:28, 20:28].any()
    assert not drawn[:4].any()
    assert 0.005 < ink.mean() < 0.1


def test_each_drawing_is_incomplete_and_displaced_in_its_own_way():
    sketches = draw(boxes())
    assert len({sketch.tobytes() for sketch in sketches}) == len(sketches)


def test_a_photo_without_edges_gives_a_white_sheet():
    assert (draw(np.full((2, 1, 64, 64), 77, np.uint8)) == 255).all()


def test_the_same_seed_draws_the_same_of_a_pack():
    photos = boxes()
    one, other = PseudoSketches(photos, 32, 4), PseudoSketches(photos, 32, 4)
    rows = np.array([3, 1])
    assert len(one) == len(photos)
    np.testing.assert_array_equal(one[rows], other[rows])
    assert (one[rows] != PseudoSketches(photos, 32, 5)[rows]).any()
