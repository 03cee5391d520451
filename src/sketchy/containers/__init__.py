"""Reduce image files to what their pixels need, before a decoder sees them.

Metadata is the larger part of the surface of a decoder: it may be broken, huge, or made to take forever, and none of
it is a reason to refuse a picture. So each format is taken apart here, with bounded work, into a file with nothing but
pixels; the colour profile and the orientation are kept beside it.
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

from sketchy.containers.gif import read_gif
from sketchy.containers.jpeg import read_jpeg
from sketchy.containers.parts import Parts
from sketchy.containers.png import read_png
from sketchy.containers.tiff import read_tiff
from sketchy.containers.webp import read_webp
from sketchy.errors import ImageError

HEAD = 1024
"""Bytes by which a format is told."""

FOREIGN = {
    b"<svg": "SVG",
    b"%PDF": "PDF",
    **dict.fromkeys((b"ftyphei", b"ftyphev", b"ftypmif1", b"ftypmsf1"), "HEIC"),
    b"ftypavi": "AVIF",
    b"8BPS": "a Photoshop file",
    b"gimp xcf": "a GIMP file",
    b"JXL \r\n": "JPEG XL",
    b"jP  \r\n": "JPEG 2000",
}
"""Marks near the start of files that people take for images of a known format."""

# What libraries say of broken files, without naming them, and straight to stderr. It is silenced once for all threads:
# filters that change while images are decoded are not safe with threads.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())
with suppress(OSError, AttributeError):  # libtiff prints by itself; where it cannot be reached, it goes on doing so
    ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)


def form_of(head: bytes) -> str:
    """Tell the format by the first bytes, as "JPEG". Raises ImageError for one that cannot be opened."""
    for form in FORMATS:
        accept = Image.OPEN[form][1]
        if accept is not None and accept(head[:16]) is True:
            return form
    if not head:
        raise ImageError("empty file")
    for mark, name in FOREIGN.items():
        if mark in head:
            raise ImageError(f"is {name}; export it as PNG first")
    raise ImageError("not an image in a known format")


def take_apart(form: str, content: bytes) -> Parts:
    """Take a file apart.

    Args:
        form: name of the format as Pillow has it, such as "JPEG".
        content: a whole file of that format.

    Raises:
        ImageError: it is beyond a limit, or ends before the first pixel.
    """
    return FORMATS[form][1](content)


def open_form(form: str, content: bytes) -> ImageFile.ImageFile:
    """Do what `Image.open` does, whose own pixel limit warns and cannot name the size of the image."""
    return FORMATS[form][0](BytesIO(content), "")


def _read_bmp(content: bytes) -> Parts:
    """Find the profile that the fifth version of the header may have."""
    if len(content) > 138 and content[14] == 124 and content[70:74] == b"DEBM":
        offset, size = struct.unpack_from("<II", content, 126)
        return Parts(content, content[14 + offset : 14 + offset + size] or None)
    return Parts(content)


FORMATS: dict[str, tuple[type[ImageFile.ImageFile], Callable[[bytes], Parts]]] = {
    "JPEG": (JpegImageFile, read_jpeg),
    "PNG": (PngImageFile, read_png),
    "WEBP": (WebPImageFile, read_webp),
    "GIF": (GifImageFile, read_gif),
    "BMP": (BmpImageFile, _read_bmp),
    "TIFF": (TiffImageFile, read_tiff),
}
"""What is opened, by the name that Pillow has for it; importing the decoders registers them with Pillow."""
