"""What a run trains on: the training part of a dataset, and further sketches behind its own."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sketchy.dataset.extra import ExtraSketches
from sketchy.dataset.loader import Dataset
from sketchy.dataset.sampler import Indices, Items

Pixels = NDArray[np.uint8]


class Stacked:
    """Two arrays of images of one shape, read as one without joining them in memory."""

    def __init__(self, first: Pixels, second: Pixels) -> None:
        self.first = first
        self.second = second

    def __getitem__(self, rows: Indices) -> Pixels:
        """Return the images of (B,) rows; the second array's follow the first's."""
        out = np.empty((len(rows), *self.first.shape[1:]), np.uint8)
        later = rows >= len(self.first)
        out[~later] = self.first[rows[~later]]
        out[later] = self.second[rows[later] - len(self.first)]
        return out


@dataclass(frozen=True)
class TrainingImages:
    """Packed images and what they show, from which batches are gathered.

    Attributes:
        sketches: (Ns, 1, S, S) uint8, possibly memory-mapped.
        photos: (Np, C, S, S) uint8.
        sketch_category: (Ns,) int64.
        photo_category: (Np,) int64.
        sketch_photo: (Ns,) int64, row of the traced photo; -1 where there is none.
    """

    sketches: Pixels | Stacked
    photos: Pixels
    sketch_category: Indices
    photo_category: Indices
    sketch_photo: Indices


def training_images(data: Dataset, extra: ExtraSketches | None) -> tuple[TrainingImages, Items, Items]:
    """Return images, and which of the sketches and of the photos are trained on."""
    pack, part = data.pack, data.parts["train"]
    images = TrainingImages(pack.sketches, pack.photos, pack.sketch_category, pack.photo_category, pack.sketch_photo)
    sketch_rows = part.sketches
    if extra is not None:
        images = TrainingImages(
            sketches=Stacked(pack.sketches, extra.images),
            photos=pack.photos,
            sketch_category=np.concatenate([pack.sketch_category, extra.categories]),
            photo_category=pack.photo_category,
            sketch_photo=np.concatenate([pack.sketch_photo, np.full(len(extra.images), -1)]),
        )
        sketch_rows = np.concatenate([sketch_rows, len(pack.sketches) + extra.train])
    sketches = Items(sketch_rows, images.sketch_category[sketch_rows])
    return images, sketches, Items(part.photos, pack.photo_category[part.photos])
