"""Raw files of cameras, of which the JPEG that the camera has put in as a preview is used."""

from io import BytesIO

from PIL import Image

from sketchy.containers.jpeg import strip_jpeg
from sketchy.containers.stripped import StrippedImage
from sketchy.containers.tiff import is_raw_tiff
from sketchy.errors import ImageError
from sketchy.extras import is_installed

_STARTS = (b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FUJIFILMCCD-RAW", b"FOVb", b"\0MRM", b"II\x1a\0\0\0HEAPCCDR")
_CR3 = b"ftypcrx "
_ORIENTATIONS = {3: 3, 5: 8, 6: 6}
"""Orientation as in EXIF, by the turn that LibRaw names."""


def is_raw(head: bytes) -> bool:
    """Return whether a file that begins like this is a raw file."""
    return head.startswith(_STARTS) or head[4:12] == _CR3 or is_raw_tiff(head)


def strip_raw(content: bytes) -> StrippedImage:
    """Return the preview. Raises ImageError if there is none, or if the extra that reads it is not installed."""
    if not is_installed("raw"):
        raise ImageError("is a camera's raw file; `pip install 'sketchy-search[raw]'` reads its preview")
    import rawpy

    try:
        with rawpy.imread(BytesIO(content)) as raw:
            preview, turn = raw.extract_thumb(), raw.sizes.flip
    except rawpy.LibRawError:
        raise ImageError("is a camera's raw file without a preview; export it as JPEG first") from None
    if isinstance(preview.data, bytes):  # LibRaw has added the orientation to it, unless it has its own
        return strip_jpeg(preview.data)
    file = BytesIO()
    Image.fromarray(preview.data).save(file, "JPEG", quality=95)
    return StrippedImage(file.getvalue(), orientation=_ORIENTATIONS.get(turn, 1))
