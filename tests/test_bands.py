import numpy as np
import pytest
from PIL import Image, ImageDraw

from sketchy.bands import crop_dark_borders, remove_bands

PAGE = (200, 300)


def page_with_border(left: int, top: int, right: int, bottom: int, scale: int = 1) -> Image.Image:
    width, height = PAGE
    image = Image.new("RGB", (width + left + right, height + top + bottom), (8, 8, 8))
    page = Image.new("RGB", PAGE, (240, 238, 230))
    ImageDraw.Draw(page).line((20, 20, 180, 280), fill="black", width=4)
    image.paste(page, (left, top))
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)


@pytest.mark.parametrize("border", [(100, 0, 100, 0), (0, 80, 0, 80), (9, 0, 0, 0), (0, 0, 70, 90), (30, 30, 30, 30)])
@pytest.mark.parametrize("scale", [1, 5])
def test_dark_borders_of_a_light_page_are_removed(border: tuple[int, int, int, int], scale: int) -> None:
    cropped = crop_dark_borders(page_with_border(*border, scale))
    assert all(0.96 * scale * side <= found <= scale * side for side, found in zip(PAGE, cropped.size, strict=True))
    assert np.asarray(cropped)[[0, -1]].min() > 200


@pytest.mark.parametrize("level", [43, 83, 150])
def test_the_canvas_of_a_drawing_program_is_cut_out_of_a_screenshot(level: int) -> None:
    screen = Image.new("RGB", (500, 400), (level, level, level))
    draw = ImageDraw.Draw(screen)
    for x in range(10, 180, 24):
        draw.rectangle((x, 8, x + 12, 20), outline=(230, 230, 230))
    screen.paste(page_with_border(0, 0, 0, 0), (150, 60))
    cropped = crop_dark_borders(screen)
    assert all(side - 4 <= found <= side for side, found in zip(PAGE, cropped.size, strict=True))


def test_an_image_without_a_dark_border_stays_the_same() -> None:
    chalk = Image.new("L", (100, 100))
    ImageDraw.Draw(chalk).rectangle((30, 30, 70, 70), outline=255, width=3)
    filled = Image.new("L", (100, 100))
    ImageDraw.Draw(filled).rectangle((30, 30, 70, 70), fill=255)
    for image in (page_with_border(0, 0, 0, 0), chalk, filled, Image.new("L", (1, 1)), Image.new("L", (50, 3))):
        assert crop_dark_borders(image) is image


@pytest.mark.parametrize("turned", [False, True])
def test_the_shadow_of_a_fold_is_removed_and_strokes_on_it_remain(turned: bool) -> None:
    shadow = 120 * np.exp(-np.abs(np.arange(200) - 100) / 10)
    distance = Image.fromarray(np.tile(shadow.astype(np.uint8), (100, 1)))
    ImageDraw.Draw(distance).line((60, 50, 140, 50), fill=255, width=3)
    pixels = np.asarray(remove_bands(distance.transpose(Image.Transpose.TRANSPOSE) if turned else distance))
    pixels = pixels.T if turned else pixels
    assert pixels[:40].max() < 3
    assert pixels[50, 60:140].min() >= 135


def test_a_stroke_that_does_not_cross_the_page_is_no_shadow() -> None:
    distance = Image.new("L", (100, 100))
    ImageDraw.Draw(distance).line((50, 0, 50, 90), fill=255, width=3)
    assert remove_bands(distance) is distance
