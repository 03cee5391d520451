"""Light and chance for the photos of the demo set: noise, linear colours, one lamp and a sky."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from PIL import Image

from sketchy.dataset.demo.shapes import Array, Color


def linear(color: Color) -> Array:
    """Return an sRGB colour as the amounts of light it stands for, (3,) float32."""
    return (np.array(color, np.float32)) ** 2.2


def noise(rng: Generator, shape: tuple[int, int], rows: float, columns: float, octaves: int = 4) -> Array:
    """Return cloudy noise of that shape, about -1 to 1, whose largest clouds number `rows` by `columns`."""
    height, width = shape
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        size = (max(2, round(columns * 2**octave)), max(2, round(rows * 2**octave)))
        if size[0] > width and size[1] > height:
            break
        grid = rng.random((size[1], size[0]), np.float32) * 2 - 1
        total += np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)) / 1.9**octave
    return total / 1.4


@dataclass(frozen=True, eq=False)
class Light:
    """A lamp in one direction and a glow from all around, brighter from above."""

    toward: tuple[float, float, float]
    lamp: Array
    above: Array
    below: Array

    @classmethod
    def draw(cls, rng: Generator) -> "Light":
        """Return a light from somewhere above, in front of the thing."""
        direction = np.array([rng.uniform(-0.75, 0.75), -rng.uniform(0.35, 0.8), rng.uniform(0.5, 0.9)])
        direction /= np.linalg.norm(direction)
        warm = rng.normal(0.04, 0.05)
        hard = rng.uniform(0.6, 1.1)
        lamp = hard * np.array([1 + warm, 1, 1 - warm], np.float32)
        around = (1.35 - hard) * 0.75
        toward = (float(direction[0]), float(direction[1]), float(direction[2]))
        return cls(toward, lamp, np.full(3, around, np.float32), np.full(3, around / 2, np.float32))

    def tinted(self, backdrop: Array) -> "Light":
        """Return the light as the surroundings colour it: the picture's top from above, its bottom from below."""
        top, bottom = backdrop[:80].mean((0, 1)), backdrop[-80:].mean((0, 1))
        sky, ground = top / (top.mean() + 0.02), bottom / (bottom.mean() + 0.02)
        return replace(self, above=self.above * (0.5 + 0.5 * sky), below=self.below * (0.35 + 0.65 * ground))

    def shine(self, albedo: Array, normal: Array, gloss: float) -> Array:
        """Return the light that a surface sends to the viewer, (H, W, 3).

        Args:
            albedo: (H, W, 3), the share of each colour it throws back.
            normal: (H, W, 3) unit vectors.
            gloss: 0 matt, 0.5 glazed, 1 polished metal.
        """
        facing = np.maximum(normal @ np.array(self.toward, np.float32), 0)[..., None]
        up = 0.5 - 0.5 * normal[..., 1:2]
        around = self.below + (self.above - self.below) * up
        color = albedo * (around + self.lamp * facing)
        if gloss:
            half = np.array(self.toward, np.float32) + np.array([0, 0, 1], np.float32)
            glint = np.maximum(normal @ (half / np.linalg.norm(half)), 0)[..., None]
            mirrored = 2 * normal[..., 2:] * normal - np.array([0, 0, 1], np.float32)
            room = self.below + (self.above - self.below) * (0.5 - 0.9 * mirrored[..., 1:2]).clip(0, 1.4)
            room = room * (1 + 0.5 * np.sin(7 * mirrored[..., 1:2] + 2 * mirrored[..., :1]))
            metal = max(0.0, 2 * gloss - 1) * 0.85
            edge = (1 - np.clip(normal[..., 2:], 0, 1)) ** 3
            color = color * (1 - metal) + 2.2 * metal * albedo * room
            color = color + gloss * (0.6 * glint**60 + 0.12 * glint**12) * self.lamp.mean() + 0.5 * gloss * edge * room
        return np.asarray(color, np.float32)
