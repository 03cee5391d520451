"""Fitting the calibrated score on the validation split after training, and keeping probe sketches for indexes."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sketchy.dataset.loader import Dataset
from sketchy.dataset.pack import Subset
from sketchy.distance import pairwise
from sketchy.evaluation.negatives import halved, scribbles
from sketchy.inference.torch_engine import embed_pixels
from sketchy.model.calibration import NEAREST, Calibration, fit_calibration, with_found
from sketchy.model.encoder import Encoder

PROBES = 200
"""Number of sketches whose embeddings are kept in the checkpoint: 200 KB at 256 dimensions."""
MAX_PAIRS = 20_000_000
"""Sketch-photo pairs that are compared at most (500 MB at the peak); with more, sketches are subsampled evenly."""
SCRIBBLES = 200
"""Scribbles, dots and lines that are searched for."""
HALVES = 300
"""Half drawings that are searched for, at most."""


def calibrate(encoder: Encoder, data: Dataset, subset: Subset) -> tuple[Calibration | None, Tensor]:
    """Fit the calibration on the distances between the sketches and the photos of a subset.

    Args:
        encoder: The encoder, on the device that computes.
        data: The dataset that contains the subset.
        subset: Images that were not trained on: at least one sketch and one photo.

    Returns:
        The calibration, or None if it cannot be fitted.
        Embeddings of at most PROBES sketches, shape (P, D), float32.
    """
    pack = data.pack
    rows = subset.sketches[:: -(-len(subset.sketches) * len(subset.photos) // MAX_PAIRS)]
    some = rows[:: -(-len(rows) // HALVES)]
    photos = embed_pixels(encoder, pack.photos, "photo", subset.photos)
    sketches = embed_pixels(encoder, pack.sketches, "sketch", rows)
    drawn = np.concatenate([halved(pack.sketches[some]), scribbles(SCRIBBLES, pack.sketches[some[:1]].shape[-1])])
    poor = embed_pixels(encoder, drawn, "sketch")
    photo_category, category = pack.photo_category[subset.photos], pack.sketch_category[rows]
    with torch.inference_mode():
        distances = pairwise(sketches, photos).numpy()
        of_poor = pairwise(poor, photos).numpy()
    relevant = category[:, np.newaxis] == photo_category
    probes = sketches[:: -(-len(sketches) // PROBES)].clone()  # a view would save the whole tensor
    fitted = fit_calibration(distances.ravel(), relevant.ravel())
    if fitted is not None:
        nothing = np.full(SCRIBBLES, -1, category.dtype)
        categories = np.concatenate([category, pack.sketch_category[some], nothing])
        fitted = _fit_found(fitted, np.concatenate([distances, of_poor]), categories, photo_category, len(rows))
    return fitted, probes


def _fit_found(
    calibration: Calibration,
    distances: NDArray[np.float32],
    categories: NDArray[np.integer],
    photo_categories: NDArray[np.integer],
    whole: int,
) -> Calibration:
    """Fit what a search found: of each sketch in the whole gallery, and in the gallery without its category.

    Args:
        calibration: The calibration to extend.
        distances: Shape (Q, P).
        categories: Category of each sketch, or a number that no photo has, shape (Q,).
        photo_categories: Shape (P,).
        whole: Number of the first sketches that are whole drawings.
    """
    relevant = categories[:, np.newaxis] == photo_categories
    nearest, right = nearest_of(distances, relevant)
    without, none = nearest_of(np.where(relevant, np.inf, distances), np.zeros_like(relevant))
    shown = relevant.any(1) & np.isfinite(without[:, 0])  # a scribble has nothing to leave out
    present = np.arange(len(right)) < whole
    return with_found(
        calibration,
        np.concatenate([nearest[:, 0], without[shown, 0]]),
        np.concatenate([right.any(1), none[shown].any(1)]),
        np.concatenate([present, np.zeros(shown.sum(), bool)]),
    )


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
