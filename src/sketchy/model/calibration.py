"""The calibrated score: how likely a photo at some distance is of the sketched category.

Distances of two models cannot be compared, but these probabilities can. They are fitted on the validation split and
hold for galleries like it: in a gallery with fewer relevant photos, a hit is less likely to be right.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FIRST_BIN = 16
BIN_GROWTH = 1.05
"""Pairs in the nearest bin, and the growth of each further one: the nearest pairs are few, and matter most."""


@dataclass(frozen=True)
class Calibration:
    """Probabilities at some distances, linearly interpolated between them and constant beyond the ends.

    Attributes:
        distances: Distances in ascending order.
        probabilities: Probabilities in (0, 1), never increasing.
    """

    distances: tuple[float, ...]
    probabilities: tuple[float, ...]

    def score(self, distance: float) -> float:
        """Return the probability that a photo at this distance is of the sketched category."""
        return float(np.interp(distance, self.distances, self.probabilities))


def fit_calibration(distances: NDArray[np.floating], relevant: NDArray[np.bool_]) -> Calibration | None:
    """Fit a probability that never increases with the distance: isotonic regression over bins of growing size.

    Args:
        distances: Distances of pairs of a sketch and a photo, shape (N,).
        relevant: Whether the two are of one category, shape (N,).

    Returns:
        The calibration; None if all pairs, or none, are relevant.
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
    # Half a hit and half a miss are added to each block: a few hits are no certainty.
    smoothed = np.minimum.accumulate([(right + 0.5) / (count + 1) for count, right, _ in blocks])
    return Calibration(tuple(centres), tuple(float(value) for value in smoothed))


def _pooled(counts: list[int], hits: list[float], sums: list[float]) -> list[tuple[int, float, float]]:
    """Merge neighbouring bins until the share of hits never increases: pool adjacent violators.

    Returns:
        Count of pairs, count of hits and sum of distances of each block.
    """
    blocks: list[tuple[int, float, float]] = []
    for block in zip(counts, hits, sums, strict=True):
        while blocks and block[1] / block[0] >= blocks[-1][1] / blocks[-1][0]:
            before = blocks.pop()
            block = (before[0] + block[0], before[1] + block[1], before[2] + block[2])
        blocks.append(block)
    return blocks
