from io import BytesIO
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from sketchy.evaluation.pictures import retrievals_sheet, spread_queries
from sketchy.retrieval.contact_sheet import CAPTION, GAP, RIGHT, TILE, WRONG

COLOURS = ("red", "blue", "yellow")
"""Of the photos of three categories."""


def png(colour):
    content = BytesIO()
    Image.new("RGB", (20, 20), colour).save(content, "PNG")
    return content.getvalue()


class FakeData:
    """Photos 0 to 5, two of each category, in its colour; sketches are black."""

    def __init__(self):
        self.pack = SimpleNamespace(categories=("ant", "bee", "cat"), photo_category=torch.arange(6) // 2)

    def photo_file(self, row):
        return png(COLOURS[row // 2])

    def sketch_file(self, row):
        return png("black")


def evaluated(queries, nearest, photos=(0, 2, 3, 5)):
    return SimpleNamespace(
        queries=SimpleNamespace(categories=torch.tensor(queries)),
        scores=SimpleNamespace(nearest=torch.tensor(nearest)),
        subset=SimpleNamespace(photos=torch.tensor(photos), sketches=torch.arange(len(queries))),
    )


def tile(row, column):
    """Left and top of a photo's tile; column 0 is the sketch."""
    return GAP + (GAP if column else 0) + column * (TILE + GAP), GAP + row * (TILE + CAPTION + GAP)


def test_photos_of_the_category_are_framed_green_and_others_red():
    details = evaluated([1, 0], [[1, 0, 2], [3, 0, 1]])  # places in the gallery of photos 0, 2, 3, 5
    sheet = retrievals_sheet(details, FakeData(), [0, 1])
    for row, columns in enumerate(
        [[(RIGHT, "blue"), (WRONG, "red"), (RIGHT, "blue")], [(WRONG, "yellow"), (RIGHT, "red"), (WRONG, "blue")]]
    ):
        for column, (frame, colour) in enumerate(columns, start=1):
            left, top = tile(row, column)
            assert sheet.getpixel((left + 1, top + 1)) == frame
            assert sheet.getpixel((left + TILE // 2, top + TILE // 2)) == Image.new("RGB", (1, 1), colour).getpixel(
                (0, 0)
            )


def test_queries_are_drawn_in_the_order_asked_for():
    details = evaluated([0, 2], [[0], [3]])
    sheet = retrievals_sheet(details, FakeData(), [1])
    left, top = tile(0, 1)
    assert sheet.getpixel((left + TILE // 2, top + TILE // 2)) == (255, 255, 0)
    assert sheet.height == GAP + TILE + CAPTION + GAP


def test_the_ten_nearest_stand_on_one_line():
    photos = tuple(range(6)) * 2
    sheet = retrievals_sheet(evaluated([0], [list(range(10))], photos), FakeData(), [0])
    assert sheet.height == GAP + TILE + CAPTION + GAP
    assert sheet.width == 2 * GAP + 11 * (TILE + GAP)


@pytest.mark.parametrize(
    ("categories", "count", "chosen"),
    [
        ([0, 0, 1, 2, 1], 8, [0, 2, 3]),
        ([2, 1, 0], 3, [2, 1, 0]),
        ([0, 1, 2, 3, 4, 5, 6, 7], 4, [0, 2, 4, 6]),
        ([0, 1, 2, 3, 4], 2, [0, 2]),
        ([5], 8, [0]),
    ],
)
def test_queries_are_of_different_categories_spread_over_all(categories, count, chosen):
    assert spread_queries(evaluated(categories, [[0]] * len(categories)), count) == chosen
