"""How a thing of the demo set stands in its picture: turned, stretched, scaled and moved."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from sketchy.dataset.demo.shapes import Part, Points

SIZE = 256
"""Side of every picture in pixels."""


@dataclass(frozen=True, eq=False)
class Pose:
    """A place in the picture: pixels = matrix @ own coordinates + shift; `bottom` is the thing's lowest pixel row."""

    matrix: Points
    shift: Points
    bottom: float

    @property
    def scale(self) -> float:
        """Pixels to one of the thing's own units."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix))))

    def place(self, path: Points) -> Points:
        """Return a path in pixels."""
        return path @ self.matrix.T + self.shift

    def local(self, columns: slice, rows: slice) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return x and y, each (rows, columns), in the thing's own coordinates of a window of the picture."""
        x, y = np.arange(columns.start, columns.stop) + 0.5, np.arange(rows.start, rows.stop) + 0.5
        back = np.linalg.inv(self.matrix)
        dx, dy = (x - self.shift[0])[None], (y - self.shift[1])[:, None]
        across, down = back[0, 0] * dx + back[0, 1] * dy, back[1, 0] * dx + back[1, 1] * dy
        return across.astype(np.float32), down.astype(np.float32)


def draw_pose(parts: Sequence[Part], rng: Generator, tilt: float, flip: bool) -> Pose:
    """Return a pose that keeps the thing whole inside the picture.

    Args:
        parts: of the thing.
        rng: draws the pose.
        tilt: degrees that it may lean to either side.
        flip: whether it may look to the left.
    """
    angle = np.radians(rng.uniform(-tilt, tilt))
    spin = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    stretch = np.diag(np.array([1.0, rng.uniform(0.92, 1.08)]))
    lean = np.array([[1.0, rng.normal(0, 0.03)], [0.0, 1.0]])
    turn = np.diag(np.array([-1.0 if flip and rng.random() < 0.5 else 1.0, 1.0]))
    matrix = spin @ lean @ stretch @ turn
    spread = np.concatenate([path for part in parts for path in part.paths]) @ matrix.T
    low, high = spread.min(0), spread.max(0)
    room = SIZE * rng.uniform(0.58, 0.9)
    zoom = room / float((high - low).max())
    free = SIZE - zoom * (high - low)
    corner = free * np.array([rng.uniform(0.2, 0.8), rng.uniform(0.3, 0.75)])
    shift = corner - zoom * low
    return Pose(zoom * matrix, shift, float((zoom * high + shift)[1]))
