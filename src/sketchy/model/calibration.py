"""The calibrated score: how likely a photo shows what was drawn, in a gallery that may not show it at all.

Distances of two models cannot be compared, but these probabilities can. A score is the product of two of them, both
fitted on images that were not trained on: that the search found what was drawn at all, by the distance of the nearest
photo and the number of photos; and, if so, that a photo at some distance shows it. For the former, categories are left
out of the gallery.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

FIRST_BIN = 16
BIN_GROWTH = 1.05
"""Pairs in the nearest bin, and the growth of each further one: the nearest pairs are few, and matter most."""
NEAREST = 10
"""A search has found what was drawn if one of so many nearest photos shows it."""
MISSES = 0.1
"""Share of the searches that found what was drawn, of those that are fitted, that lie below the threshold."""
LEAST_PHOTOS = 32
"""Smaller galleries count as so large: about the smallest that are fitted."""
WEIGHTS = (0, 2, 3)
"""Possible numbers of weights: none and two in models of earlier versions."""
RIDGE = 1e-3
"""Weight of the squared weights in the fit, so that it ends if the two kinds of searches can be separated."""
STEPS = 50


@dataclass(frozen=True)
class Calibration:
    """The numbers of the calibrated score.

    Attributes:
        distances: Distances in ascending order.
        probabilities: Probabilities in (0, 1) that a photo at these distances shows what was drawn if any found photo
            does, never increasing; linearly interpolated between the distances and constant beyond the ends.
        weights: Weights of the logistic regression in `found`: constant, distance of the nearest photo, and logarithm
            of the number of photos, which models of earlier versions lack; empty in still earlier ones.
        threshold: Least probability of `found` at which a search fits well.
    """

    distances: tuple[float, ...]
    probabilities: tuple[float, ...]
    weights: tuple[float, ...] = ()
    threshold: float = 0.0

    @classmethod
    def from_plain(cls, entry: Mapping[str, Any]) -> Self:
        """Return the calibration of which `to_plain` made lists.

        Raises:
            KeyError, TypeError, ValueError: They are none, or of a later version.
        """
        if len(entry.get("weights", ())) not in WEIGHTS:
            raise ValueError("a calibration of another version")
        return cls(
            tuple(entry["distances"]),
            tuple(entry["probabilities"]),
            tuple(entry.get("weights", ())),
            entry.get("threshold", 0.0),
        )

    def to_plain(self) -> dict[str, Any]:
        """Return the fields as lists and numbers, for a file."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    def score(self, distance: float, found: float = 1.0) -> float:
        """Return the probability that a photo shows what was drawn.

        Args:
            distance: Distance of the photo.
            found: Probability that any found photo does, from `found`.
        """
        return found * float(np.interp(distance, self.distances, self.probabilities))

    def found(self, least: float, photos: int) -> float:
        """Return the probability that one of the NEAREST photos shows what was drawn; 1 without weights.

        Args:
            least: Distance of the nearest photo of the gallery.
            photos: Number of photos of the gallery.
        """
        if not self.weights:
            return 1.0
        features = _features(np.array([least]), np.array([photos]))[:, : len(self.weights)]
        return float(_sigmoid(features @ np.array(self.weights))[0])


def with_found(
    calibration: Calibration,
    least: NDArray[np.floating],
    photos: NDArray[np.integer],
    found: NDArray[np.bool_],
    present: NDArray[np.bool_],
) -> Calibration:
    """Fit the probability that a search found what was drawn: a logistic regression.

    The more photos there are, the nearer is the nearest that shows something else: by the theory of extreme values, by
    about the logarithm of their number. Distances of further photos add hardly anything.

    Args:
        calibration: The calibration to extend.
        least: Distance of the nearest photo of each search, shape (Q,).
        photos: Number of photos of the gallery of each search, shape (Q,).
        found: Whether one of the NEAREST photos shows what was drawn, shape (Q,).
        present: Whether the search counts for the threshold: a whole drawing in a whole gallery, shape (Q,).

    Returns:
        The calibration with weights and a threshold, or as it was if everything was found, or nothing.
    """
    if found.all() or not (found & present).any():
        return calibration
    features = _features(least, photos)
    weights = np.zeros(features.shape[1])
    for _ in range(STEPS):  # Newton's method
        likely = _sigmoid(features @ weights)
        slope = features.T @ (likely - found) + RIDGE * weights
        curvature = (features.T * (likely * (1 - likely))) @ features + RIDGE * np.eye(len(weights))
        weights = weights - np.linalg.solve(curvature, slope)
    threshold = np.quantile(_sigmoid(features[found & present] @ weights), MISSES)
    return replace(calibration, weights=tuple(weights.tolist()), threshold=float(threshold))


def _features(least: NDArray[np.floating], photos: NDArray[np.integer]) -> NDArray[np.float64]:
    return np.stack([np.ones(len(least)), least, np.log(np.maximum(photos, LEAST_PHOTOS))], 1)


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(values, -30, 30)))
    return result


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
