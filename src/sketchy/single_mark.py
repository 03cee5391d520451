"""Tell a dot or a single line from a drawing, of which nothing can be found yet."""

import numpy as np
from numpy.typing import NDArray

STRAIGHT = 0.1
"""Greatest width of a line over its length, beyond PIXELS; a hand is not steady. Measured in docs/benchmarks.md."""
PIXELS = 2
"""Width of a thin line, in pixels."""
SOLID = 0.85
"""Least area of a dot or a short thick line over that of the ellipse with its moments of inertia.

Dots have 0.93 to 1, even the few pixels of a thin pen; a triangle has 0.83. Of 1,500 drawings, the most had 0.63.
"""


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
    if width - PIXELS <= STRAIGHT * length:
        return True
    moments = points.T @ points / len(points) + np.eye(2) / 12  # a pixel is a square
    return bool(len(points) >= SOLID * 4 * np.pi * np.sqrt(np.linalg.det(moments)))
