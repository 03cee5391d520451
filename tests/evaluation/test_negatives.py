import numpy as np

from sketchy.evaluation.negatives import halved, scribbles


def test_scribbles_are_drawn_with_ink_on_white_and_are_the_same_for_a_seed():
    drawn = scribbles(12, 48, seed=3)
    assert drawn.shape == (12, 1, 48, 48)
    assert drawn.dtype == np.uint8
    assert ((drawn < 128).sum((1, 2, 3)) > 0).all()
    assert np.median(drawn) == 255
    np.testing.assert_array_equal(drawn, scribbles(12, 48, seed=3))
    assert not np.array_equal(drawn, scribbles(12, 48, seed=4))


def test_half_of_a_drawing_is_missing_on_any_side():
    whole = np.full((40, 1, 32, 32), 255, np.uint8)
    whole[:, :, 8:24, 8:24] = 0
    halves = halved(whole)
    left = (halves == 0).sum((1, 2, 3))
    assert set(left.tolist()) <= {112, 128, 144}  # 7, 8 or 9 of 16 rows or columns
    assert len({half.tobytes() for half in halves}) == 4
    assert (whole == 0).sum() == 40 * 256


def test_a_blank_sketch_has_no_half():
    blank = np.full((1, 1, 8, 8), 255, np.uint8)
    np.testing.assert_array_equal(halved(blank), blank)
