#!/usr/bin/env python3
"""Compare the calibrated score of checkpoints with their test splits: of hits scored 0.7, are 70 % right?

Usage: .venv/bin/python scripts/check_score.py runs/a/best.pth runs/b/best.pth
The score was fitted on the validation split; the sketches and photos here were neither trained nor fitted on.
"""

import sys
from pathlib import Path

import numpy as np

from sketchy.dataset.loader import load_dataset
from sketchy.distance import pairwise
from sketchy.inference.torch_engine import embed_pixels, read_checkpoint

HITS = 10
LEVELS = (0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1)


def check(path: Path) -> None:
    checkpoint = read_checkpoint(path)
    if checkpoint.calibration is None:
        raise SystemExit(f"{path} has no calibration; only best.pth of a finished run does")
    encoder, data = checkpoint.encoder(), load_dataset(checkpoint.config)
    subset, pack = data.parts["test"], data.pack
    photos = embed_pixels(encoder, pack.photos, "photo", subset.photos)
    sketches = embed_pixels(encoder, pack.sketches, "sketch", subset.sketches)
    nearest = pairwise(sketches, photos).topk(HITS, largest=False)
    found = pack.photo_category[subset.photos][nearest.indices.numpy()]
    right = (found == pack.sketch_category[subset.sketches][:, np.newaxis]).ravel()
    known = checkpoint.calibration
    scores = np.interp(nearest.values.numpy().ravel(), known.distances, known.probabilities)
    bins = np.clip(np.searchsorted(LEVELS, scores, side="right") - 1, 0, len(LEVELS) - 2)
    print(f"{path}: {len(scores):,} hits, the {HITS} nearest of {len(sketches):,} sketches")
    error = 0.0
    for bin_ in np.unique(bins):
        inside = bins == bin_
        error += inside.mean() * abs(scores[inside].mean() - right[inside].mean())
        print(f"  score {scores[inside].mean():.3f}  right {right[inside].mean():.3f}  hits {inside.sum():,}")
    print(f"  expected calibration error {error:.3f}")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        check(Path(name))
