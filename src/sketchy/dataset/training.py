"""What a run trains on: the training part of a dataset, and further sketches after its own."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sketchy.dataset.extra import ExtraSketches
from sketchy.dataset.loader import Dataset
from sketchy.dataset.sampler import Indices, Items

COPIED_AT_ONCE = 1024
"""Images copied to a device at a time, which bounds the memory of the copy."""

Pixels = NDArray[np.uint8]

Gather = Callable[[Indices], Tensor]
"""Takes (B,) rows and returns (B, C, S, S) uint8 on a device."""


class Stacked:
    """Two arrays of images of one shape, read as one without joining them in memory."""

    def __init__(self, first: Pixels, second: Pixels) -> None:
        self.first = first
        self.second = second

    def __getitem__(self, rows: Indices) -> Pixels:
        """Return the images of (B,) rows; those of the second array follow those of the first."""
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
        sketch_photo: (Ns,) int64, row of the traced photo; -1 if there is none.
    """

    sketches: Pixels | Stacked
    photos: Pixels
    sketch_category: Indices
    photo_category: Indices
    sketch_photo: Indices


def training_images(data: Dataset, extra: ExtraSketches | None) -> tuple[TrainingImages, Items, Items]:
    """Return all images, and the sketches and the photos among them to train on."""
    pack, part = data.pack, data.parts["train"]
    images = TrainingImages(pack.sketches, pack.photos, pack.sketch_category, pack.photo_category, pack.sketch_photo)
    sketch_rows = part.sketches
    if extra is not None:
        images = replace(
            images,
            sketches=Stacked(pack.sketches, extra.images),
            sketch_category=np.concatenate([pack.sketch_category, extra.categories]),
            sketch_photo=np.concatenate([pack.sketch_photo, np.full(len(extra.images), -1)]),
        )
        sketch_rows = np.concatenate([sketch_rows, len(pack.sketches) + extra.train])
    sketches = Items(sketch_rows, images.sketch_category[sketch_rows])
    return images, sketches, Items(part.photos, pack.photo_category[part.photos])


def gather_to(device: torch.device, pixels: Pixels | Stacked, room: int) -> Gather:
    """Return a function that brings the images of a batch to a device, from a copy on it if there is room for one.

    With and without a copy the images are the same. Without one they are read batch by batch from `pixels`, mostly a
    memory map, so that a dataset may be larger than the memory of the device and of the machine.

    Args:
        device: Device of the batches.
        pixels: All images.
        room: Bytes on the device that the copy may take; 0 makes none.
    """

    def read(rows: Indices) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(pixels[rows]))

    if pixels.nbytes > room:
        return lambda rows: read(rows).to(device)
    copy = torch.empty((len(pixels), *read(np.arange(0)).shape[1:]), dtype=torch.uint8, device=device)
    for start in range(0, len(pixels), COPIED_AT_ONCE):
        rows = np.arange(start, min(start + COPIED_AT_ONCE, len(pixels)))
        copy[start : start + len(rows)] = read(rows)
    return lambda rows: copy[torch.from_numpy(rows).to(device)]
