import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sketchy.dataset.strokes import EXTENT, Drawing, altered, first_part, parse, render
from sketchy.preprocess import Preprocess


def made(*strokes) -> Drawing:
    line = {"word": "thing", "drawing": [list(zip(*stroke, strict=True)) for stroke in strokes]}
    return parse(json.dumps(line).encode())[1]


HOUSE = made([(0, 100), (0, 40), (50, 0), (100, 40), (100, 100), (0, 100)], [(40, 100), (40, 70), (60, 70), (60, 100)])


def test_a_rendered_drawing_looks_like_the_same_drawing_as_an_image():
    canvas = Image.new("L", (256, 256), 255)
    for stroke in HOUSE.strokes():
        points = 128 + (stroke.astype(float) / EXTENT - 0.5) * 0.785 * 256
        ImageDraw.Draw(canvas).line(points.ravel().tolist(), fill=0, width=2)
    image = Preprocess(160, "rgb", 0.5).sketch(canvas)[0]
    ours = render(HOUSE, 160)
    assert ours.shape == (160, 160)
    assert ours.dtype == np.uint8
    near = np.array(Image.fromarray(image).resize((20, 20), Image.Resampling.BOX), float)
    assert np.abs(near - np.array(Image.fromarray(ours).resize((20, 20), Image.Resampling.BOX), float)).max() < 60
    assert (255 - ours.astype(int)).sum() == pytest.approx((255 - image.astype(int)).sum(), rel=0.2)


def test_the_scale_of_the_coordinates_does_not_matter():
    small = [(x / 1000, y / 1000) for x, y in [(0, 0), (10, 3), (4, 9)]]
    large = [(500 + x * 1_000_000, y * 1_000_000) for x, y in small]
    assert np.array_equal(render(made(small), 32), render(made(large), 32))


def test_a_single_point_is_a_dot():
    dot = render(made([(3, 3)]), 32)
    assert 0 < (dot < 128).sum() <= 4


def test_a_wider_pen_leaves_more_ink():
    ink = [(render(HOUSE, 64, pen) < 128).sum() for pen in (0.01, 0.03, 0.06)]
    assert ink == sorted(ink)
    assert ink[0] * 2 < ink[2]


@pytest.mark.parametrize(("share", "strokes"), [(0.1, 1), (0.5, 1), (0.75, 2), (1.0, 2)])
def test_a_part_of_a_drawing_has_its_first_strokes(share, strokes):
    part = first_part(HOUSE, share)
    assert len(part.starts) == strokes
    assert np.array_equal(part.points, HOUSE.points[: len(part.points)])


def test_an_altered_drawing_has_strokes_and_another_pen():
    found = [altered(HOUSE, np.random.default_rng(seed)) for seed in range(100)]
    assert {len(drawing.starts) for drawing, _ in found} == {1, 2}
    assert len({pen for _, pen in found}) == 100
    assert any(len(drawing.points) < len(HOUSE.points) for drawing, _ in found)
    assert all((render(drawing, 32, pen) < 200).any() for drawing, pen in found)


@pytest.mark.parametrize("value", ["1e400", "NaN", '"a"', "[1]"])
def test_coordinates_that_are_no_numbers_are_refused(value):
    with pytest.raises(ValueError, match="not a drawing"):
        parse(f'{{"word": "a", "drawing": [[[0, {value}], [1, 2]]]}}'.encode())


def test_a_drawing_without_points_is_refused():
    with pytest.raises(ValueError, match="a drawing without points"):
        parse(b'{"word": "a", "drawing": []}')
