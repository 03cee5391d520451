"""What a run trains on: the training part of a dataset, and the images of further sources after its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sketchy.dataset.drawings import Drawings, joined
from sketchy.dataset.further import Further, FurtherImages
from sketchy.dataset.loader import Dataset
from sketchy.dataset.sampler import Indices, Items
from sketchy.runtime import to_device

COPIED_AT_ONCE = 1024
"""Images copied to a device at a time, which bounds the memory of the copy."""

Pixels = NDArray[np.uint8]

Gather = Callable[[Indices], Tensor]
"""Takes (B,) rows and returns (B, C, S, S) uint8 on a device."""


class Stacked:
    """Several arrays of images of one shape, read as one without joining them in memory."""

    def __init__(self, parts: Sequence[Pixels]) -> None:
        self.parts = parts
        self.ends = np.cumsum([len(part) for part in parts])

    def __getitem__(self, rows: Indices) -> Pixels:
        """Return the images of (B,) rows; those of each array follow those of the arrays before it."""
        out = np.empty((len(rows), *self.parts[0].shape[1:]), np.uint8)
        index = np.searchsorted(self.ends, rows, side="right")
        for part, (end, pixels) in enumerate(zip(self.ends, self.parts, strict=True)):
            if (chosen := index == part).any():
                out[chosen] = pixels[rows[chosen] - (end - len(pixels))]
        return out

    def __len__(self) -> int:
        """Number of images."""
        return int(self.ends[-1])

    @property
    def nbytes(self) -> int:
        """Bytes of all images."""
        return sum(part.nbytes for part in self.parts)


@dataclass(frozen=True)
class TrainingImages:
    """Packed images and what they show, from which batches are gathered.

    Attributes:
        sketches: (Nr, 1, S, S) uint8, possibly memory-mapped.
        photos: (Np, C, S, S) uint8.
        sketch_category: (Ns,) int64, Nr of `sketches` and then those of `drawings`.
        photo_category: (Np,) int64.
        sketch_photo: (Ns,) int64, row of the traced photo; -1 if there is none.
        drawings: Vector drawings, whose rows follow those of `sketches`; None if there are none.
    """

    sketches: Pixels | Stacked
    photos: Pixels | Stacked
    sketch_category: Indices
    photo_category: Indices
    sketch_photo: Indices
    drawings: Drawings | None = None


class TrainingSet(NamedTuple):
    """All images, and the sketches and the photos among them to train on."""

    images: TrainingImages
    sketches: Items
    photos: Items


def training_set(data: Dataset, further: Further, altered: float = 0.0) -> TrainingSet:
    """Collect what a run trains on.

    Args:
        data: The dataset, whose own images come first.
        further: The further sources.
        altered: Share of the vector drawings that are altered when they are used.
    """
    pack, part = data.pack, data.parts["train"]
    by_kind = sorted(further.sketches, key=lambda source: isinstance(source.images, Drawings))
    vectors = [source.images for source in by_kind if isinstance(source.images, Drawings)]
    sketch_rows, sketch_category = _joined(part.sketches, pack.sketch_category, by_kind)
    photo_rows, photo_category = _joined(part.photos, pack.photo_category, further.photos)
    untraced = np.full(len(sketch_category) - len(pack.sketches), -1)
    images = TrainingImages(
        sketches=_stacked(pack.sketches, further.sketches),
        photos=_stacked(pack.photos, further.photos),
        sketch_category=sketch_category,
        photo_category=photo_category,
        sketch_photo=np.concatenate([pack.sketch_photo, untraced]),
        drawings=joined(vectors, altered) if vectors else None,
    )
    sketches = Items(sketch_rows, sketch_category[sketch_rows])
    return TrainingSet(images, sketches, Items(photo_rows, photo_category[photo_rows]))


def _joined(rows: Indices, categories: Indices, sources: Sequence[FurtherImages]) -> tuple[Indices, Indices]:
    """Return the rows to train on and the categories of all images, with those of further sources behind."""
    for source in sources:
        rows = np.concatenate([rows, len(categories) + source.train])
        categories = np.concatenate([categories, source.categories])
    return rows, categories


def _stacked(own: Pixels, sources: Sequence[FurtherImages]) -> Pixels | Stacked:
    further = [source.images for source in sources if not isinstance(source.images, Drawings)]
    return Stacked([own, *further]) if further else own


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
        return lambda rows: to_device(read(rows), device)
    copy = torch.empty((len(pixels), *read(np.arange(0)).shape[1:]), dtype=torch.uint8, device=device)
    for start in range(0, len(pixels), COPIED_AT_ONCE):
        rows = np.arange(start, min(start + COPIED_AT_ONCE, len(pixels)))
        copy[start : start + len(rows)] = read(rows)
    return lambda rows: copy[to_device(torch.from_numpy(rows), device)]
