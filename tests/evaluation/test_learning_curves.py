import math

from sketchy.evaluation.learning_curves import HEIGHT, WIDTH, Curve, learning_curves
from sketchy.results import EpochResult


def history(**columns):
    return [
        EpochResult(epoch, dict(zip(columns, values, strict=True)))
        for epoch, values in enumerate(zip(*columns.values(), strict=True), start=1)
    ]


def test_a_curve_goes_from_left_to_right_and_the_highest_value_is_at_the_top():
    (panel,) = learning_curves(history(loss=[4.0, 2.0, 1.0]))
    assert (panel.title, panel.low, panel.high) == ("loss", 0.0, 4.0)
    path = f"M0.0 0.0L{WIDTH / 2:.1f} {HEIGHT / 2:.1f}L{WIDTH:.1f} {HEIGHT * 3 / 4:.1f}"
    assert panel.curves == (Curve("loss", path, 1.0),)


def test_curves_of_one_panel_share_their_scale():
    (panel,) = learning_curves(history(positive_distance=[0.5, 0.5], negative_distance=[1.0, 1.0]))
    assert [curve.label for curve in panel.curves] == ["of one category", "of two categories"]
    assert panel.curves[0].path == f"M0.0 {HEIGHT / 2:.1f}L{WIDTH:.1f} {HEIGHT / 2:.1f}"
    assert panel.curves[1].path == f"M0.0 0.0L{WIDTH:.1f} 0.0"


def test_values_that_are_not_finite_are_left_out_and_one_alone_is_a_dot():
    (panel,) = learning_curves(history(loss=[math.nan, 2.0, math.inf], val_map_all=[math.nan] * 3))
    assert panel.curves == (Curve("loss", f"M{WIDTH / 2:.1f} 0.0h0", 2.0),)


def test_negative_values_extend_the_scale_and_zeros_are_no_error():
    assert learning_curves(history(loss=[-1.0, 1.0]))[0].low == -1
    assert learning_curves(history(loss=[0.0]))[0].curves[0].path == "M0.0 0.0h0"


def test_without_any_history_there_are_no_curves():
    assert learning_curves([]) == []
    assert learning_curves(history(seconds=[1.0])) == []
