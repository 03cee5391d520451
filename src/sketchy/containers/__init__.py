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

from PIL import Image, ImageFile, _imaging
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from sketchy.containers.gif import strip_gif
from sketchy.containers.jpeg import strip_jpeg
from sketchy.containers.png import strip_png
from sketchy.containers.stripped import StrippedImage
from sketchy.containers.tiff import strip_tiff
from sketchy.containers.webp import strip_webp
from sketchy.errors import ImageError

HEAD = 1024
"""Number of bytes at the start of a file that `detect_format` needs."""

UNSUPPORTED = {
    b"<svg": "SVG",
    b"%PDF": "PDF",
    **dict.fromkeys((b"ftyphei", b"ftyphev", b"ftypmif1", b"ftypmsf1"), "HEIC"),
    b"ftypavi": "AVIF",
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


def detect_format(head: bytes) -> str:
    """Return the name of a file's format, as in `FORMATS`, given its first `HEAD` bytes.

    Raises:
        ImageError: The file is empty, or its format cannot be opened.
    """
    for image_format in FORMATS:
        accept = Image.OPEN[image_format][1]
        if accept is not None and accept(head[:16]) is True:
            return image_format
    if not head:
        raise ImageError("empty file")
    for mark, name in UNSUPPORTED.items():
        if mark in head:
            raise ImageError(f"is {name}; export it as PNG first")
    raise ImageError("not an image in a known format")


def strip_metadata(image_format: str, content: bytes) -> StrippedImage:
    """Remove the metadata of a file.

    Raises:
        ImageError: The file exceeds a limit, or ends before the first pixel.
    """
    return FORMATS[image_format][1](content)


def open_stripped(image_format: str, content: bytes) -> ImageFile.ImageFile:
    """Do what `Image.open` does, without its pixel limit, which does not name the size of the image."""
    return FORMATS[image_format][0](BytesIO(content), "")


def _strip_bmp(content: bytes) -> StrippedImage:
    """Return the file as it is, and the profile that version 5 of its header may refer to."""
    if len(content) > 138 and content[14] == 124 and content[70:74] == b"DEBM":
        offset, size = struct.unpack_from("<II", content, 126)
        return StrippedImage(content, content[14 + offset : 14 + offset + size] or None)
    return StrippedImage(content)


FORMATS: dict[str, tuple[type[ImageFile.ImageFile], Callable[[bytes], StrippedImage]]] = {
    "JPEG": (JpegImageFile, strip_jpeg),
    "PNG": (PngImageFile, strip_png),
    "WEBP": (WebPImageFile, strip_webp),
    "GIF": (GifImageFile, strip_gif),
    "BMP": (BmpImageFile, _strip_bmp),
    "TIFF": (TiffImageFile, strip_tiff),
}
"""The decoder of each supported format, by Pillow's name for it, and the function that removes its metadata."""
