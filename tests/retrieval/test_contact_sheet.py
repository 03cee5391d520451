import pytest
from PIL import Image

from sketchy.retrieval.contact_sheet import CAPTION, GAP, PAPER, RIGHT, TILE, WRONG, Tile, contact_sheet

SKETCH = Tile(Image.new("L", (60, 30), 255), "sketch.png")


def photo(right: bool | None = None, caption: str = "1  cat\ndistance 0.5") -> Tile:
    return Tile(Image.new("RGB", (30, 60), (0, 0, 255)), caption, right)


@pytest.mark.parametrize(("photos", "lines"), [(0, 1), (1, 1), (5, 1), (6, 2), (10, 2), (11, 3)])
def test_photos_wrap_to_further_lines(photos, lines):
    sheet = contact_sheet([(SKETCH, [photo()] * photos)])
    assert sheet.height == GAP + lines * (TILE + CAPTION + GAP)
    assert sheet.width == 2 * GAP + (1 + min(photos, 5)) * (TILE + GAP)


def test_right_photos_are_framed_green_and_wrong_ones_red():
    sheet = contact_sheet([(SKETCH, [photo(True), photo(False)])])
    first = 2 * GAP + TILE + GAP
    assert sheet.getpixel((first + 1, GAP + 1)) == RIGHT
    assert sheet.getpixel((first + TILE + GAP + 1, GAP + 1)) == WRONG


def test_a_tall_picture_is_centred_and_not_stretched():
    sheet = contact_sheet([(SKETCH, [photo()])])
    left = 2 * GAP + TILE + GAP
    assert sheet.getpixel((left + TILE // 2, GAP + TILE // 2)) == (0, 0, 255)
    assert sheet.getpixel((left + 10, GAP + TILE // 2)) == PAPER


def test_a_long_caption_stays_below_its_own_picture():
    sheet = contact_sheet([(SKETCH, [photo(caption="w" * 200), photo(caption="")])])
    beside = 2 * GAP + 2 * (TILE + GAP)
    text = sheet.crop((beside, GAP + TILE + 1, beside + TILE, GAP + TILE + CAPTION)).getcolors()
    assert text == [((TILE) * (CAPTION - 1), PAPER)]
