"""Pseudo-sketches: edge maps of photos, incomplete and displaced as drawings are, to pair each photo with."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from sketchy.model.gradients import FAINT, gradients, shrunk

BLURS = 0.7, 2.5
"""Range of the standard deviation of the blur before edges are found, in pixels."""
EDGES = 0.02, 0.10
"""Range of the share of the pixels that become ink."""
MISSING = 0.1, 0.45
"""Range of the share of the drawing that is left out."""
PATCHES = 10
"""What is left out are smooth patches, this many per side."""
SHIFT, ZOOM, ROTATION = 0.06, 0.08, 0.07
"""Largest displacement, as a share of half the side; change of scale; rotation in radians."""


class PseudoSketches:
    """Pseudo-sketches of packed photos, drawn when they are read; drawn again, they differ.

    Args:
        photos: Shape (N, C, S, S), uint8.
        side: Pixels per side of the sketches.
        seed: Seed of what differs from sketch to sketch.
    """

    def __init__(self, photos: NDArray[np.uint8], side: int, seed: int) -> None:
        self.photos = photos
        self.side = side
        self.generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Draw the photos at these rows, shape (B, 1, side, side)."""
        return pseudo_sketches(torch.from_numpy(self.photos[rows]), self.side, self.generator).numpy()


def pseudo_sketches(photos: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Draw the edges of photos.

    Args:
        photos: Shape (B, C, S, S), uint8.
        side: Pixels per side of the sketches.
        generator: Draws what differs from sketch to sketch, on the CPU.

    Returns:
        Sketches, shape (B, 1, side, side), uint8, black lines on white.
    """

    def between(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(len(photos), *shape, generator=generator)

    edges = _thin_edges(shrunk(photos.float().mean(1) / 255, side, float(between(*BLURS)[0])))
    count = (between(*EDGES) * side**2).long()
    least = edges.flatten(1).sort(1, descending=True).values.gather(1, count[:, None])[:, :, None]
    ink = ((edges >= least) & (edges > FAINT)).float()
    patches = F.interpolate(
        torch.rand(len(photos), 1, PATCHES, PATCHES, generator=generator), size=side, mode="bilinear"
    )
    ink = ink * (patches[:, 0] > between(*MISSING, 1, 1))
    zoom, angle = between(1 - ZOOM, 1 + ZOOM), between(-ROTATION, ROTATION)
    rows = torch.stack([zoom * angle.cos(), -zoom * angle.sin(), zoom * angle.sin(), zoom * angle.cos()], 1)
    moved = torch.cat([rows.view(-1, 2, 2), between(-SHIFT, SHIFT, 2, 1)], 2)
    grid = F.affine_grid(moved, [len(photos), 1, side, side], align_corners=False)
    return ((1 - F.grid_sample(ink[:, None], grid, align_corners=False)) * 255).clamp(0, 255).byte()


def _thin_edges(grey: Tensor) -> Tensor:
    """Return the strength of the gradients of (B, S, S) images where it is largest across the edge, elsewhere 0."""
    right, down = gradients(grey)
    strength = (right.square() + down.square()).sqrt()
    around = F.pad(strength, (1, 1, 1, 1))
    across = (strength >= around[:, 1:-1, 2:]) & (strength > around[:, 1:-1, :-2])
    along = (strength >= around[:, 2:, 1:-1]) & (strength > around[:, :-2, 1:-1])
    return strength * torch.where(right.abs() > down.abs(), across, along)
