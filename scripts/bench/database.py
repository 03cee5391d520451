"""A dataset of random pixels, as large as the Sketchy Database: steps take as long on them as on real images."""

import math

import numpy as np
from numpy.typing import NDArray

from sketchy.config import Config
from sketchy.dataset.loader import Dataset
from sketchy.dataset.pack import Pack, split_pack
from sketchy.dataset.records import Record
from sketchy.dataset.source import open_source
from sketchy.image import Kind
from sketchy.paths import as_path
from sketchy.preprocess import build_preprocess


def random_dataset(config: Config, photos: int, sketches: int, categories: int) -> Dataset:
    """Make a dataset in memory, whose records name no files.

    Args:
        config: Gives the shapes of the images and the split.
        photos: Number of photos, spread evenly over the categories.
        sketches: Number of sketches; each traces a photo.
        categories: Number of categories.
    """
    preprocess, draw = build_preprocess(config.image), np.random.default_rng(0)

    def pixels(count: int, kind: Kind) -> NDArray[np.uint8]:
        shape = preprocess.shape(kind)
        return np.frombuffer(draw.bytes(count * math.prod(shape)), np.uint8).reshape(count, *shape)

    names = tuple(f"category {label:03}" for label in range(categories))
    traced = np.arange(sketches) % photos
    pack = Pack(
        photos=pixels(photos, "photo"),
        sketches=pixels(sketches, "sketch"),
        photo_records=tuple(Record("photo", names[row % categories], str(row), f"{row}.jpg") for row in range(photos)),
        sketch_records=tuple(
            Record("sketch", names[photo % categories], str(photo), f"{photo}-{row}.png")
            for row, photo in enumerate(traced.tolist())
        ),
        categories=names,
        photo_category=np.arange(photos) % categories,
        sketch_category=traced % categories,
        sketch_photo=traced,
        skipped=(),
    )
    parts = split_pack(pack, config.data.test_fraction, config.data.val_fraction, config.data.split_seed)
    return Dataset(open_source(as_path(".")), pack, parts)
