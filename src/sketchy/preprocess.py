"""Turn an opened image into the pixels that the network takes."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sketchy.image import Kind, open_image
from sketchy.ink import normalise

if TYPE_CHECKING:
    from sketchy.config import ImageConfig


@dataclass(frozen=True)
class Preprocess:
    """The preprocessing of images; saved with the weights.

    Photos are stretched to a square, as those of the Sketchy Database were. The canvas of a sketch is extended to a
    square instead, which keeps the proportions of what was drawn; but a drawing that covers its canvas shows a whole
    scene, whose parts lie where they lie in the photo only if it is stretched, too.

    Attributes:
        size: Width and height of a preprocessed photo in pixels.
        color: Whether photos have one channel or three; sketches always have one.
        sketch_crop: Crop a sketch to its ink if the ink spans at most this share of the canvas; 0 never crops, 1
            always.
        sketch_size: Width and height of a preprocessed sketch in pixels; None for `size`.
        sketch_stretch: Stretch a sketch whose ink spans at least this share of the canvas's width and of its height;
            None never does.
    """

    size: int
    color: Literal["grey", "rgb"]
    sketch_crop: float
    sketch_size: int | None = None
    sketch_stretch: float | None = None

    def shape(self, kind: Kind) -> tuple[int, int, int]:
        """Return the shape of a preprocessed image: channels, height and width."""
        if kind == "sketch":
            side = self.sketch_size or self.size
            return 1, side, side
        return 3 if self.color == "rgb" else 1, self.size, self.size

    def photo(self, image: Image.Image) -> NDArray[np.uint8]:
        """Preprocess a photo that `open_image` returned.

        Returns:
            Pixels, shape (1, size, size) or (3, size, size), uint8, C-contiguous, antialiased.
        """
        mode = "L" if self.color == "grey" else "RGB"
        pixels = image if image.mode == mode else image.convert(mode)
        shrunk = pixels.resize((self.size, self.size), Image.Resampling.BILINEAR, reducing_gap=3.0)
        # Pillow separates the channels eight times as fast as NumPy transposes them.
        channels = bytearray().join(shrunk.tobytes("raw", channel) for channel in mode)
        return np.frombuffer(channels, np.uint8).reshape(-1, self.size, self.size)

    def sketch(self, image: Image.Image) -> NDArray[np.uint8]:
        """Preprocess a sketch that `open_image` returned; see `sketchy.ink`.

        Returns:
            Pixels, shape (1, sketch_size, sketch_size), uint8, dark ink on white (255).

        Raises:
            ImageError: The sketch is blank.
        """
        return normalise(image, self.shape("sketch")[1], self.sketch_crop, self.sketch_stretch)[np.newaxis]

    def load(self, source: Path | bytes | Image.Image, kind: Kind) -> NDArray[np.uint8]:
        """Open and preprocess an image; see `open_image`. Raises ImageError."""
        if kind == "photo":
            # The JPEG decoder shrinks coarsely, which does not show if we shrink by another 2 or more.
            return self.photo(open_image(source, at_least=2 * self.size))
        return self.sketch(open_image(source))


def build_preprocess(config: "ImageConfig") -> Preprocess:
    """Make the preprocessing of a config."""
    return Preprocess(config.size, config.color, config.sketch_crop, config.sketch_size, config.sketch_stretch)
