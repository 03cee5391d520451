import numpy as np
import pytest
from PIL import Image, ImageDraw

from sketchy.preprocess import Preprocess
from sketchy.single_mark import is_single_mark

PREPARE = Preprocess(224, "rgb", 0.5, 160)


def drawn(*strokes: list[tuple[int, int]], width: int = 6) -> np.ndarray:
    image = Image.new("L", (512, 512), 255)
    pen = ImageDraw.Draw(image)
    for stroke in strokes:
        pen.line(stroke, fill=0, width=width, joint="curve")
        for x, y in (stroke[0], stroke[-1]):
            pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=0)
    return PREPARE.sketch(image)


@pytest.mark.parametrize("width", [4, 16, 32])
@pytest.mark.parametrize(
    "stroke",
    [
        [(250, 250), (251, 250)],
        [(20, 480), (25, 478)],
        [(100, 100), (400, 100)],
        [(100, 400), (400, 90)],
        [(60, 60), (150, 152), (250, 245), (400, 402)],
    ],
)
def test_a_dot_and_a_line_are_single_marks_with_any_pen(stroke, width):
    assert is_single_mark(drawn(stroke, width=width))


@pytest.mark.parametrize("width", [4, 10, 32])
def test_a_dot_is_a_single_mark_wherever_it_falls_between_the_pixels(width):
    for x, y in np.random.default_rng(0).uniform(600, 640, (8, 2)):
        image = Image.new("L", (2560, 2560), 255)  # of a sheet of 1024 units, seen at 320 pixels
        radius = width * 2.5 / 2
        ImageDraw.Draw(image).ellipse((x - radius, y - radius, x + radius, y + radius), fill=0)
        assert is_single_mark(PREPARE.sketch(image.resize((320, 320), Image.Resampling.BOX)))


def test_a_line_of_an_unsteady_hand_is_a_single_mark():
    assert is_single_mark(drawn([(100, 100), (88, 170), (82, 250), (86, 330), (100, 400)]))


@pytest.mark.parametrize(
    "strokes",
    [
        [[(100, 100), (400, 100)], [(100, 200), (400, 200)]],
        [[(100, 100), (400, 100), (400, 400)]],
        [[(100, 100), (120, 400)], [(300, 100), (305, 105)]],
        [[(256 + round(150 * np.cos(t)), 256 + round(150 * np.sin(t))) for t in np.linspace(0, 6.28, 40)]],
        [[(100, 250), (300, 230), (420, 250), (300, 270), (100, 250)]],
    ],
)
def test_more_than_that_is_a_drawing(strokes):
    assert not is_single_mark(drawn(*strokes))


def test_a_sheet_without_ink_is_no_drawing():
    assert is_single_mark(np.full((1, 64, 64), 255, np.uint8))
