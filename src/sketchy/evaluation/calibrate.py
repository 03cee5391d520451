"""Fitting the calibrated score on the validation split after training, and keeping probe sketches for indexes."""

import numpy as np
import torch
from torch import Tensor

from sketchy.dataset.loader import Dataset
from sketchy.dataset.pack import Subset
from sketchy.distance import pairwise
from sketchy.inference.torch_engine import embed_pixels
from sketchy.model.calibration import Calibration, fit_calibration
from sketchy.model.encoder import Encoder

PROBES = 200
"""Number of sketches whose embeddings are kept in the checkpoint: 200 KB at 256 dimensions."""
MAX_PAIRS = 20_000_000
"""Sketch-photo pairs that are compared at most (500 MB at the peak); with more, sketches are subsampled evenly."""


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
    step = -(-len(subset.sketches) * len(subset.photos) // MAX_PAIRS)
    rows = subset.sketches[::step]
    photos = embed_pixels(encoder, pack.photos, "photo", subset.photos)
    sketches = embed_pixels(encoder, pack.sketches, "sketch", rows)
    with torch.inference_mode():
        distances = pairwise(sketches, photos).numpy().ravel()
    relevant = pack.sketch_category[rows][:, np.newaxis] == pack.photo_category[subset.photos]
    probes = sketches[:: -(-len(sketches) // PROBES)].clone()  # a view would save the whole tensor
    return fit_calibration(distances, relevant.ravel()), probes
