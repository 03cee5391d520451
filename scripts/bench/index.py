"""Indexing photos, beside the engine alone and beside reading, hashing and decoding alone."""

import hashlib
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from options import Options
from sketchy.retrieval.index import update_at
from sketchy.retrieval.model import Model, load_model
from sketchy.runtime import keep_freed_memory
from timing import Table, in_turns

LARGE = (4000, 3000)
"""Size of the photos of a phone, in pixels."""


def measure(options: Options) -> Table:
    """Measure photos per second, for the photos of the dataset and for large JPEGs drawn by program."""
    keep_freed_memory()  # as `sketchy index` does
    model = load_model(options.checkpoint)
    small = options.images("*.jpg")[: 128 if options.quick else 512]
    with tempfile.TemporaryDirectory() as folder:
        linked = Path(folder, "linked")
        linked.mkdir()
        for number, path in enumerate(small):
            (linked / f"{number}.jpg").symlink_to(path.absolute())
        large = draw_large(Path(folder, "large"), 16 if options.quick else 64)
        return {**compare("256 px", linked, model, options.turns), **compare("12 MP", large, model, options.turns)}


def compare(name: str, photos: Path, model: Model, turns: int) -> Table:
    """Measure an index of a folder of photos, and its two parts alone, in turns."""
    paths = sorted(photos.iterdir())
    pixels = [model.preprocess.load(path, "photo") for path in paths]

    def index() -> None:
        folder = tempfile.mkdtemp()
        update_at(f"{folder}/index", [photos], model)
        shutil.rmtree(folder)

    def decode(path: Path) -> None:
        content = path.read_bytes()
        hashlib.sha256(content)
        model.preprocess.load(content, "photo")

    def decode_all() -> None:
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            list(pool.map(decode, paths))

    variants = {
        f"{name}: indexing": index,
        f"{name}: the engine alone": lambda: model.embed_prepared(pixels, len(pixels), "photo"),
        f"{name}: reading, hashing and decoding alone, on all cores": decode_all,
    }
    return in_turns(variants, len(paths), turns)


def draw_large(folder: Path, count: int) -> Path:
    """Draw JPEGs of a phone's size with detail at every scale, about 4 MB each."""
    generator = np.random.default_rng(0)
    width, height = LARGE
    folder.mkdir()
    for number in range(count):
        coarse = Image.fromarray(generator.integers(0, 256, (height // 100, width // 100, 3), np.uint8))
        grain = Image.fromarray(generator.integers(0, 256, (height, width, 3), np.uint8))
        photo = Image.blend(coarse.resize(LARGE, Image.Resampling.BICUBIC), grain, 0.15)
        photo.save(folder / f"{number}.jpg", quality=90)
    return folder
