#!/usr/bin/env python3
"""Evaluate a checkpoint on sketches and photos that were changed, and on sketches of further sources.

Usage: .venv/bin/python scripts/check_robustness.py runs/a/best.pth [--data DIR] [--sketches PATH]... [--val] [--json]
Every row changes one side and leaves the other: the pen, position and ink of the sketches, or the photos.
--sketches is a source as in data.sketches; the share of it that training holds out is asked for the same photos:
those of the test split, or with --val, to choose settings by, of the validation split. Of vector drawings, also the
first quarter, half and three quarters of the strokes are asked.
"""

import argparse
import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter, ImageOps

from sketchy.dataset.drawings import Drawings
from sketchy.dataset.further import FurtherImages, load_further
from sketchy.dataset.loader import Dataset, load_dataset
from sketchy.dataset.pack import Subset
from sketchy.dataset.split import Part
from sketchy.errors import ImageError
from sketchy.evaluation.metrics import label
from sketchy.evaluation.protocol import Queries, score, summarize
from sketchy.image import Kind, open_image
from sketchy.inference.torch_engine import read_checkpoint
from sketchy.model.checkpoint import Checkpoint
from sketchy.retrieval.model import Model, load_model

Change = Callable[[Image.Image, np.random.Generator], Image.Image]
UNFINISHED = (0.25, 0.5, 0.75)
"""Shares of the strokes of a vector drawing."""
SHOWN = ("map_all", "p_at_1", "p_at_10", "instance_r_at_1", "instance_r_at_10")


def thin(image: Image.Image, _: np.random.Generator) -> Image.Image:
    """Draw with half the pen width: on four times the canvas, with a pixel off each side of a stroke."""
    large = image.convert("L").resize((4 * image.width, 4 * image.height), Image.Resampling.BICUBIC)
    return large.filter(ImageFilter.MaxFilter(3))


def small(image: Image.Image, draw: np.random.Generator) -> Image.Image:
    """Two fifths of the size, anywhere on the canvas."""
    width, height = image.width * 2 // 5, image.height * 2 // 5
    canvas = Image.new("L", image.size, 255)
    place = int(draw.integers(image.width - width)), int(draw.integers(image.height - height))
    canvas.paste(image.convert("L").resize((width, height), Image.Resampling.LANCZOS), place)
    return canvas


def turned(image: Image.Image, draw: np.random.Generator) -> Image.Image:
    """Up to 20 degrees to either side."""
    return image.convert("L").rotate(draw.uniform(-20, 20), Image.Resampling.BICUBIC, fillcolor=255)


def photographed(image: Image.Image, draw: np.random.Generator) -> Image.Image:
    """On paper in uneven light, a little out of focus, with noise."""
    pixels = np.asarray(image.convert("L").filter(ImageFilter.GaussianBlur(0.7)), np.float32)
    light = np.linspace(draw.uniform(0.5, 0.7), draw.uniform(0.8, 0.95), image.width, dtype=np.float32)
    lit = pixels * light + draw.normal(0, 4, pixels.shape)
    return Image.fromarray(lit.clip(0, 255).astype(np.uint8))


def jpeg(image: Image.Image, _: np.random.Generator) -> Image.Image:
    """As a JPEG of quality 15."""
    content = io.BytesIO()
    image.save(content, "JPEG", quality=15)
    return open_image(content.getvalue())


def cropped(image: Image.Image, draw: np.random.Generator) -> Image.Image:
    """Four fifths of each side, anywhere in the photo."""
    width, height = image.width * 4 // 5, image.height * 4 // 5
    left, top = int(draw.integers(image.width - width)), int(draw.integers(image.height - height))
    return image.crop((left, top, left + width, top + height))


SKETCHES: dict[str, Change] = {
    "nothing": lambda image, _: image,
    "thick pen (7 px of 256)": lambda image, _: image.convert("L").filter(ImageFilter.MinFilter(7)),
    "thin pen (1 px of 512)": thin,
    "small, anywhere on the canvas": small,
    "turned by up to 20°": turned,
    "white on black": lambda image, _: ImageOps.invert(image.convert("L")),
    "mirrored": lambda image, _: ImageOps.mirror(image),
    "photographed paper": photographed,
}
PHOTOS: dict[str, Change] = {
    "photos grey": lambda image, _: image.convert("L").convert("RGB"),
    "photos half as bright": lambda image, _: image.point(lambda value: value / 2),
    "photos cropped to 4/5": cropped,
    "photos as heavily compressed JPEG": jpeg,
}


@dataclass
class Setting:
    """A model, and the part of its dataset that it is evaluated on."""

    checkpoint: Checkpoint
    model: Model
    data: Dataset
    subset: Subset

    def embed(self, kind: Kind, change: Change) -> tuple[torch.Tensor, np.ndarray]:
        """Change and embed the images of a kind; also say which could be read: a changed sketch may be blank."""
        subset, draw = self.subset, np.random.default_rng(0)
        rows, read = (
            (subset.sketches, self.data.sketch_file) if kind == "sketch" else (subset.photos, self.data.photo_file)
        )
        prepare = getattr(self.model.preprocess, kind)
        pixels, kept = [], np.ones(len(rows), bool)
        for index, row in enumerate(rows):
            try:
                pixels.append(prepare(change(open_image(read(row)), draw)))
            except ImageError:
                kept[index] = False
        return torch.from_numpy(self.model.embed_prepared(pixels, len(pixels), kind)), kept

    def evaluate(self, sketches: torch.Tensor, kept: np.ndarray, photos: torch.Tensor) -> dict[str, float]:
        """Score embedded sketches against embedded photos; an unreadable sketch finds nothing."""
        subset, pack = self.subset, self.data.pack
        position = np.full(len(pack.photos) + 1, -1)  # of a photo of the pack in the gallery
        position[subset.photos] = np.arange(len(subset.photos))
        rows = subset.sketches[kept]
        queries = Queries(
            sketches, torch.from_numpy(pack.sketch_category[rows]), torch.from_numpy(position[pack.sketch_photo[rows]])
        )
        found = self.score(queries, photos)
        return {name: value * float(kept.mean()) for name, value in found.items()}

    def score(self, queries: Queries, photos: torch.Tensor) -> dict[str, float]:
        """Return the metrics that are shown."""
        categories = torch.from_numpy(self.data.pack.photo_category[self.subset.photos])
        scores = score(queries, photos, categories)
        metrics = summarize(scores, queries, categories, self.data.pack.categories).metrics
        return {name: metrics[name] for name in SHOWN}

    def further(self, source: FurtherImages, photos: torch.Tensor) -> dict[str, dict[str, float]]:
        """Score the held-out sketches of a source in the dataset's own categories; they trace no photo."""
        rows = source.test[source.categories[source.test] < len(self.data.pack.categories)]
        images = {f"sketches of {source.name}": source.images[rows]}
        if isinstance(source.images, Drawings):
            for share in UNFINISHED:
                name = f"sketches of {source.name}, {share:.0%} of the strokes"
                images[name] = source.images.first_part(rows, share)
        categories = torch.from_numpy(source.categories[rows])
        found = {}
        for name, pixels in images.items():
            sketches = torch.from_numpy(self.model.embed_prepared(pixels, len(pixels), "sketch"))
            scores = self.score(Queries(sketches, categories, torch.full_like(categories, -1)), photos)
            found[name] = {key: value for key, value in scores.items() if not key.startswith("instance")}
        return found


def measure(checkpoint: Path, data: Path | None, others: list[Path], split: Part) -> dict[str, dict[str, float]]:
    """Return the metrics of every row of the table."""
    loaded = read_checkpoint(checkpoint)
    model = load_model(checkpoint)
    dataset = load_dataset(loaded.config, root=data)
    setting = Setting(loaded, model, dataset, dataset.parts[split])
    photos, _ = setting.embed("photo", SKETCHES["nothing"])
    rows = {name: setting.evaluate(*setting.embed("sketch", change), photos) for name, change in SKETCHES.items()}
    plain = setting.embed("sketch", SKETCHES["nothing"])
    rows |= {name: setting.evaluate(*plain, setting.embed("photo", change)[0]) for name, change in PHOTOS.items()}
    paths = {"sketches": tuple(map(str, others)), "photos": ()}
    config = loaded.config.model_copy(update={"data": loaded.config.data.model_copy(update=paths)})
    for source in load_further(config, dataset).sketches:
        rows |= setting.further(source, photos)
    return rows


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, help="where the dataset lies now")
    parser.add_argument("--sketches", type=Path, action="append", default=[], help="a further source")
    parser.add_argument("--val", action="store_true", help="evaluate on the validation split")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = measure(given.checkpoint, given.data, given.sketches, "val" if given.val else "test")
    if given.json:
        json.dump(rows, sys.stdout, indent=2)
        return
    print("| changed | " + " | ".join(map(label, SHOWN)) + " |\n| --- |" + " ---: |" * len(SHOWN))
    for name, found in rows.items():
        print(f"| {name} | " + " | ".join(f"{found[key]:.3f}" if key in found else "" for key in SHOWN) + " |")


if __name__ == "__main__":
    main()
