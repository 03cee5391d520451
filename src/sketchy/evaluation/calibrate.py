"""Fitting the calibrated score on the validation split after training, and keeping probe sketches for indexes."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sketchy.dataset.further import Further
from sketchy.dataset.loader import Dataset
from sketchy.dataset.pack import Pack, Subset
from sketchy.distance import pairwise
from sketchy.evaluation.negatives import halved, scribbles
from sketchy.image import Kind
from sketchy.inference.torch_engine import embed_pixels
from sketchy.model.calibration import NEAREST, Calibration, fit_calibration, with_found
from sketchy.model.encoder import Encoder

PROBES = 200
"""Number of sketches whose embeddings are kept in the checkpoint: 200 KB at 256 dimensions."""
MAX_PAIRS = 20_000_000
"""Sketch-photo pairs that are compared at most (500 MB at the peak); with more, sketches are subsampled evenly."""
HALVES = 300
"""Half drawings that are searched for, at most."""
SCRIBBLES = 200
"""Scribbles, dots and lines that are searched for, at most."""
POOR_STEP = 3
"""Every so many drawings one is halved too, and there are at most as many scribbles: more would lower every score."""
FURTHER = 600
"""Images of each further source, at most."""
PARTS = (1, 2, 4, 8)
"""Of the photos of a gallery, all, every second, fourth and eighth are searched."""
NOTHING = -1
"""Category of a scribble."""


class Embedded(NamedTuple):
    """Embedded images and their categories: labels of `Further`, or NOTHING.

    Attributes:
        embeddings: Shape (N, D), float32, on the CPU.
        categories: Shape (N,).
    """

    embeddings: Tensor
    categories: NDArray[np.integer]


class Searches(NamedTuple):
    """Searches in galleries of several sizes, one row each.

    Attributes:
        least: Distance of the nearest photo, shape (Q,), float32.
        photos: Number of photos of the gallery, shape (Q,).
        found: Whether one of the NEAREST photos shows what was drawn, shape (Q,).
        present: Whether a whole drawing was searched for in a gallery that shows it, shape (Q,).
    """

    least: NDArray[np.float32]
    photos: NDArray[np.integer]
    found: NDArray[np.bool_]
    present: NDArray[np.bool_]


def calibrate(encoder: Encoder, data: Dataset, subset: Subset, further: Further) -> tuple[Calibration | None, Tensor]:
    """Fit the calibration on the distances between sketches and photos that were not trained on.

    They are those of a subset and, of the further sources, every second one that is held out, as the score is for
    drawings and photos of any origin, whose distances differ.

    Args:
        encoder: The encoder, on the device that computes.
        data: The dataset that contains the subset.
        subset: Images that were not trained on: at least one sketch and one photo.
        further: The further sources.

    Returns:
        The calibration, or None if it cannot be fitted.
        Embeddings of at most PROBES sketches of the subset, shape (P, D), float32.
    """
    pack = data.pack
    rows = subset.sketches[:: -(-len(subset.sketches) * len(subset.photos) // MAX_PAIRS)]
    sketches = Embedded(embed_pixels(encoder, pack.sketches, "sketch", rows), pack.sketch_category[rows])
    photos = embed_pixels(encoder, pack.photos, "photo", subset.photos)
    galleries = [Embedded(photos, pack.photo_category[subset.photos]), *_held_out(encoder, "photo", further)]
    drawings = [sketches, *_held_out(encoder, "sketch", further)]
    poor = _poor_drawings(encoder, pack, rows)
    compared = [_compared(drawn, gallery) for gallery in galleries for drawn in drawings]
    fitted = fit_calibration(
        *(np.concatenate([part.ravel() for part in parts]) for parts in zip(*compared, strict=True))
    )
    if fitted is not None:
        searches = [_searches(distances, relevant, whole=True) for distances, relevant in compared]
        searches += [_searches(*_compared(poor, gallery), whole=False) for gallery in galleries]
        fitted = with_found(fitted, *(np.concatenate(parts) for parts in zip(*searches, strict=True)))
    return fitted, sketches.embeddings[:: -(-len(rows) // PROBES)].clone()  # a view would save the whole tensor


def _held_out(encoder: Encoder, kind: Kind, further: Further) -> list[Embedded]:
    """Embed every second held-out image of each source, at most FURTHER, of the categories of the dataset."""
    found = []
    for source in further.sketches if kind == "sketch" else further.photos:
        rows = source.calibrating[source.categories[source.calibrating] < len(further.own)]
        if len(rows):
            rows = rows[:: -(-len(rows) // FURTHER)]
            found.append(Embedded(embed_pixels(encoder, source.images, kind, rows), source.categories[rows]))
    return found


def _poor_drawings(encoder: Encoder, pack: Pack, rows: NDArray[np.integer]) -> Embedded:
    """Embed halves of some drawings, and scribbles, which show NOTHING."""
    some = rows[:: max(POOR_STEP, -(-len(rows) // HALVES))]
    side = pack.sketches.shape[-1]
    drawn = np.concatenate([halved(pack.sketches[some]), scribbles(min(SCRIBBLES, len(some)), side)])
    categories = np.concatenate([pack.sketch_category[some], np.full(len(drawn) - len(some), NOTHING)])
    return Embedded(embed_pixels(encoder, drawn, "sketch"), categories)


def _compared(drawn: Embedded, gallery: Embedded) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the distances of drawings and photos, and which photos are relevant; both have shape (Q, P).

    Drawings of things that no photo shows are left out, but for those of NOTHING.
    """
    relevant = drawn.categories[:, np.newaxis] == gallery.categories
    kept = relevant.any(1) | (drawn.categories == NOTHING)
    with torch.inference_mode():
        distances = pairwise(drawn.embeddings[torch.from_numpy(kept)], gallery.embeddings).numpy()
    return distances, relevant[kept]


def _searches(distances: NDArray[np.float32], relevant: NDArray[np.bool_], *, whole: bool) -> Searches:
    """Search for each drawing in the whole gallery and in parts of it, with and without the photos that show it."""
    found = []
    nothing = ~relevant.any(1)
    for step in (step for step in PARTS if step == 1 or len(distances.T) >= step * NEAREST):
        shown = np.any(relevant[:, ::step], axis=1)
        asked = shown | nothing
        far, right = distances[asked, ::step], relevant[asked, ::step]
        near, hit = nearest_of(far, right)
        least = np.where(right, np.inf, far).min(1)
        other = shown[asked] & np.isfinite(least)
        found.append(
            Searches(
                np.concatenate([near[:, 0], least[other]]),
                np.full(len(near) + other.sum(), far.shape[1]),
                np.concatenate([hit.any(1), np.zeros(other.sum(), bool)]),
                np.concatenate([shown[asked] & whole, np.zeros(other.sum(), bool)]),
            )
        )
    return Searches(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def nearest_of(
    distances: NDArray[np.float32], relevant: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the distances of the nearest photos, ascending, and which of these photos are relevant.

    Args:
        distances: Shape (Q, P).
        relevant: Shape (Q, P).

    Returns:
        Both of shape (Q, min(P, NEAREST)).
    """
    order = np.argsort(distances, axis=1, kind="stable")[:, :NEAREST]
    return np.take_along_axis(distances, order, 1), np.take_along_axis(relevant, order, 1)
