"""The types of images that Python users give, and what they are called in messages."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sketchy.errors import ImageError
from sketchy.paths import as_path

AnyKind = Literal["auto", "photo", "sketch"]
"""A kind of images; "auto" takes each image for what it is, see `sketchy.photo_or_drawing`."""
ImageLike = str | PathLike[str] | bytes | Image.Image | NDArray[np.uint8]
"""A path, the content of a file, a Pillow image, or pixels of shape (H, W), (H, W, 3) or (H, W, 4), uint8."""


def names_of(images: Sequence[ImageLike]) -> list[str]:
    """Return the names of images in messages."""
    return [
        str(Path(image)) if isinstance(image, str | PathLike) else f"image {index}"
        for index, image in enumerate(images)
    ]


def as_sequence(images: ImageLike | Sequence[ImageLike]) -> Sequence[ImageLike]:
    """Return a list of the image or images."""
    if isinstance(images, str | PathLike | bytes | Image.Image | np.ndarray):
        return [images]
    return list(images)


@contextmanager
def naming_image(name: str, kind: AnyKind) -> Iterator[None]:
    """Add the name of the image, and what to do, to any ImageError of the block."""
    try:
        yield
    except ImageError as error:
        noun = "query" if kind == "auto" else kind
        raise ImageError(f"cannot use {name} as a {noun}: {error}{_remedy(str(error), kind)}") from None


def _remedy(reason: str, kind: AnyKind) -> str:
    """Return what to do about an image that cannot be used; empty if the reason says it already."""
    if ";" in reason:
        return ""
    if reason.startswith("too large"):
        return "; give a smaller one"
    if reason.startswith("the sketch is blank"):
        return "; draw larger, or with darker lines"
    return f"; give {'a photo' if kind == 'photo' else 'a drawing'} as PNG or JPEG"


def loadable(image: ImageLike) -> Path | bytes | Image.Image:
    """Convert an image to a type that `Preprocess.load` accepts."""
    if isinstance(image, bytes | Image.Image):
        return image
    if isinstance(image, np.ndarray):
        is_image = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (3, 4))
        if not is_image or image.dtype != np.uint8 or not image.size:
            raise ValueError(
                f"an array of shape {image.shape} and type {image.dtype} is not an image; give (H, W), (H, W, 3) or "
                "(H, W, 4) as uint8"
            )
        return Image.fromarray(np.ascontiguousarray(image))
    if isinstance(image, str | PathLike):
        return as_path(os.fspath(image))
    raise TypeError(f"{type(image).__name__} is not an image; give a path, bytes, a Pillow image or an array")
