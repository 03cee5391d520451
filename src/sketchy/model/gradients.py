"""A descriptor of oriented gradients: in which direction the lines of an image run, cell by cell.

Nothing of it is learnt, so that it tells scenes of things apart that no category of the training data has. It is a
histogram of oriented gradients (Dalal and Triggs, CVPR 2005), of the strongest edges of a photo only, since a person
draws few of them.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sketchy.image import Kind

ORIENTATIONS = 9
PIXELS_PER_CELL = 8
EDGES = 0.25
"""Share of a photo's pixels that count as edges."""
BLUR = 1.5
"""Standard deviation of the blur, in pixels of the shrunk image."""
FAINT = 0.002
"""Gradients below this are taken for rounding errors."""
INK = 192
"""Pixels below this value are ink."""
SPAN, LARGEST_MARGIN = 0.8, 0.3
"""A drawing that spans at least SPAN of the sheet in one direction has its margins cut off in the other, up to
LARGEST_MARGIN: the sheet was probably extended to a square there, while photos are stretched to one."""


class OrientedGradients(nn.Module):
    """Histograms of the orientations of gradients in the cells of a grid; without weights.

    Args:
        cells: Cells per side.
    """

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.side = cells * PIXELS_PER_CELL
        self.features = cells**2 * ORIENTATIONS

    def forward(self, images: Tensor, kind: Kind) -> Tensor:
        """Describe images of a kind.

        Args:
            images: Shape (B, C, S, S), uint8.
            kind: The kind of all of them.

        Returns:
            Shape (B, features), float32, of length 1; zero for an image without edges.
        """
        grey = images.float().mean(1)
        grey = shrunk(grey / 255, self.side, BLUR, margins(grey) if kind == "sketch" else None)
        right, down = gradients(grey)
        strength = (right.square() + down.square()).sqrt()
        weight = strong(strength) if kind == "photo" else F.relu(strength - FAINT)
        squared = strength.square().clamp(min=FAINT**2)
        cosine, sine = (right.square() - down.square()) / squared, 2 * right * down / squared  # of the doubled angle
        angles = torch.arange(ORIENTATIONS, device=images.device) * (2 * math.pi / ORIENTATIONS)
        along = cosine[:, None] * angles.cos()[:, None, None] + sine[:, None] * angles.sin()[:, None, None]
        # Sharpened, so that it counts little for other orientations; `** 4` is slow in ONNX.
        sharpened = F.relu(along).square().square()
        histograms = F.avg_pool2d(sharpened * weight[:, None], PIXELS_PER_CELL).flatten(1)
        total = histograms.sum(1, keepdim=True).clamp(min=1e-6)  # an ONNX export drops a tiny summand that avoids 0 / 0
        return (histograms / total).sqrt()


def shrunk(grey: Tensor, side: int, blur: float, cut: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Blur and shrink (B, S, S) images to (B, side, side).

    Args:
        grey: The images, float.
        side: Pixels per side of the result.
        blur: Standard deviation of the Gaussian, in pixels of the result.
        cut: Share of the height and of the width to cut off at either end, shape (B,) each; None cuts nothing.
    """
    down, right = cut or (grey.new_zeros(1), grey.new_zeros(1))
    return _weights(grey.shape[1], side, blur, down) @ grey @ _weights(grey.shape[2], side, blur, right).transpose(1, 2)


def _weights(size: int, side: int, blur: float, cut: Tensor) -> Tensor:
    """Return the weights of `size` pixels for each of `side` pixels, shape (B, side, size), given cuts (B,)."""
    step = ((1 - 2 * cut) * size / side)[:, None, None]
    centres = (cut * size)[:, None, None] + (torch.arange(side, device=cut.device) + 0.5)[:, None] * step
    pixels = torch.arange(size, device=cut.device) + 0.5
    return torch.softmax(-0.5 * ((centres - pixels) / (blur * step)).square(), dim=2)


def gradients(grey: Tensor) -> tuple[Tensor, Tensor]:
    """Return the central differences of (B, S, S) images to the right and downwards, with the same shape."""
    padded = F.pad(grey[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    return padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2], padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]


def strong(strength: Tensor) -> Tensor:
    """Return by how much each gradient of (B, S, S) photos exceeds the least one of an edge, in the same shape.

    The excess, not a mask, so that rounding errors change a descriptor by no more than rounding errors.
    """
    kept = max(1, int(EDGES * strength.shape[1] * strength.shape[2]))
    least = strength.flatten(1).topk(kept).values[:, -1]
    return F.relu(strength - least.clamp(min=FAINT)[:, None, None])


def margins(grey: Tensor) -> tuple[Tensor, Tensor]:
    """Return which share of the height and of the width to cut off at either end of drawings, shape (B,) each.

    Args:
        grey: Drawings, shape (B, S, S), 0 to 255.
    """
    ink = (grey < INK).float()
    (above, tall), (beside, wide) = _extent(ink.amax(2)), _extent(ink.amax(1))
    cut_down = torch.where(wide >= SPAN, above.clamp(max=LARGEST_MARGIN), 0.0)
    return cut_down, torch.where(tall >= SPAN, beside.clamp(max=LARGEST_MARGIN), 0.0)


def _extent(inked: Tensor) -> tuple[Tensor, Tensor]:
    """Return the smaller margin and the span of what is inked (B, S), as shares of S; blank ones have no span."""
    size = inked.shape[1]
    index = torch.arange(size, device=inked.device)
    first, end = size - (inked * (size - index)).amax(1), (inked * (index + 1)).amax(1)
    return torch.minimum(first, size - end) / size, (end - first) / size
