"""Open images from outside safely, and turn them into what the network sees."""

import contextlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageFilter, ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from sketchy.config import ImageConfig
from sketchy.errors import ImageError
from sketchy.ink import normalise

Kind = Literal["photo", "sketch"]
"""The two sorts of image; each has its own preprocessing."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
"""Lower-case suffixes of the files that count as images."""

MAX_PIXELS = 100_000_000
"""Larger images are refused before they are decoded: 100 megapixels are 300 MB in memory."""

FORMATS = (JpegImageFile, PngImageFile, WebPImageFile, GifImageFile, BmpImageFile, TiffImageFile)
"""What is opened, told by content and not by suffix; importing these registers them with Pillow."""

FOREIGN = {b"<svg": "SVG", b"%PDF": "PDF", b"ftyphei": "HEIC", b"ftypmif1": "HEIC", b"ftypavif": "AVIF"}
"""Marks near the start of files that people take for images of a known format."""


PAPERS = ((255, 255, 255), (0, 0, 0), (128, 128, 128), (255, 0, 255))
"""What transparent images are laid on, the first choice first; no colour is close to all of them."""

VANISHING = 64
"""Ink nearer than this to the colour of the paper, by the farthest channel, vanishes beside other ink."""


@dataclass(frozen=True)
class Preprocess:
    """What is done to an image before the network; saved with the weights.

    Photos are stretched to the square, as the Sketchy database stretched its own. Sketches never are: paper
    is added at the short sides, since a stretched stroke changes its width and what it shows its shape.

    Attributes:
        size: side of a photo's result in pixels.
        color: channels of a photo; a sketch always has one.
        sketch_crop: crop to the ink when it spans at most this share of the canvas; 0 never, 1 always.
        sketch_size: side of a sketch's result; None takes `size`.
    """

    size: int
    color: Literal["grey", "rgb"]
    sketch_crop: float
    sketch_size: int | None = None

    def shape(self, kind: Kind) -> tuple[int, int, int]:
        """Return channels, height and width of what comes out."""
        if kind == "sketch":
            side = self.sketch_size or self.size
            return 1, side, side
        return 3 if self.color == "rgb" else 1, self.size, self.size

    def photo(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return (1, size, size) when grey or (3, size, size) when rgb, uint8, C-contiguous.

        Antialiased when shrunk. `image` is as `open_image` gives it.
        """
        pixels = _as_mode(image, "L" if self.color == "grey" else "RGB")
        shrunk = pixels.resize((self.size, self.size), Image.Resampling.BILINEAR, reducing_gap=3.0)
        array = np.asarray(shrunk).reshape(self.size, self.size, -1)
        return np.ascontiguousarray(array.transpose(2, 0, 1))

    def sketch(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return (1, sketch_size, sketch_size) uint8, dark ink on white 255; see `sketchy.ink`.

        `image` is as `open_image` gives it. Raises ImageError when there is no ink.
        """
        return normalise(image, self.shape("sketch")[1], self.sketch_crop)[np.newaxis]

    def load(self, source: Path | bytes, kind: Kind) -> NDArray[np.uint8]:
        """Open a file, or its content, and preprocess it. Raises ImageError."""
        if kind == "photo":
            # Twice the size: what is left to shrink hides how the JPEG decoder shrank.
            return self.photo(open_image(source, at_least=2 * self.size))
        return self.sketch(open_image(source))


def open_image(source: Path | bytes, at_least: int | None = None) -> Image.Image:
    """Decode one image, whatever its pixel format, into mode L or RGB.

    EXIF orientation is applied; of an animation the first frame is taken; what is transparent becomes
    white, or another colour where strokes would vanish on white; more than 8 bits a channel are scaled down.

    Args:
        source: a file, or the content of one.
        at_least: a JPEG may come out smaller by 2, 4 or 8, but with no side under this; much faster.

    Raises:
        ImageError: it is missing, unreadable, truncated, too large or of an unknown format.
    """
    if isinstance(source, bytes):
        return _decode(BytesIO(source), at_least)
    try:
        file = source.open("rb")
    except (OSError, ValueError) as error:
        raise ImageError(_why_closed(error)) from None
    with file:
        return _decode(file, at_least)


def image_size(content: bytes) -> tuple[int, int]:
    """Read width and height in pixels from the head of an image, without decoding it. Raises ImageError."""
    try:
        with _read_header(BytesIO(content)) as image:
            return image.size
    except ImageError:
        raise
    except Exception as error:  # decoders raise anything at all on broken files
        raise ImageError("broken image data") from error


def _why_closed(error: OSError | ValueError) -> str:
    match error:
        case FileNotFoundError():
            return "no such file"
        case IsADirectoryError():
            return "is a folder"
        case PermissionError():
            return "permission denied"
        case OSError(strerror=str(reason)):
            return reason.lower()
    return "cannot be opened"


def _decode(file: IO[bytes], at_least: int | None) -> Image.Image:
    try:
        image = _read_header(file)
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise ImageError(f"too large: {width}x{height} pixels, at most {MAX_PIXELS // 1_000_000} megapixels")
        if at_least is not None:
            image.draft(None, (at_least, at_least))
        image.load()
        with contextlib.suppress(Exception):  # broken EXIF is no reason to refuse the picture
            ImageOps.exif_transpose(image, in_place=True)
        return _flatten(image)
    except ImageError:
        raise
    except Exception as error:  # decoders raise anything at all on broken files
        raise ImageError("truncated" if "truncated" in str(error) else "broken image data") from error


def _read_header(file: IO[bytes]) -> ImageFile.ImageFile:
    """Do what `Image.open` does, whose own pixel limit warns and cannot name the size of the image."""
    head = file.read(1024)
    for kind in FORMATS:
        factory, accept = Image.OPEN[kind.format]
        if accept is not None and accept(head[:16]) is True:
            file.seek(0)
            return factory(file, "")
    if not head:
        raise ImageError("empty file")
    for mark, name in FOREIGN.items():
        if mark in head:
            raise ImageError(f"is {name}; export it as PNG first")
    raise ImageError("not an image in a known format")


def _flatten(image: Image.Image) -> Image.Image:
    """Bring any pixel format to L or RGB."""
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return _to_8_bit(image)
    if image.has_transparency_data:
        return _lay_on_paper(image)
    return _as_mode(image, "L" if image.mode in ("1", "L") else "RGB")


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Scale to 0 to 255 by the range the values are of: 8 or 16 bit, [0, 1], or else their own."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float32))
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 65535:
        values, high = values - low, high - low
    elif image.mode == "F" and high <= 1:
        high = 1.0
    else:
        high = 255.0 if high <= 255 and not image.mode.startswith("I;16") else 65535.0
    return Image.fromarray((values * (255 / max(high, 1e-12))).round().astype(np.uint8))


def _lay_on_paper(image: Image.Image) -> Image.Image:
    """Lay what is transparent on white, or on another colour where much of the ink would vanish on white."""
    layered = image.convert("RGBA")
    paper = Image.new("RGBA", layered.size, _choose_paper(layered))
    return Image.alpha_composite(paper, layered).convert("RGB")


def _choose_paper(image: Image.Image) -> tuple[int, int, int]:
    """Return the first of the papers on which hardly any ink vanishes, else that on which the least does.

    Judged by what borders on transparency: nearly all of a stroke, the outline of a filled shape. Where most lies
    inside, as in a photo that was cut out, white is left only if nearly nothing would show on it.
    """
    sample = image.resize((min(image.width, 512), min(image.height, 512)), Image.Resampling.NEAREST)
    alpha = sample.getchannel("A")
    # Where alpha is 0 nothing shows, whatever colour is written there.
    shown = alpha.point([0] + [255] * 255)
    inside = np.asarray(shown.filter(ImageFilter.MinFilter(7))) > 0
    opaque = np.asarray(alpha)
    border = ~inside & (opaque > 0) & (opaque >= opaque.max() // 2)
    if not border.any():
        return PAPERS[0]
    strokes = border.sum() > 0.3 * np.count_nonzero(opaque)
    colors = np.asarray(sample)[border][:, :3].astype(np.float32)
    papers, allowed = (PAPERS, 0.05) if strokes else (PAPERS[:2], 0.9)
    vanishing = [float((np.abs(colors - paper).max(1) < VANISHING).mean()) for paper in papers]
    fitting = [paper for paper, share in zip(papers, vanishing, strict=True) if share <= allowed]
    return fitting[0] if fitting else papers[int(np.argmin(vanishing))]


def _as_mode(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)


def build_preprocess(config: ImageConfig) -> Preprocess:
    """Make the preprocessing that the config describes."""
    return Preprocess(config.size, config.color, config.sketch_crop, config.sketch_size)
