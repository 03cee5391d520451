"""Open images from outside safely, and turn them into what the network sees."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageFilter

from sketchy.color import to_8_bit, to_srgb
from sketchy.config import ImageConfig
from sketchy.containers import HEAD, form_of, open_form, take_apart
from sketchy.containers.jpeg import with_ends
from sketchy.containers.parts import Parts
from sketchy.containers.png import complete_png
from sketchy.errors import ImageError
from sketchy.ink import normalise
from sketchy.storage import os_reason

Kind = Literal["photo", "sketch"]
"""The two sorts of image; each has its own preprocessing."""

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jif", ".jfif", ".mpo", ".png", ".apng"}
    | {".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff"}
)
"""Lower-case suffixes of the files that count as images."""

_RAW = ".cr2 .cr3 .crw .nef .nrw .arw .sr2 .srf .dng .raf .orf .rw2 .pef .srw .x3f .3fr .iiq .erf .kdc .mrw .raw .rwl"
KNOWN_UNREADABLE = {
    **dict.fromkeys((".heic", ".heif", ".hif"), "HEIC"),
    **dict.fromkeys((".avif", ".avifs"), "AVIF"),
    **dict.fromkeys(_RAW.split(), "a camera's raw file"),
    **dict.fromkeys((".jp2", ".j2k", ".jpf", ".jpx", ".jpc", ".j2c"), "JPEG 2000"),
    **dict.fromkeys((".psd", ".psb"), "a Photoshop file"),
    **dict.fromkeys((".svg", ".svgz"), "SVG"),
    **{".pdf": "PDF", ".xcf": "a GIMP file", ".kra": "a Krita file", ".jxl": "JPEG XL"},
    **dict.fromkeys((".eps", ".ai"), "PostScript"),
    **dict.fromkeys((".tga", ".pcx", ".ppm", ".pgm", ".pbm", ".pnm", ".ico", ".hdr", ".exr"), "a rare image format"),
}
"""What files with these lower-case suffixes are: images, but none that can be opened. Videos are no photos."""

MAX_PIXELS = 100_000_000
"""Larger images are refused before they are decoded: 100 megapixels are 300 MB in memory."""

MAX_BYTES = 800_000_000
"""Larger files are refused: so many bytes has the largest image without compression, at 16 bits and four channels."""

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings an image upright, by its EXIF orientation."""


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

    def load(self, source: Path | bytes | Image.Image, kind: Kind) -> NDArray[np.uint8]:
        """Open an image and preprocess it; see `open_image`. Raises ImageError."""
        if kind == "photo":
            # Twice the size: what is left to shrink hides how the JPEG decoder shrank.
            return self.photo(open_image(source, at_least=2 * self.size))
        return self.sketch(open_image(source))


def open_image(source: Path | bytes | Image.Image, at_least: int | None = None) -> Image.Image:
    """Decode one image, whatever its pixel format, into mode L or RGB, in sRGB.

    EXIF orientation is applied; of an animation the first frame is taken that is not of one colour; what is
    transparent becomes white, or another colour where strokes would vanish on white; more than 8 bits a channel are
    scaled down. Colours are converted by an embedded ICC profile; what PNG says of gamma without one is ignored, as it
    is wrong too often.

    Args:
        source: A file, or the content of one, see `read_content`; or an image that Pillow opened or made.
        at_least: a JPEG may come out smaller by 2, 4 or 8, but with no side under this; much faster.

    Raises:
        ImageError: it is missing, unreadable, truncated, too large, beyond a limit or of an unknown format.
    """
    if isinstance(source, Image.Image):
        with _explained():
            return _finish(source, Parts(b"", source.info.get("icc_profile"), source.getexif().get(0x112, 1)))
    content = source if isinstance(source, bytes) else read_content(source)
    with _explained():
        form = form_of(content[:HEAD])
        parts = take_apart(form, content)
        image = _finish(_load_whole(form, parts.still, at_least), parts)
        if parts.animation is not None and _is_plain(image):
            return _first_drawn(form, parts, parts.animation) or image
        return image


def image_size(content: bytes) -> tuple[int, int]:
    """Read width and height in pixels from the head of an image, without decoding it. Raises ImageError."""
    with _explained():
        form = form_of(content[:HEAD])
        return open_form(form, take_apart(form, content).still).size


def read_content(path: Path) -> bytes:
    """Read an image file whole, be it a file, a pipe or, as "-", the standard input. Raises ImageError."""
    try:
        with nullcontext(sys.stdin.buffer) if str(path) == "-" else path.open("rb") as file:
            blocks = [file.read(HEAD)]
            form_of(blocks[0])  # a device may have no end
            size = 0
            while block := file.read(16_000_000):
                size += len(block)
                if size > MAX_BYTES:
                    raise ImageError(f"too large: more than {MAX_BYTES // 1_000_000} MB")
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


@contextmanager
def _explained() -> Iterator[None]:
    """Turn whatever a decoder raises into an ImageError."""
    try:
        yield
    except ImageError:
        raise
    except Image.DecompressionBombError:
        raise ImageError(f"too large: more than {MAX_PIXELS // 1_000_000} megapixels") from None
    except Exception as error:  # decoders raise anything at all on broken files
        raise ImageError("truncated" if "truncated" in str(error) else "broken image data") from error


def _load(form: str, content: bytes, at_least: int | None) -> ImageFile.ImageFile:
    image = open_form(form, content)
    _refuse_size(image)
    if at_least is not None:
        image.draft(None, (at_least, at_least))
    image.load()
    return image


def _refuse_size(image: Image.Image) -> None:
    width, height = image.size
    if not width or not height:
        raise ImageError("has no pixels")
    if width * height > MAX_PIXELS:
        raise ImageError(f"too large: {width}x{height} pixels, at most {MAX_PIXELS // 1_000_000} megapixels")


def _load_whole(form: str, content: bytes, at_least: int | None) -> ImageFile.ImageFile:
    """Decode also what is cut off after its last pixel, which decoders take for truncated."""
    try:
        return _load(form, content, at_least)
    except ImageError:
        raise
    except Exception:
        with suppress(Exception):
            if form == "PNG" and (repaired := complete_png(content)):
                return _load(form, repaired, at_least)
            if form == "JPEG":
                # Pixels that are missing come out as the bytes that follow tell, so each end would show others.
                first, *others = (_load(form, ended, at_least) for ended in with_ends(content))
                if all(other == first for other in others):
                    return first
        raise


def _is_plain(image: Image.Image) -> bool:
    """Tell whether an image is of one colour, but for what lossy compression does."""
    return all(int(np.ptp(np.asarray(band))) <= 3 for band in image.split())


def _first_drawn(form: str, parts: Parts, animation: bytes) -> Image.Image | None:
    """Return the first frame after frame 0 that is not of one colour; None when there is none among those kept."""
    with suppress(Exception):  # the first frame is there, whatever the others are
        frames = open_form(form, animation)
        for frame in range(1, MAX_PIXELS // (frames.width * frames.height)):
            frames.seek(frame)
            _refuse_size(frames)
            frames.load()
            image = _finish(frames, parts)
            if not _is_plain(image):
                return image
    return None


def _finish(image: Image.Image, parts: Parts) -> Image.Image:
    """Bring decoded pixels of any format to L or RGB, in sRGB and upright."""
    _refuse_size(image)
    flat = _flatten(image, parts.profile)
    turn = TURNS.get(parts.orientation)
    return flat if turn is None else flat.transpose(turn)


def _flatten(image: Image.Image, profile: bytes | None) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return to_srgb(to_8_bit(image), profile)
    if image.has_transparency_data:
        return _lay_on_paper(to_srgb(image.convert("RGBA"), profile))
    mode = {"1": "L", "L": "L", "CMYK": "CMYK"}.get(image.mode, "RGB")
    return _as_mode(to_srgb(_as_mode(image, mode), profile), "L" if mode == "L" else "RGB")


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
