"""What a run trains on: the training part of a dataset, and further sketches behind its own."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sketchy.dataset.extra import ExtraSketches
from sketchy.dataset.loader import Dataset
from sketchy.dataset.sampler import Indices, Items

COPIED_AT_ONCE = 1024
"""Images copied to a device in one go: what bounds the memory of the machine meanwhile."""

Pixels = NDArray[np.uint8]

Gather = Callable[[Indices], Tensor]
"""Takes (B,) rows and returns (B, C, S, S) uint8 on a device."""


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

    def __len__(self) -> int:
        """Images in both."""
        return len(self.first) + len(self.second)

    @property
    def nbytes(self) -> int:
        """Bytes of all images."""
        return self.first.nbytes + self.second.nbytes


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


def gather_to(device: torch.device, pixels: Pixels | Stacked, room: int) -> Gather:
    """Return what brings images of a batch to a device, from a copy that lies there where there is room for one.

    Both give the same images. Without a copy they are read from where they lie, a memory map mostly, batch by batch: so
    a dataset may be larger than the memory of either.

    Args:
        device: where to.
        pixels: all images.
        room: bytes of the device that the copy may take; 0 makes none.
    """
    if pixels.nbytes > room:
        return lambda rows: torch.from_numpy(np.ascontiguousarray(pixels[rows])).to(device)
    there = torch.empty((len(pixels), *pixels[np.arange(0)].shape[1:]), dtype=torch.uint8, device=device)
    for start in range(0, len(pixels), COPIED_AT_ONCE):
        rows = np.arange(start, min(start + COPIED_AT_ONCE, len(pixels)))
        there[start : start + len(rows)] = torch.from_numpy(np.ascontiguousarray(pixels[rows]))
    return lambda rows: there[torch.from_numpy(rows).to(device)]
