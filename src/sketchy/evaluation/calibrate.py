"""What a finished training learns from its validation split: the calibrated score, and sketches to try indexes with."""

import numpy as np
import torch
from torch import Tensor

from sketchy.dataset.loader import Dataset
from sketchy.dataset.pack import Subset
from sketchy.distance import pairwise
from sketchy.model.calibration import Calibration, fit_calibration
from sketchy.model.encoder import Encoder
from sketchy.retrieval.embed import embed_pixels

PROBES = 200
"""Sketches whose embeddings are kept; 200 KB at 256 numbers."""
MAX_PAIRS = 20_000_000
"""Pairs of a sketch and a photo that are looked at, 500 MB for a moment; of more, every so many sketches are taken."""


def calibrate(encoder: Encoder, data: Dataset, subset: Subset) -> tuple[Calibration | None, Tensor]:
    """Measure every sketch of a subset against all its photos.

    Args:
        encoder: on the device that computes.
        data: what the subset is part of.
        subset: not trained on; at least one sketch and one photo.

    Returns:
        The calibration, None where there is nothing to fit, and (at most PROBES, D) embeddings of sketches.
    """
    pack = data.pack
    step = -(-len(subset.sketches) * len(subset.photos) // MAX_PAIRS)
    rows = subset.sketches[::step]
    photos = embed_pixels(encoder, pack.photos, subset.photos)
    sketches = embed_pixels(encoder, pack.sketches, rows)
    with torch.inference_mode():
        distances = pairwise(sketches, photos).numpy().ravel()
    relevant = pack.sketch_category[rows][:, np.newaxis] == pack.photo_category[subset.photos]
    probes = sketches[:: -(-len(sketches) // PROBES)].clone()  # not a view, of which all would be saved
    return fit_calibration(distances, relevant.ravel()), probes
