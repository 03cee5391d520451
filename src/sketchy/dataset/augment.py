"""Random changes to the images of a training batch, against overfitting to a small dataset."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor, to_pil_image

from sketchy.config import AugmentConfig
from sketchy.runtime import to_device

GREY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in brightness (ITU-R BT.601)."""
JPEG_QUALITY = (10, 50)
"""Lowest and highest quality of photos that are compressed."""

Uniform = Callable[..., Tensor]
"""Draws float32 from [0, 1) of the shape that is given."""


class Changes(NamedTuple):
    """The random changes of B pairs of a sketch and a photo, on the device of the images but for `quality`.

    Attributes:
        sketch_frame: (B, 2, 3) float, affine map from coordinates in the result to those in the sketch, in [-1, 1].
        photo_frame: (B, 2, 3) float, the same for photos.
        thick: (B,) bool, whether the strokes of a sketch grow by a pixel on each side.
        color: (B, 3) float, factors of a photo's brightness, contrast and saturation.
        quality: (B,) int64, on the CPU, quality at which `compress_photos` compresses a photo; 0 leaves it as it is.
            None compresses none.
        photo_size: Side of the changed photos in pixels; None keeps that of the photos.
    """

    sketch_frame: Tensor
    photo_frame: Tensor
    thick: Tensor
    color: Tensor
    quality: Tensor | None = None
    photo_size: int | None = None

    def share(self, rows: slice | NDArray[np.bool_]) -> "Changes":
        """Return the changes of some of the pairs, named by a slice or a mask of shape (B,)."""
        sketch_frame, photo_frame, thick, color, quality, size = self
        quality = None if quality is None else quality[rows]
        return Changes(sketch_frame[rows], photo_frame[rows], thick[rows], color[rows], quality, size)

    def kept(self) -> NDArray[np.bool_]:
        """Return which photos are not compressed, shape (B,)."""
        return np.ones(len(self.color), bool) if self.quality is None else (self.quality == 0).numpy()

    def to(self, device: torch.device) -> "Changes":
        """Return the changes on the device of the images, without waiting for it."""
        frames = to_device(self.sketch_frame, device), to_device(self.photo_frame, device)
        thick, color = to_device(self.thick, device), to_device(self.color, device)
        return Changes(*frames, thick, color, self.quality, self.photo_size)


@dataclass(frozen=True, kw_only=True)
class Augmenter:
    """Draws random changes.

    Sketch and photo of a pair are mirrored together, so that a drawing still shows its photo; everything else is drawn
    for each of them.

    Attributes:
        flip: Fraction of the pairs that are mirrored, in [0, 1].
        rotate: Largest rotation to either side, in degrees.
        scale: Zoom in or out by a factor of up to 1 + `scale`.
        shift: Largest move to any side, as a fraction of the image's side.
        crop: Largest fraction of a photo's side that is cut away, in [0, 1).
        stroke: Fraction of the sketches whose strokes are thickened, in [0, 1].
        color: Largest change of brightness, contrast and saturation, as a fraction of each, in [0, 1).
        jpeg: Fraction of the photos that are compressed as JPEGs of poor quality, in [0, 1].
        photo_size: Side of the changed photos in pixels; None keeps that of the photos. With `crop`, objects in smaller
            photos are as large as in whole photos of full size (Touvron et al., "Fixing the train-test resolution
            discrepancy", 2019).
    """

    flip: float
    rotate: float
    scale: float
    shift: float
    crop: float
    stroke: float
    color: float
    jpeg: float
    photo_size: int | None

    def draw(self, pairs: int, generator: torch.Generator) -> Changes:
        """Draw the changes of a whole batch, before it is split among the ranks, so that all ranks draw the same."""
        uniform = partial(torch.rand, generator=generator)
        mirror = 1 - 2 * (uniform(pairs) < self.flip).float()
        return Changes(
            sketch_frame=self._frames(mirror, uniform),
            photo_frame=self._frames(mirror, uniform, self.crop),
            thick=uniform(pairs) < self.stroke,
            color=1 + self.color * (2 * uniform(pairs, 3) - 1),
            quality=self._quality(pairs, uniform) if self.jpeg else None,
            photo_size=self.photo_size,
        )

    def _frames(self, mirror: Tensor, uniform: Uniform, crop: float = 0.0) -> Tensor:
        pairs = len(mirror)
        angle = math.radians(self.rotate) * (2 * uniform(pairs) - 1)
        zoom = (1 + self.scale) ** (2 * uniform(pairs) - 1)
        cos, sin = zoom * angle.cos(), zoom * angle.sin()
        move = 2 * self.shift * (2 * uniform(pairs, 2) - 1)
        if crop:
            kept = (1 - crop) ** uniform(pairs)
            cos, sin = kept * cos, kept * sin
            move = move + (1 - kept)[:, None] * (2 * uniform(pairs, 2) - 1)
        rows = [torch.stack([cos * mirror, -sin], 1), torch.stack([sin * mirror, cos], 1)]
        return torch.cat([torch.stack(rows, 1), move[:, :, None]], 2)

    def _quality(self, pairs: int, uniform: Uniform) -> Tensor:
        lowest, highest = JPEG_QUALITY
        quality = lowest + (highest + 1 - lowest) * uniform(pairs)
        return torch.where(uniform(pairs) < self.jpeg, quality, 0).long()


def change_sketches(images: Tensor, changes: Changes) -> Tensor:
    """Move sketches on white paper, and thicken the strokes of some.

    Args:
        images: Sketches, shape (B, 1, S, S), uint8, dark ink on white.
        changes: Changes of B pairs.

    Returns:
        Sketches of the same shape, dtype and device.
    """
    ink = 255 - images.float()
    ink = torch.where(changes.thick[:, None, None, None], F.max_pool2d(ink, 3, stride=1, padding=1), ink)
    return _to_uint8(255 - _warp(ink, changes.sketch_frame, images.shape[-1], beyond="zeros"))


def change_photos(images: Tensor, changes: Changes) -> Tensor:
    """Move photos, mirrored beyond their edges, and change their brightness, contrast and saturation.

    Args:
        images: Photos, shape (B, C, S, S), uint8, where C is 1 or 3.
        changes: Changes of B pairs.

    Returns:
        Photos of shape (B, C, photo_size, photo_size), of the same dtype and device.
    """
    pixels = _warp(images.float(), changes.photo_frame, changes.photo_size or images.shape[-1], beyond="reflection")
    brightness, contrast, saturation = changes.color.T[..., None, None, None]
    pixels = pixels * brightness
    mean = pixels.mean((1, 2, 3), keepdim=True)
    pixels = mean + (pixels - mean) * contrast
    if images.shape[1] == 3:
        red, green, blue = (weight * pixels[:, channel, None] for channel, weight in enumerate(GREY))
        grey = red + green + blue
        pixels = grey + (pixels - grey) * saturation
    return _to_uint8(pixels)


def compress_photos(images: Tensor, quality: Tensor) -> Tensor:
    """Encode photos as JPEGs, and decode them.

    Args:
        images: Photos on the CPU, shape (B, C, S, S), uint8.
        quality: The quality of each, shape (B,), int64, from 1 to 95.

    Returns:
        Photos of the same shape and dtype.
    """
    found = torch.empty_like(images)
    for row, level in enumerate(quality.tolist()):
        content = BytesIO()
        to_pil_image(images[row]).save(content, "JPEG", quality=level)
        found[row] = pil_to_tensor(Image.open(content))
    return found


def _warp(pixels: Tensor, frames: Tensor, side: int, beyond: str) -> Tensor:
    if not len(pixels):  # all photos of a batch may be compressed; torch makes no grid for none
        return pixels.new_empty(0, pixels.shape[1], side, side)
    grid = F.affine_grid(frames, [*pixels.shape[:2], side, side], align_corners=False)
    return F.grid_sample(pixels, grid, padding_mode=beyond, align_corners=False)


def _to_uint8(pixels: Tensor) -> Tensor:
    return pixels.round().clamp(0, 255).to(torch.uint8)


def build_augmenter(config: AugmentConfig) -> Augmenter | None:
    """Make the augmenter that the config describes; None if it changes nothing."""
    settings = config.model_dump(exclude={"strokes"})  # which alters drawings before they are images
    return Augmenter(**settings) if any(settings.values()) else None
