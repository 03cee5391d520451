#!/usr/bin/env python3
"""Measure what becomes of drawings on the way to the model: scanned, on patterned pages, transparent, photographed.

Usage: .venv/bin/python scripts/check_ink.py [--sketches DIR] [--only WORD] [--count N] [--json]
Every situation is made from the same sketches. Cosine: mean and least, of the embedding with that of the clean twin,
the same drawing as plain black on white. P@5: over demo photos of the same categories. --sketches is a folder of
<category>/<sketch>, of whose categories those of the demo set are taken; without it the demo sketches are used.
"""

import argparse
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from sketchy.demo import CATEGORIES, draw_pair
from sketchy.errors import ImageError
from sketchy.image import Kind, open_image
from sketchy.inference.bundled import BUNDLED
from sketchy.retrieval.model import load_model

SIDE = 1024
PHOTOS = 6
"""Photos of each category in the gallery."""
A4 = (8.27, 11.69)
"""Inches."""
Color = tuple[int, int, int]
Mask = Image.Image
"""Mode L: 255 ink, 0 none."""
Situation = Callable[[Mask, Generator], Image.Image]

WHITE, BLACK, PEN = (255, 255, 255), (0, 0, 0), (40, 40, 60)
FRAMED = 70
"""Pixels around a page that frames and captions use."""


def inked(paper: Image.Image | Color, color: Color, mask: Mask, share: float = 1) -> Image.Image:
    """Draw the mask in one colour; `share` is how much the pen covers."""
    page = Image.new("RGB", mask.size, paper) if isinstance(paper, tuple) else paper.copy()
    page.paste(color, mask=mask.point(lambda level: level * share))
    return page


def grainy(image: Image.Image, sigma: float, rng: Generator) -> Image.Image:
    """Add the same noise to all channels, from one tile: a page of 600 dpi has 35 megapixels."""
    tile = np.round(rng.normal(0, sigma, (640, 640))).astype(np.int16)
    pixels = np.asarray(image)
    rows, columns = (-(-side // 640) for side in pixels.shape[:2])
    noise = np.tile(tile, (rows, columns))[: pixels.shape[0], : pixels.shape[1]]
    noise = noise if pixels.ndim == 2 else noise[..., np.newaxis]
    return Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))


def jpeg(image: Image.Image, quality: int = 90, exif: Image.Exif | None = None) -> Image.Image:
    """Write as JPEG and open that as a user's file is opened."""
    content = io.BytesIO()
    image.save(content, "JPEG", quality=quality, exif=exif or Image.Exif())
    return open_image(content.getvalue())


def opened(image: Image.Image) -> Image.Image:
    """Write as PNG and open that as a user's file is opened."""
    content = io.BytesIO()
    image.save(content, "PNG", compress_level=1)
    return open_image(content.getvalue())


def page_of(mask: Mask, dpi: int) -> Mask:
    """Lay the drawing on the upper half of a sheet of A4."""
    width, height = (round(inches * dpi) for inches in A4)
    side = round(0.8 * width)
    page = Image.new("L", (width, height))
    page.paste(mask.resize((side, side), Image.Resampling.BICUBIC), (width // 10, height // 8))
    return page


def scan(dpi: int, sigma: float) -> Situation:
    def draw(mask: Mask, rng: Generator) -> Image.Image:
        page = page_of(mask, dpi).point(lambda level: 246 - 0.7 * level)
        return jpeg(grainy(page, sigma, rng))

    return draw


def clipped(mask: Mask, rng: Generator) -> Image.Image:
    """A scanner app makes paper white by stretching: half of its noise is cut off."""
    return jpeg(grainy(mask.point(lambda level: 254 - 0.8 * level), 2, rng), 80)


def dithered(mask: Mask, _: Generator) -> Image.Image:
    return mask.point(lambda level: 248 - level * 0.9).convert("1").convert("L")


def grained(paper: Color, color: Color, sigma: float) -> Situation:
    return lambda mask, rng: opened(grainy(inked(paper, color, mask), sigma, rng))


def rules(size: tuple[int, int], step: float, color: Color, width: int = 2, squared: bool = False) -> Image.Image:
    page = Image.new("RGB", size, WHITE)
    draw = ImageDraw.Draw(page)
    for at in np.arange(step, size[1], step):
        draw.line((0, at, size[0], at), fill=color, width=width)
    for at in np.arange(step, size[0], step) if squared else ():
        draw.line((at, 0, at, size[1]), fill=color, width=width)
    return page


def ruled(color: Color, width: int = 2, squared: bool = False, pen: Color = PEN) -> Situation:
    return lambda mask, _: opened(inked(rules(mask.size, 32, color, width, squared), pen, mask))


def dots(mask: Mask) -> Image.Image:
    page = Image.new("RGB", mask.size, WHITE)
    draw = ImageDraw.Draw(page)
    for x in range(16, mask.width, 32):
        for y in range(16, mask.height, 32):
            draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=(190, 190, 190))
    return page


def checkerboard(mask: Mask, _: Generator) -> Image.Image:
    y, x = np.mgrid[0 : mask.height, 0 : mask.width] // 16
    squares = Image.fromarray((204 + 51 * ((x + y) % 2)).astype(np.uint8)).convert("RGB")
    return opened(inked(squares, BLACK, mask))


def legal_pad(mask: Mask) -> Image.Image:
    page = rules(mask.size, 32, (120, 150, 170))
    ImageDraw.Draw(page).line((110, 0, 110, mask.height), fill=(240, 120, 120), width=3)
    return Image.fromarray((np.asarray(page) * np.array([0.98, 0.94, 0.6])).astype(np.uint8))


def staves(mask: Mask, _: Generator) -> Image.Image:
    page = Image.new("RGB", mask.size, WHITE)
    draw = ImageDraw.Draw(page)
    for top in range(60, mask.height - 60, 120):
        for line in range(5):
            draw.line((30, top + 12 * line, mask.width - 30, top + 12 * line), fill=(90, 90, 90), width=1)
    return opened(inked(page, BLACK, mask))


def lit(page: Image.Image, rng: Generator, sigma: float = 4) -> Image.Image:
    """Photograph a page under light from one corner, a little out of focus."""
    pixels = np.asarray(page.filter(ImageFilter.GaussianBlur(1.2)), np.float32)
    light = 0.5 + 0.4 * np.linspace(0, 1, page.width, dtype=np.float32)
    shade = Image.fromarray((pixels * light[:, np.newaxis]).astype(np.uint8))
    return jpeg(grainy(shade, sigma, rng), 85)


def photo(paper: Callable[[Mask], Image.Image] | Color) -> Situation:
    def draw(mask: Mask, rng: Generator) -> Image.Image:
        return lit(inked(paper if isinstance(paper, tuple) else paper(mask), PEN, mask, 0.85), rng)

    return draw


def whiteboard(mask: Mask, rng: Generator) -> Image.Image:
    """Glare, the shadow of an arm, a dark frame at three sides."""
    y, x = np.mgrid[0 : mask.height, 0 : mask.width].astype(np.float32) / SIDE
    light = 0.8 + 0.25 * np.exp(-(((x - 0.75) / 0.12) ** 2) - ((y - 0.2) / 0.18) ** 2)
    light *= np.where(x + 0.6 * y < 0.35, 0.6, 1)
    pixels = np.asarray(inked((228, 232, 236), (30, 60, 170), mask, 0.9)) * light[..., np.newaxis]
    pixels[:40], pixels[-50:], pixels[:, :30] = 70, 120, 70
    return jpeg(grainy(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), 4, rng), 85)


def on_nothing(first: Color, second: Color | None = None, alpha: float = 1) -> Situation:
    """Strokes on transparency; the right half in a second colour."""

    def draw(mask: Mask, _: Generator) -> Image.Image:
        layer = Image.new("RGB", mask.size, first)
        if second:
            layer.paste(second, (mask.width // 2, 0, mask.width, mask.height))
        layer.putalpha(mask.point(lambda level: level * alpha))
        return opened(layer)

    return draw


def framed(inset: int, width: int, color: Color) -> Situation:
    def draw(mask: Mask, _: Generator) -> Image.Image:
        page = inked(WHITE, BLACK, mask)
        edges = (inset, inset, mask.width - 1 - inset, mask.height - 1 - inset)
        ImageDraw.Draw(page).rectangle(edges, outline=color, width=width)
        return opened(page)

    return draw


def captioned(mask: Mask, _: Generator) -> Image.Image:
    page = Image.new("RGB", (mask.width, mask.height + 90), WHITE)
    page.paste(inked(WHITE, BLACK, mask))
    text, font = "Figure 3. A drawing by hand", ImageFont.load_default(36)
    ImageDraw.Draw(page).text((mask.width // 2, mask.height + 20), text, BLACK, font, anchor="ma")
    return opened(page)


def two_pens(mask: Mask, _: Generator) -> Image.Image:
    """The right half drawn with a pen of a third of the strength."""
    page = inked(WHITE, BLACK, mask)
    half = (mask.width // 2, 0, mask.width, mask.height)
    page.paste(page.crop(half).point(lambda level: 255 - (255 - level) / 3), half)
    return opened(page)


def turned(mask: Mask, rng: Generator) -> Image.Image:
    """A phone held upright: the pixels lie on their side, EXIF says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return jpeg(inked((240, 238, 232), PEN, mask).transpose(Image.Transpose.ROTATE_90), exif=exif)


SITUATIONS: dict[str, Situation] = {
    "clean": lambda mask, _: opened(inked(WHITE, BLACK, mask)),
    **{
        f"scan, {dpi} dpi, noise {sigma:g}": scan(dpi, sigma)
        for dpi in (75, 150, 300, 600)
        for sigma in ((0, 0.5, 1, 2, 3, 4) if dpi < 600 else (0, 2, 4))
    },
    "scanner app, paper clipped at 255": clipped,
    "two levels, dithered": dithered,
    "canvas with grain of 1": grained((250, 248, 240), BLACK, 0.7),
    "watercolour paper, grain of 2": grained((245, 240, 228), (90, 60, 110), 1.5),
    "white pen on grained dark canvas": grained((40, 42, 48), WHITE, 2),
    "poor JPEG": lambda mask, _: jpeg(inked(WHITE, BLACK, mask), 15),
    "ruled, faint": ruled((251, 251, 251)),
    "ruled": ruled((170, 200, 235)),
    "squared, faint": ruled((251, 251, 251), 1, True),
    "squared": ruled((215, 215, 215), 2, True),
    "squared, strong": ruled((150, 180, 220), 2, True, (30, 30, 120)),
    "squared, as dark as the pen": ruled((80, 80, 80), 1, True),
    "dotted": lambda mask, _: opened(inked(dots(mask), PEN, mask)),
    "checkerboard": checkerboard,
    "legal pad": lambda mask, _: opened(inked(legal_pad(mask), (40, 60, 160), mask)),
    "staves": staves,
    "squared, scanned": lambda mask, rng: jpeg(
        grainy(inked(rules(mask.size, 32, (200, 215, 235), 2, True), PEN, mask), 2, rng)
    ),
    "white on nothing": on_nothing(WHITE),
    "white and red on nothing": on_nothing(WHITE, (255, 80, 80)),
    "white and yellow on nothing": on_nothing(WHITE, (255, 200, 60)),
    "black and white on nothing": on_nothing(BLACK, WHITE),
    "grey on nothing": on_nothing((128, 128, 128)),
    "light grey and pink on nothing": on_nothing((227, 227, 227), (255, 135, 135)),
    "half transparent on nothing": on_nothing((60, 60, 60), (250, 250, 250), 0.5),
    "frame": framed(20, 6, BLACK),
    "grey frame at the edge": framed(0, 12, (120, 120, 120)),
    "caption": captioned,
    "two strengths of pen": two_pens,
    "turned by EXIF": turned,
    "photo": photo((235, 230, 222)),
    "photo of ruled paper": photo(lambda mask: rules(mask.size, 32, (140, 175, 220))),
    "photo of squared paper": photo(lambda mask: rules(mask.size, 32, (150, 170, 200), 2, True)),
    "photo of a legal pad": photo(legal_pad),
    "whiteboard": whiteboard,
}


def mask_of(sketch: Image.Image) -> Mask:
    """Enlarge a sketch so that its strokes have sharp edges."""
    return sketch.convert("L").resize((SIDE, SIDE), Image.Resampling.BICUBIC).point(lambda level: (191.25 - level) * 2)


def twin_of(name: str, mask: Mask) -> Image.Image:
    """The clean twin: the same drawing in the same place of the same page, at a handy resolution."""
    return (page_of(mask, 150) if name.startswith("scan,") else mask).point(lambda level: 255 - level)


def demo_sketches(count: int) -> Iterator[tuple[str, Image.Image]]:
    for category in CATEGORIES:
        for number in range(1, count + 1):
            yield category, draw_pair(category, number)[1][0]


def folder_sketches(folder: Path, count: int) -> Iterator[tuple[str, Image.Image]]:
    for category in CATEGORIES:
        for path in sorted((folder / category).glob("*.png"))[:count]:
            yield category, open_image(path)


class Bench:
    """The bundled model with a gallery of demo photos."""

    def __init__(self) -> None:
        self.model = load_model(BUNDLED, "cpu")
        photos = [(name, draw_pair(name, n, 0)[0]) for name in CATEGORIES for n in range(1, PHOTOS + 1)]
        self.categories = np.array([name for name, _ in photos])
        self.photos = self.embed("photo", [photo for _, photo in photos])

    def embed(self, kind: Kind, images: list[Image.Image]) -> NDArray[np.float32]:
        """Embed images; one without ink becomes zeros, which are like nothing."""
        prepare = getattr(self.model.preprocess, kind)
        vectors = np.zeros((len(images), self.model.embedding_size), np.float32)
        pixels, read = [], []
        for row, image in enumerate(images):
            try:
                pixels.append(prepare(image))
                read.append(row)
            except ImageError:
                continue
        if read:
            vectors[read] = self.model.embed_prepared(pixels, len(pixels), kind)
        return vectors

    def precision(self, vectors: NDArray[np.float32], categories: list[str]) -> float:
        """Return the mean share of the sketch's category among the five nearest photos; 0 for one without ink."""
        nearest = np.argsort(-vectors @ self.photos.T, axis=1)[:, :5]
        found = self.categories[nearest] == np.array(categories)[:, np.newaxis]
        return float((found.mean(1) * vectors.any(1)).mean())


def measure(sketches: list[tuple[str, Image.Image]], only: str) -> dict[str, dict[str, float]]:
    """Return cosine and P@5 by situation; the clean ones always come first."""
    bench = Bench()
    categories = [category for category, _ in sketches]
    masks = [mask_of(sketch) for _, sketch in sketches]
    twins = {scanned: bench.embed("sketch", [twin_of(scanned, mask) for mask in masks]) for scanned in ("", "scan,")}
    rows = {}
    for name, draw in SITUATIONS.items():
        if only not in name and name != "clean":
            continue
        rng = np.random.default_rng(crc32(name.encode()))
        # One at a time: pages of 600 dpi are large.
        made = np.concatenate([bench.embed("sketch", [draw(mask, rng)]) for mask in masks])
        cosines = (made * twins["scan," if name.startswith("scan,") else ""]).sum(1)
        precision = bench.precision(made, categories)
        rows[name] = {"cosine": float(cosines.mean()), "least_cosine": float(cosines.min()), "p_at_5": precision}
    return rows


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sketches", type=Path, help="folder of <category>/<sketch>.png")
    parser.add_argument("--count", type=int, default=1, help="sketches of each category")
    parser.add_argument("--only", default="", help="word that the names of situations hold")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    source = demo_sketches(given.count) if given.sketches is None else folder_sketches(given.sketches, given.count)
    sketches = list(source)
    if not sketches:
        parser.error(f"no sketches of the demo set's categories below {given.sketches}")
    rows = measure(sketches, given.only)
    if given.json:
        json.dump({"sketches": len(sketches), "situations": rows}, sys.stdout, indent=2)
        return
    print(f"{len(sketches)} sketches, {PHOTOS * len(CATEGORIES)} photos\n")
    print("| situation | cosine | least | P@5 |\n| --- | ---: | ---: | ---: |")
    for name, found in rows.items():
        print(f"| {name} | {found['cosine']:.3f} | {found['least_cosine']:.3f} | {found['p_at_5']:.2f} |")


if __name__ == "__main__":
    main()
