from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from sketchy.errors import ImageError
from sketchy.image import open_image
from sketchy.ink import INK_SPAN, normalise
from sketchy.paper import find_painting

SIZE = 100
SHARED = Path(__file__).parents[2] / "shared"
SKETCHES = SHARED / "sketchy-sample" / "256x256" / "sketch" / "tx_000000000000"
needs_sample = pytest.mark.skipif(not SKETCHES.is_dir(), reason="no ../shared/sketchy-sample")

Drawing = NDArray[np.uint8]


def house(side: int = 256, width: int = 2, ink: str = "black", paper: str = "white") -> Image.Image:
    """A house that spans 0.6 of a square canvas, with a door, smooth as a drawing program draws it."""
    big = Image.new("RGB", (4 * side, 4 * side), paper)
    unit = 4 * side / 10
    draw = ImageDraw.Draw(big)
    for outline in (
        [(2, 5), (5, 2), (8, 5), (2, 5), (2, 8), (8, 8), (8, 5)],
        [(4, 8), (4, 6), (6, 6), (6, 8)],
    ):
        draw.line([(x * unit, y * unit) for x, y in outline], fill=ink, width=4 * width, joint="curve")
    return big.resize((side, side), Image.Resampling.BOX)


def photographed(drawing: Image.Image, seed: int = 0, darkest: float = 0.45) -> Image.Image:
    """A photo of the drawing on a larger sheet, lit from one corner, with noise."""
    width, height = 1000, 750
    sheet = Image.new("L", (width, height), 255)
    sheet.paste(drawing.convert("L").resize((600, 600), Image.Resampling.BICUBIC), (250, 80))
    y, x = np.mgrid[0:height, 0:width]
    light = 220 * (darkest + (1 - darkest) * (0.6 * x / width + 0.4 * y / height))
    shade = light * (0.3 + 0.7 * np.asarray(sheet) / 255)
    noisy = shade[..., np.newaxis] * [1, 0.96, 0.9] + np.random.default_rng(seed).normal(0, 4, (height, width, 1))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def likeness(one: Drawing, other: Drawing) -> float:
    """1 for the same ink, 0 for none in common; strokes may lie a pixel apart."""
    first, second = (
        255.0 - np.asarray(Image.fromarray(drawing).filter(ImageFilter.GaussianBlur(1.5)), float)
        for drawing in (one, other)
    )
    return float((first * second).sum() / np.sqrt((first**2).sum() * (second**2).sum()))


def box(drawing: Drawing) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the ink."""
    rows, columns = np.nonzero(drawing < 128)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


HOUSE = normalise(house(), SIZE, crop=1)


def test_a_drawing_is_dark_on_white_in_the_requested_size() -> None:
    for size in (16, 100, 300):
        drawing = normalise(house(), size, crop=0)
        assert drawing.shape == (size, size)
        assert drawing.dtype == np.uint8
        assert drawing.min() < 40
        assert np.median(drawing) == 255


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ("white", "black"),
        ("#2040c0", "#f8f0c8"),
        ("yellow", "white"),
        ("#e8e8e8", "white"),
        ("#606060", "black"),
        ("red", "#008080"),
        ("black", "#707070"),
    ],
)
def test_the_colours_of_ink_and_paper_do_not_matter(ink: str, paper: str) -> None:
    assert np.abs(normalise(house(ink=ink, paper=paper), SIZE, crop=1).astype(int) - HOUSE).max() <= 12


@pytest.mark.parametrize("crop", [0, 0.5, 1])
def test_inverting_a_drawing_changes_nothing(crop: float) -> None:
    drawing = house(width=3)
    assert np.array_equal(normalise(ImageOps.invert(drawing), SIZE, crop), normalise(drawing, SIZE, crop))
    grey = drawing.convert("L")
    assert np.array_equal(normalise(ImageOps.invert(grey), SIZE, crop), normalise(grey, SIZE, crop))


def test_a_canvas_of_the_requested_size_stays_the_same() -> None:
    drawing = house(SIZE, width=2).convert("L")
    assert np.abs(normalise(drawing, SIZE, crop=0).astype(int) - np.asarray(drawing)).max() <= 26


@pytest.mark.parametrize("side", [800, 2000, 4000])
def test_a_line_of_one_pixel_on_a_huge_canvas_stays_black(side: int) -> None:
    image = Image.new("L", (side, side), 255)
    ImageDraw.Draw(image).rectangle((side // 5, side // 5, side * 4 // 5, side * 4 // 5), outline=0, width=1)
    plain = np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BOX))
    drawing = normalise(image, SIZE, crop=0)
    assert plain.min() > 190  # what shrinking alone leaves
    for edge in (drawing[19:22, 25:75], drawing[79:82, 25:75], drawing[25:75, 19:22].T, drawing[25:75, 79:82].T):
        assert (edge.min(axis=0) < 128).all()


@pytest.mark.parametrize("side", [400, 3000])
def test_a_small_drawing_in_a_corner_is_cropped_and_looks_like_a_large_one(side: int) -> None:
    canvas = Image.new("RGB", (side, side * 3 // 4), "white")
    canvas.paste(house(120), (side - 120, 0))
    drawing = normalise(canvas, SIZE, crop=0.5)
    left, top, right, bottom = box(drawing)
    assert max(right - left, bottom - top) == pytest.approx(INK_SPAN * SIZE, abs=3)
    assert (left + right) / 2 == pytest.approx(SIZE / 2, abs=2)
    assert (top + bottom) / 2 == pytest.approx(SIZE / 2, abs=2)
    assert likeness(drawing, HOUSE) > 0.9


def test_only_a_drawing_that_spans_little_of_the_canvas_is_cropped() -> None:
    drawing = house()  # spans 0.6
    whole = normalise(drawing, SIZE, crop=0)
    assert np.array_equal(normalise(drawing, SIZE, crop=0.5), whole)
    assert np.array_equal(normalise(drawing, SIZE, crop=0.7), HOUSE)
    assert box(whole)[0] == pytest.approx(20, abs=1)
    assert box(HOUSE)[0] == pytest.approx(SIZE * (1 - INK_SPAN) / 2, abs=2)


def test_dust_does_not_affect_the_crop() -> None:
    clean, dusty = (Image.new("L", (600, 600), 255) for _ in range(2))
    for canvas in (clean, dusty):
        canvas.paste(house(200).convert("L"), (80, 80))
    dusty.paste(0, (590, 590, 593, 593))
    assert np.array_equal(normalise(dusty, SIZE, crop=0.5), normalise(clean, SIZE, crop=0.5))


def test_a_drawing_that_covers_its_canvas_is_stretched_as_a_photo_is():
    scene = Image.new("L", (300, 200), 255)
    draw = ImageDraw.Draw(scene)
    draw.line([(5, 20), (294, 20)], width=3)
    draw.line([(150, 5), (150, 194)], width=3)
    assert box(normalise(scene, SIZE, crop=0.5))[1] > SIZE / 8  # paper above and below it
    left, top, right, bottom = box(normalise(scene, SIZE, crop=0.5, stretch=0.8))
    assert max(left, top) <= 3
    assert min(right, bottom) >= SIZE - 3
    assert np.array_equal(normalise(house(), SIZE, 0.5, stretch=0.9), normalise(house(), SIZE, 0.5))


def test_a_drawing_that_covers_its_canvas_in_one_direction_keeps_its_proportions():
    wide = Image.new("L", (300, 200), 255)
    ImageDraw.Draw(wide).rectangle((5, 60, 294, 140), outline=0, width=3)
    assert np.array_equal(normalise(wide, SIZE, 0.5, stretch=0.8), normalise(wide, SIZE, 0.5))


@pytest.mark.parametrize("shape", [(600, 150), (150, 600)])
def test_a_long_canvas_gets_paper_at_its_short_sides(shape: tuple[int, int]) -> None:
    image = Image.new("L", shape, 255)
    middle = (shape[0] // 2, shape[1] // 2)
    radius = 60
    ImageDraw.Draw(image).ellipse(
        (middle[0] - radius, middle[1] - radius, middle[0] + radius, middle[1] + radius), outline=0, width=6
    )
    left, top, right, bottom = box(normalise(image, SIZE, crop=0))
    assert right - left == pytest.approx(20, abs=1)
    assert bottom - top == pytest.approx(20, abs=1)
    assert (left + right, top + bottom) == pytest.approx((SIZE, SIZE), abs=1)


def test_ink_that_touches_the_border_is_kept() -> None:
    image = Image.new("L", (256, 256), 255)
    ImageDraw.Draw(image).rectangle((0, 0, 255, 255), outline=0, width=4)
    drawing = normalise(image, SIZE, crop=1)
    left, top, right, bottom = box(drawing)
    assert min(right - left, bottom - top) == pytest.approx(INK_SPAN * SIZE, abs=2)


@pytest.mark.parametrize("ink", ["black", "white"])
def test_a_filled_shape_of_half_the_canvas_is_ink(ink: str) -> None:
    image = Image.new("L", (256, 256), "white" if ink == "black" else "black")
    ImageDraw.Draw(image).ellipse((20, 20, 236, 236), fill=ink)
    drawing = normalise(image, SIZE, crop=0)
    assert drawing[50, 50] == 0
    assert drawing[2, 2] == 255


@pytest.mark.parametrize(
    "image",
    [
        Image.new("L", (256, 256), 255),
        Image.new("L", (256, 256), 0),
        Image.new("RGB", (1, 1), "red"),
        Image.new("L", (5000, 1), 255),
        Image.fromarray(np.random.default_rng(0).integers(253, 256, (256, 256), np.uint8)),
        photographed(Image.new("L", (256, 256), 255), darkest=0.7),
    ],
    ids=["white", "black", "one pixel", "one row", "noise", "photo of blank paper"],
)
@pytest.mark.parametrize("crop", [0, 0.5, 1])
def test_a_blank_canvas_is_an_image_error(image: Image.Image, crop: float) -> None:
    with pytest.raises(ImageError, match="the sketch is blank"):
        normalise(image, SIZE, crop)


@pytest.mark.parametrize("side", [97, 300])
def test_a_single_dot_is_an_error_if_it_would_be_invisible(side: int) -> None:
    image = Image.new("L", (side, side), 255)
    image.putpixel((side // 2, side // 3), 0)
    dot = normalise(image, SIZE, crop=1)
    assert dot.min() < 128
    with pytest.raises(ImageError, match="the sketch is blank: its ink is too small to show at 16x16 pixels"):
        normalise(image, 16, crop=0)


def test_odd_canvases_give_a_drawing_or_an_image_error() -> None:
    generator = np.random.default_rng(0)
    outcomes = []
    for number in range(90):
        width, height = np.exp(generator.uniform(0, np.log(300), 2)).astype(int)
        pixels = np.full((height, width), generator.integers(256), np.uint8)
        if number % 3 == 0:
            pixels = generator.integers(0, 256, (height, width)).astype(np.uint8)
        pixels[generator.integers(height), generator.integers(width)] = generator.integers(256)
        try:
            outcomes.append(normalise(Image.fromarray(pixels), 16, generator.choice([0, 0.5, 1])).min() < 200)
        except ImageError:
            outcomes.append(None)
    assert None in outcomes
    assert False not in outcomes
    assert True in outcomes


def chalk_on_a_board(drawing: Image.Image) -> Image.Image:
    return ImageOps.invert(photographed(drawing))


def paper_on_a_dark_desk(drawing: Image.Image) -> Image.Image:
    photo = photographed(drawing)
    y, x = np.mgrid[0 : photo.height, 0 : photo.width]
    desk = (x < 90) | (y > 700)
    pixels = np.asarray(photo).copy()
    pixels[desk] = np.random.default_rng(1).normal([70, 45, 30], 8, (int(desk.sum()), 3)).clip(0, 255)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("shot", [photographed, chalk_on_a_board, paper_on_a_dark_desk])
def test_a_photo_under_uneven_light_gives_only_the_drawing(shot: Callable[[Image.Image], Image.Image]) -> None:
    photo = shot(house(width=3))
    plain = np.asarray(photo.convert("L").resize((SIZE, SIZE), Image.Resampling.BOX))
    drawing = normalise(photo, SIZE, crop=1)
    assert likeness(plain, HOUSE) < 0.6
    assert likeness(drawing, HOUSE) > 0.95
    assert (drawing[:8] == 255).all()


def sample(count: int) -> list[Image.Image]:
    paths = sorted(SKETCHES.rglob("*.png"))
    return [open_image(path) for path in paths[:: len(paths) // count]]


@needs_sample
def test_sketches_of_the_database_are_only_resized() -> None:
    for sketch in sample(60):
        resized = np.asarray(sketch.resize((SIZE, SIZE), Image.Resampling.BOX))
        drawing = normalise(sketch, SIZE, crop=0)
        assert np.corrcoef(drawing.ravel(), resized.ravel())[0, 1] > 0.96


@needs_sample
def test_sketches_of_the_database_are_recovered_from_photos_of_paper() -> None:
    for number, sketch in enumerate(sample(6)):
        assert likeness(normalise(photographed(sketch, number), SIZE, 1), normalise(sketch, SIZE, 1)) > 0.9


def page(paper: str = "white") -> Image.Image:
    """A clean page with the house in its middle, and room around it."""
    canvas = Image.new("RGB", (640, 640), paper)
    canvas.paste(house(480, width=4, paper=paper), (80, 80))
    return canvas


def on(pattern: Image.Image) -> Image.Image:
    """The house drawn on a page that has a pattern."""
    return ImageChops.darker(page(), pattern)


def lined(color: str, squared: bool = False, askew: float = 0, width: int = 1, margin: bool = False) -> Image.Image:
    """A ruled or squared page."""
    sheet = Image.new("RGB", (960, 960), "white")
    draw = ImageDraw.Draw(sheet)
    for at in range(15, 960, 24):
        draw.line((0, at, 960, at), fill=color, width=width)
        if squared:
            draw.line((at, 0, at, 960), fill=color, width=width)
    if margin:
        draw.line((240, 0, 240, 960), fill="#f07878", width=2)
    return sheet.rotate(askew, Image.Resampling.BICUBIC).crop((160, 160, 800, 800))


def dotted(color: str) -> Image.Image:
    sheet = Image.new("RGB", (640, 640), "white")
    draw = ImageDraw.Draw(sheet)
    for x in range(10, 640, 20):
        for y in range(10, 640, 20):
            draw.ellipse((x - 1, y - 1, x + 1, y + 1), fill=color)
    return sheet


def checkered(light: int, dark: int) -> Image.Image:
    y, x = np.mgrid[0:640, 0:640] // 16
    return Image.fromarray(np.where((x + y) % 2, light, dark).astype(np.uint8)).convert("RGB")


def staves() -> Image.Image:
    sheet = Image.new("RGB", (640, 640), "white")
    draw = ImageDraw.Draw(sheet)
    for top in range(30, 600, 80):
        for line in range(5):
            draw.line((20, top + 8 * line, 620, top + 8 * line), fill="#404040")
    return sheet


PATTERNS = {
    "ruled, hardly visible": lined("#fcfcfc"),
    "ruled": lined("#aac8eb"),
    "squared": lined("#d7d7d7", squared=True),
    "squared, as dark as the pen": lined("#202020", squared=True),
    "ruled askew, with a margin": lined("#aac8eb", askew=1.2, margin=True),
    "legal pad": ImageChops.multiply(lined("#7896aa", margin=True), Image.new("RGB", (640, 640), "#fff096")),
    "dotted": dotted("#bebebe"),
    "dotted, as dark as the pen": dotted("black"),
    "checkerboard of transparency": checkered(255, 204),
    "checkerboard of high contrast": checkered(230, 120),
    "staves": staves(),
}


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_the_printed_pattern_of_a_page_is_not_ink(pattern: Image.Image) -> None:
    assert likeness(normalise(on(pattern), SIZE, crop=1), HOUSE) > 0.92


@pytest.mark.parametrize("pattern", ["ruled", "squared", "dotted"])
def test_a_drawing_that_fills_the_page_keeps_no_pattern(pattern: str) -> None:
    """Strokes reach more than seven tenths of the page, so that what most of it shows is not the pattern alone."""

    def filled(paper: Image.Image) -> Image.Image:
        sheet = paper.copy()
        draw = ImageDraw.Draw(sheet)
        for inset in range(25, 320, 75):
            draw.ellipse((inset, inset, 640 - inset, 640 - inset), outline="#202020", width=5)
        draw.line((30, 40, 610, 590), fill="#202020", width=5)
        draw.line((30, 600, 610, 50), fill="#202020", width=5)
        return sheet

    clean = normalise(filled(Image.new("RGB", (640, 640), "white")), SIZE, crop=1)
    assert likeness(normalise(filled(PATTERNS[pattern]), SIZE, crop=1), clean) > 0.92


def noisy(image: Image.Image, sigma: float) -> Image.Image:
    pixels = np.asarray(image) + np.random.default_rng(0).normal(0, sigma, (image.height, image.width, 1))
    return Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("paper", ["white", "#f6f5f0"])
@pytest.mark.parametrize("sigma", [0.5, 0.75, 1, 1.5, 2, 2.5, 3, 4, 5])
def test_the_noise_of_a_scan_is_not_ink(sigma: float, paper: str) -> None:
    scan = page(paper).resize((800, 800))
    for image in (noisy(scan, sigma), noisy(ImageOps.invert(scan), sigma)):
        assert likeness(normalise(image, SIZE, crop=1), HOUSE) > 0.97


def test_dithering_and_noise_on_a_pattern_are_not_ink() -> None:
    dithered = page("#f4f4f4").convert("L").convert("1").convert("L")
    assert likeness(normalise(dithered, SIZE, crop=1), HOUSE) > 0.97
    assert likeness(normalise(noisy(on(lined("#c8d7eb", squared=True)), 2), SIZE, crop=1), HOUSE) > 0.97


@pytest.mark.parametrize("pattern", [lined("#d7d7d7", squared=True), dotted("#202020")], ids=["squared", "dotted"])
def test_a_small_drawing_on_a_large_patterned_page_is_cropped(pattern: Image.Image) -> None:
    sheet = Image.new("RGB", (1920, 1920), "white")
    for x in range(0, 1920, 640):
        for y in range(0, 1920, 640):
            sheet.paste(pattern, (x, y))
    drawing = Image.new("RGB", sheet.size, "white")
    drawing.paste(house(700, width=6), (1100, 900))
    assert likeness(normalise(ImageChops.darker(sheet, drawing), SIZE, crop=0.5), HOUSE) > 0.9


def test_faint_strokes_beside_dark_ones_stay_ink() -> None:
    """Pale hairlines all over the canvas, and a filled shape: not regular enough for a pattern."""
    image = Image.new("L", (640, 640), 255)
    draw = ImageDraw.Draw(image)
    draw.ellipse((250, 250, 390, 390), fill=0)
    for radius in (180, 240, 300):
        draw.ellipse((320 - radius, 320 - radius, 320 + radius, 320 + radius), outline=200, width=3)
    drawing = normalise(image, SIZE, crop=0)
    assert drawing[50, 50] == 0
    for radius in (180, 240, 300):
        at = 50 - radius * SIZE // 640
        assert drawing[50, at - 1 : at + 2].min() < 128


def test_the_outlines_of_a_painted_picture_are_the_drawing() -> None:
    scene = house(480, width=3, paper="#87ceeb").crop((85, 85, 395, 440))
    for at in ((155, 100), (30, 250)):  # roof, wall
        ImageDraw.floodfill(scene, at, (220, 40, 40))
    scene.paste("#50a046", (0, 302, 310, 355))
    ink, _ = find_painting(scene).ink(scene, (0, 0, *scene.size), 1)
    assert likeness(normalise(ImageOps.invert(ink), SIZE, crop=1), HOUSE) > 0.8


def framed_in_black() -> Image.Image:
    """As a picture viewer shows a drawing on a wide screen."""
    screen = Image.new("RGB", (910, 512))
    screen.paste(house(512), (199, 0))
    return screen


def between_two_pages() -> Image.Image:
    """A scan of a book, with a shadow where the pages meet."""
    spread = Image.new("RGB", (1024, 512), "white")
    spread.paste(house(512), (512, 0))
    shadow = 1 - 0.5 * np.exp(-np.abs(np.arange(1024) - 490) / 15)
    return Image.fromarray((np.asarray(spread) * shadow[:, np.newaxis]).astype(np.uint8))


@pytest.mark.parametrize("image", [framed_in_black(), between_two_pages()], ids=["screen", "book"])
def test_dark_borders_and_shadows_of_folds_are_not_ink(image: Image.Image) -> None:
    assert likeness(normalise(image, SIZE, 1), normalise(house(), SIZE, 1)) > 0.97
