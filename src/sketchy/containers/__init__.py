"""Remove the metadata of image files before a decoder reads them.

Most faults of decoders are in their handling of metadata, which may be broken, huge, or made to take forever, and is no
reason to refuse an image. So each format is reduced here, in bounded time, to a file with pixels only; the colour
profile and the orientation are returned beside it.
"""

import ctypes
import logging
import struct
import warnings
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageFile, _imaging
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from sketchy.containers.gif import strip_gif
from sketchy.containers.heif import is_avif, is_heif, open_heif, strip_avif, strip_heif
from sketchy.containers.jpeg import strip_jpeg
from sketchy.containers.png import strip_png
from sketchy.containers.raw import is_raw, strip_raw
from sketchy.containers.stripped import StrippedImage
from sketchy.containers.tiff import strip_tiff
from sketchy.containers.webp import strip_webp
from sketchy.errors import ImageError

HEAD = 1024
"""Number of bytes at the start of a file that `detect_format` needs."""

UNSUPPORTED = {
    b"<svg": "SVG",
    b"%PDF": "PDF",
    b"8BPS": "a Photoshop file",
    b"gimp xcf": "a GIMP file",
    b"JXL \r\n": "JPEG XL",
    b"jP  \r\n": "JPEG 2000",
}
"""Formats that cannot be opened, by bytes near the start of the file."""

# Pillow and libtiff report broken files without naming them, on stderr. They are silenced once for all threads, because
# changing the warning filters while other threads decode is not safe.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())
with suppress(OSError, AttributeError):  # libtiff may be linked in a way that hides this function
    ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)


def detect_format(content: bytes) -> str:
    """Return the name of a file's format, as in `FORMATS`, given at least its first `HEAD` bytes.

    Raises:
        ImageError: The file is empty, or its format cannot be opened.
    """
    for name, known in FORMATS.items():
        if known.is_start(content):
            return name
    if not content:
        raise ImageError("empty file")
    head = content[:HEAD]
    for mark, name in UNSUPPORTED.items():
        if mark in head:
            raise ImageError(f"is {name}; export it as PNG first")
    raise ImageError("not an image in a known format")


def strip_metadata(image_format: str, content: bytes) -> StrippedImage:
    """Remove the metadata of a file.

    Raises:
        ImageError: The file exceeds a limit, or ends before the first pixel.
    """
    return FORMATS[image_format].strip(content)


def open_stripped(image_format: str, content: bytes) -> ImageFile.ImageFile:
    """Do what `Image.open` does, without its pixel limit, which does not name the size of the image."""
    return FORMATS[image_format].open(BytesIO(content), "")


def _strip_bmp(content: bytes) -> StrippedImage:
    """Return the file as it is, and the profile that version 5 of its header may refer to."""
    if len(content) > 138 and content[14] == 124 and content[70:74] == b"DEBM":
        offset, size = struct.unpack_from("<II", content, 126)
        return StrippedImage(content, content[14 + offset : 14 + offset + size] or None)
    return StrippedImage(content)


def _begins(image_format: str) -> Callable[[bytes], bool]:
    """Return the test by which Pillow knows a format, which needs 16 bytes."""
    accept = Image.OPEN[image_format][1]
    return lambda content: accept is not None and accept(content[:16]) is True


class Format(NamedTuple):
    """A supported format.

    Attributes:
        is_start: Whether a file with these first bytes, at least `HEAD` of them, has the format.
        open: The decoder.
        strip: Removes the metadata.
    """

    is_start: Callable[[bytes], bool]
    open: Callable[[BytesIO, str], ImageFile.ImageFile]
    strip: Callable[[bytes], StrippedImage]


FORMATS = {
    "JPEG": Format(_begins("JPEG"), JpegImageFile, strip_jpeg),
    "PNG": Format(_begins("PNG"), PngImageFile, strip_png),
    "WEBP": Format(_begins("WEBP"), WebPImageFile, strip_webp),
    "GIF": Format(_begins("GIF"), GifImageFile, strip_gif),
    "BMP": Format(_begins("BMP"), BmpImageFile, _strip_bmp),
    "RAW": Format(is_raw, JpegImageFile, strip_raw),
    "TIFF": Format(_begins("TIFF"), TiffImageFile, strip_tiff),
    "HEIF": Format(is_heif, open_heif, strip_heif),
    "AVIF": Format(is_avif, AvifImageFile, strip_avif),
}
"""The supported formats, by Pillow's names; of a raw file the preview is opened, which is a JPEG."""
