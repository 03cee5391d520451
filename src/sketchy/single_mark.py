"""Tell a dot or a single line from a drawing, of which nothing can be found yet."""

import numpy as np
from numpy.typing import NDArray

STRAIGHT = 0.1
"""Greatest width of a line over its length, beyond PIXELS; a hand is not steady. Measured in docs/benchmarks.md."""
PIXELS = 2
"""Width of a thin line, in pixels."""
SOLID = 0.65
"""Least share of ink, in the rectangle along its axes, of a dot or a short thick line; a disc has 0.785."""


def is_single_mark(drawing: NDArray[np.uint8]) -> bool:
    """Return whether a drawing is only a dot or one more or less straight line.

    Args:
        drawing: A preprocessed sketch, shape (1, S, S), dark ink on white (255).
    """
    points = np.argwhere(drawing[0] < 128).astype(np.float64)
    if len(points) < 3:
        return True
    points -= points.mean(0)
    along, across = (points @ np.linalg.eigh(points.T @ points)[1][:, ::-1]).T
    length, width = np.ptp(along) + 1, np.ptp(across) + 1
    return bool(width - PIXELS <= STRAIGHT * length or len(points) >= SOLID * length * width)
