"""Fit a checkpoint's calibrated score on the validation split."""

import numpy as np
import torch

from sketchy.dataset.loader import Dataset
from sketchy.dataset.pack import Subset
from sketchy.distance import pairwise
from sketchy.model.calibration import Calibration, fit_calibration
from sketchy.model.encoder import Encoder
from sketchy.retrieval.embed import embed_pixels

MAX_PAIRS = 20_000_000
"""Pairs of a sketch and a photo that are looked at, 500 MB for a moment; of more, every so many sketches are taken."""


def calibrate(encoder: Encoder, data: Dataset, subset: Subset) -> Calibration | None:
    """Measure every sketch of a subset against all its photos; None where there is nothing to fit.

    Args:
        encoder: on the device that computes.
        data: what the subset is part of.
        subset: not trained on.
    """
    if not len(subset.sketches) or not len(subset.photos):
        return None
    pack = data.pack
    step = -(-len(subset.sketches) * len(subset.photos) // MAX_PAIRS)
    rows = subset.sketches[::step]
    photos = embed_pixels(encoder, pack.photos, subset.photos)
    sketches = embed_pixels(encoder, pack.sketches, rows)
    with torch.inference_mode():
        distances = pairwise(sketches, photos).numpy().ravel()
    relevant = pack.sketch_category[rows][:, np.newaxis] == pack.photo_category[subset.photos]
    return fit_calibration(distances, relevant.ravel())
