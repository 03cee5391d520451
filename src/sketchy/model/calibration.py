"""The calibrated score: how likely a photo at some distance is of the sketched category.

Distances of two models mean different things; this probability means the same for all. It is fitted on the validation
split and holds for galleries like it: among photos of which fewer are relevant, a hit is less likely to be right.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FIRST_BIN = 16
BIN_GROWTH = 1.05
"""Pairs in the nearest bin, and how much larger each further one is: nearest neighbours are few, and matter most."""


@dataclass(frozen=True)
class Calibration:
    """Probabilities at some distances, with straight lines between them and level beyond the ends.

    Attributes:
        distances: ascending.
        probabilities: never rising, in (0, 1).
    """

    distances: tuple[float, ...]
    probabilities: tuple[float, ...]

    def score(self, distance: float) -> float:
        """Return the probability that a photo at this distance is of the sketched category."""
        return float(np.interp(distance, self.distances, self.probabilities))


def fit_calibration(distances: NDArray[np.floating], relevant: NDArray[np.bool_]) -> Calibration | None:
    """Fit a probability that never rises with the distance: isotonic regression over bins of growing size.

    Args:
        distances: (N,) of pairs of a sketch and a photo.
        relevant: (N,) whether the two are of one category.

    Returns:
        None where all pairs, or none, are relevant: there is nothing to tell apart.
    """
    if not relevant.any() or relevant.all():
        return None
    order = np.argsort(distances, kind="stable")
    starts, size = [0], float(FIRST_BIN)
    while starts[-1] + size < len(order) - size:  # the last bin takes the rest
        starts.append(starts[-1] + int(size))
        size *= BIN_GROWTH
    counts = np.diff([*starts, len(order)])
    hits = np.add.reduceat(relevant[order].astype(np.float64), starts)
    sums = np.add.reduceat(distances[order].astype(np.float64), starts)
    blocks = _pooled(counts.tolist(), hits.tolist(), sums.tolist())
    centres = [total / count for count, _, total in blocks]
    # Half a hit and half a miss more in each block: a few right pairs are no certainty.
    smoothed = np.minimum.accumulate([(right + 0.5) / (count + 1) for count, right, _ in blocks])
    return Calibration(tuple(centres), tuple(float(value) for value in smoothed))


def _pooled(counts: list[int], hits: list[float], sums: list[float]) -> list[tuple[int, float, float]]:
    """Join neighbouring bins until the share of hits never rises: pool adjacent violators.

    Returns:
        Pairs, hits and summed distance of each block.
    """
    blocks: list[tuple[int, float, float]] = []
    for block in zip(counts, hits, sums, strict=True):
        while blocks and block[1] / block[0] >= blocks[-1][1] / blocks[-1][0]:
            before = blocks.pop()
            block = (before[0] + block[0], before[1] + block[1], before[2] + block[2])
        blocks.append(block)
    return blocks
