"""Open images of any origin safely."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageFilter

from sketchy.color import to_8_bit, to_srgb
from sketchy.containers import HEAD, detect_format, open_stripped, strip_metadata
from sketchy.containers.jpeg import complete_jpeg
from sketchy.containers.png import complete_png
from sketchy.containers.stripped import StrippedImage
from sketchy.errors import ImageError
from sketchy.extras import is_installed
from sketchy.storage import os_reason

Kind = Literal["photo", "sketch"]
"""The two kinds of images, which are preprocessed and embedded differently."""

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jif", ".jfif", ".mpo", ".png", ".apng"}
    | {".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".heic", ".heif", ".hif", ".avif", ".avifs"}
)
"""Suffixes of the files that count as images, in lower case."""

RAW_SUFFIXES = frozenset(
    {".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".sr2", ".srf", ".dng", ".raf", ".orf", ".rw2", ".pef", ".srw"}
    | {".x3f", ".3fr", ".iiq", ".erf", ".kdc", ".mrw", ".raw", ".rwl"}
)
"""Suffixes of the raw files of cameras, in lower case; they count as images if the extra `raw` is installed."""

KNOWN_UNREADABLE = {
    **dict.fromkeys(RAW_SUFFIXES, "a camera's raw file"),
    **dict.fromkeys((".jp2", ".j2k", ".jpf", ".jpx", ".jpc", ".j2c"), "JPEG 2000"),
    **dict.fromkeys((".psd", ".psb"), "a Photoshop file"),
    **dict.fromkeys((".svg", ".svgz"), "SVG"),
    **{".pdf": "PDF", ".xcf": "a GIMP file", ".kra": "a Krita file", ".jxl": "JPEG XL"},
    **dict.fromkeys((".eps", ".ai"), "PostScript"),
    **dict.fromkeys((".tga", ".pcx", ".ppm", ".pgm", ".pbm", ".pnm", ".ico", ".hdr", ".exr"), "a rare image format"),
}
"""Formats of images that cannot be opened, or need an extra, by suffix in lower case. Videos do not count as images."""

MAX_PIXELS = 100_000_000
"""Most pixels of an image; larger ones, above 300 MB in memory, are refused before they are decoded."""

MAX_BYTES = 800_000_000
"""Largest size of a file in bytes: that of `MAX_PIXELS` without compression, at 16 bits and four channels."""

ORIENTATION = 0x112
"""EXIF tag of the orientation."""

PHOTOMETRIC = 0x106
"""Tag of a TIFF that is 0 if the level 0 is white."""

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The operation that turns an image upright, by its EXIF orientation."""

BACKGROUNDS = ((255, 255, 255), (0, 0, 0), (128, 128, 128), (255, 0, 255))
"""Backgrounds for transparent images, in order of preference; no colour is close to all of them."""

MIN_CONTRAST = 64
"""Least difference between ink and background, in the channel where it is largest, at which ink can be seen."""


def open_image(source: Path | bytes | Image.Image, at_least: int | None = None) -> Image.Image:
    """Decode an image of any pixel format to mode L or RGB, in sRGB and upright.

    Colours are converted by an embedded ICC profile; the gamma of a PNG is ignored, as it is wrong too often. More than
    8 bits a channel are scaled down. Transparent pixels become white, or another colour if strokes could not be seen on
    white. Of an animation the first frame with more than one colour is returned.

    Args:
        source: The path of a file, see `read_content`, or its content; or an image that Pillow opened or made.
        at_least: Allow the decoder to shrink a JPEG by 2, 4 or 8, which is much faster, as long as width and height
            stay above this number of pixels.

    Raises:
        ImageError: The image is missing, unreadable, truncated, too large, or of an unsupported format.
    """
    if isinstance(source, Image.Image):
        with _as_image_errors():
            _refuse_size(source)
            profile, orientation = source.info.get("icc_profile"), source.getexif().get(ORIENTATION, 1)
            return _finish(source, StrippedImage(b"", profile, orientation))
    content = source if isinstance(source, bytes) else read_content(source)
    with _as_image_errors():
        image_format = detect_format(content)
        stripped = strip_metadata(image_format, content)
        image = _finish(_decode(image_format, stripped.still, at_least), stripped)
        if stripped.animation is not None and _is_uniform(image):
            return _first_drawn_frame(image_format, stripped, stripped.animation) or image
        return image


def image_size(content: bytes) -> tuple[int, int]:
    """Return width and height of an image in pixels, without decoding it. Raises ImageError."""
    with _as_image_errors():
        image_format = detect_format(content)
        return open_stripped(image_format, strip_metadata(image_format, content).still).size


def read_content(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Read a whole image file or pipe, or standard input if the path is "-", of at most `limit` bytes.

    Raises:
        ImageError: It cannot be read, is larger, or does not begin like an image.
    """
    try:
        with nullcontext(sys.stdin.buffer) if str(path) == "-" else path.open("rb") as file:
            blocks = [file.read(HEAD)]
            detect_format(blocks[0])  # before the rest is read, as a device may never end
            size = 0
            while block := file.read(16_000_000):
                size += len(block)
                if size > limit:
                    raise ImageError(f"too large: more than {limit // 1_000_000} MB")
                blocks.append(block)
    except ImageError:
        if path.suffix.lower() in KNOWN_UNREADABLE:
            raise ImageError(f"is {KNOWN_UNREADABLE[path.suffix.lower()]}; export it as PNG first") from None
        raise
    except AttributeError:
        raise ImageError("there is no standard input") from None
    except (OSError, ValueError) as error:
        raise ImageError(os_reason(error).lower()) from None
    return b"".join(blocks)


@cache
def photo_suffixes() -> frozenset[str]:
    """Return the suffixes of the files that count as photos on this machine, in lower case."""
    return SUFFIXES | RAW_SUFFIXES if is_installed("raw") else SUFFIXES


@contextmanager
def _as_image_errors() -> Iterator[None]:
    """Turn every exception of a decoder into an ImageError."""
    try:
        yield
    except ImageError:
        raise
    except Image.DecompressionBombError:
        raise ImageError(f"too large: more than {MAX_PIXELS // 1_000_000} megapixels") from None
    except Exception as error:  # decoders raise anything at all on broken files
        raise ImageError("truncated" if "truncated" in str(error) else "broken image data") from error


def _decode(image_format: str, content: bytes, at_least: int | None) -> Image.Image:
    """Decode a file, even one that is cut off after its last pixel, which decoders consider truncated."""
    try:
        return _decode_once(image_format, content, at_least)
    except ImageError:
        raise
    except Exception:
        with suppress(Exception):
            if image_format == "PNG" and (repaired := complete_png(content)):
                return _decode_once(image_format, repaired, at_least)
            if image_format == "JPEG":
                first, *others = (_decode_once(image_format, copy, at_least) for copy in complete_jpeg(content))
                if all(other == first for other in others):
                    return first
        raise


def _decode_once(image_format: str, content: bytes, at_least: int | None) -> Image.Image:
    image = open_stripped(image_format, content)
    _refuse_size(image)
    if at_least is not None:
        image.draft(None, (at_least, at_least))
    image.load()
    if image_format == "BMP" and image.mode == "RGBA" and not image.getchannel("A").getbbox():
        image.putalpha(255)  # as viewers do: many programs leave the alpha of a BMP at 0
    if image_format == "TIFF" and image.mode.startswith("I;16") and image.getexif().get(PHOTOMETRIC) == 0:
        return Image.fromarray(~np.asarray(image))  # Pillow inverts only 8 bits
    return image


def _refuse_size(image: Image.Image) -> None:
    width, height = image.size
    if not width or not height:
        raise ImageError("has no pixels")
    if width * height > MAX_PIXELS:
        raise ImageError(f"too large: {width}x{height} pixels, at most {MAX_PIXELS // 1_000_000} megapixels")


def _is_uniform(image: Image.Image) -> bool:
    """Return whether an image has only one colour, except for artefacts of lossy compression."""
    return all(int(np.ptp(np.asarray(band))) <= 3 for band in image.split())


def _first_drawn_frame(image_format: str, stripped: StrippedImage, animation: bytes) -> Image.Image | None:
    """Return the first frame after frame 0 with more than one colour, or None."""
    with suppress(Exception):  # frame 0 can be used even if later frames are broken
        frames = open_stripped(image_format, animation)
        for frame in range(1, MAX_PIXELS // (frames.width * frames.height)):
            frames.seek(frame)
            _refuse_size(frames)
            frames.load()
            image = _finish(frames, stripped)
            if not _is_uniform(image):
                return image
    return None


def _finish(image: Image.Image, stripped: StrippedImage) -> Image.Image:
    """Convert decoded pixels to mode L or RGB, in sRGB and upright."""
    flat = _flatten(image, stripped.profile)
    operation = UPRIGHT.get(stripped.orientation)
    return flat if operation is None else flat.transpose(operation)


def _flatten(image: Image.Image, profile: bytes | None) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return to_srgb(to_8_bit(image), profile)
    if image.has_transparency_data:
        return _add_background(to_srgb(image.convert("RGBA"), profile))
    mode = {"1": "L", "L": "L", "CMYK": "CMYK"}.get(image.mode, "RGB")
    return _as_mode(to_srgb(_as_mode(image, mode), profile), "L" if mode == "L" else "RGB")


def _add_background(image: Image.Image) -> Image.Image:
    layer = image.convert("RGBA")
    if layer.getchannel("A").getextrema() == (255, 255):  # as browsers write pictures
        return layer.convert("RGB")
    background = Image.new("RGBA", layer.size, _choose_background(layer))
    return Image.alpha_composite(background, layer).convert("RGB")


def _choose_background(image: Image.Image) -> tuple[int, int, int]:
    """Return the first background on which nearly all ink can be seen, else that on which most of it can.

    Only pixels near transparent ones count: nearly all of a stroke, and the outline of a filled shape. If most opaque
    pixels are further inside, as in a photo that was cut out, the background is white unless hardly anything could be
    seen on it.
    """
    sample = image.resize((min(image.width, 512), min(image.height, 512)), Image.Resampling.NEAREST)
    alpha = sample.getchannel("A")
    visible = alpha.point([0] + [255] * 255)
    inside = np.asarray(visible.filter(ImageFilter.MinFilter(7))) > 0
    opaque = np.asarray(alpha)
    border = ~inside & (opaque > 0) & (opaque >= opaque.max() // 2)
    if not border.any():
        return BACKGROUNDS[0]
    is_drawing = border.sum() > 0.3 * np.count_nonzero(opaque)
    colors = np.asarray(sample)[border][:, :3].astype(np.float32)
    backgrounds, allowed = (BACKGROUNDS, 0.05) if is_drawing else (BACKGROUNDS[:2], 0.9)
    lost = [float((np.abs(colors - background).max(1) < MIN_CONTRAST).mean()) for background in backgrounds]
    fitting = [background for background, share in zip(backgrounds, lost, strict=True) if share <= allowed]
    return fitting[0] if fitting else backgrounds[int(np.argmin(lost))]


def _as_mode(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)
