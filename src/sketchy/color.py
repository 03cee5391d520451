"""Bring colours to sRGB, which networks and screens take them for."""

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

MAX_PROFILE = 8_000_000
"""Bytes of a colour profile; larger ones are taken for broken."""

SAME = 3
"""Levels of 255 by which a profile may change colours and still count as sRGB."""

Table = tuple[int, ...]
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return an image in sRGB.

    Args:
        image: mode L, RGB, RGBA or CMYK.
        profile: ICC profile of its colours; None and one that is broken or of another kind of image change nothing.

    Returns:
        Mode RGB where a CMYK image was converted, else the mode that came; the image itself where nothing changes.
    """
    if profile is None or len(profile) > MAX_PROFILE:
        return image
    space = profile[16:20]
    if space == b"GRAY" or (space == b"RGB " and image.mode == "L"):
        table = _grey_table(profile)
        keep = tuple(range(256))
        return (
            image if table is None else image.point(table if image.mode == "L" else table * 3 + keep * _alphas(image))
        )
    if (space, image.mode) in ((b"RGB ", "RGB"), (b"RGB ", "RGBA"), (b"CMYK", "CMYK")):
        transform = _transform(profile, image.mode)
        if transform is not None:
            image = transform.apply(image)
            image.info.pop("icc_profile", None)  # that of sRGB
    return image


def _alphas(image: Image.Image) -> int:
    return len(image.getbands()) - 3


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Build what changes colours to sRGB; None for a broken profile, and for one that is sRGB."""
    out = "RGB" if mode == "CMYK" else mode
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        transform = ImageCms.ImageCmsTransform(source, _SRGB, mode, out)
        if mode == "CMYK":
            return transform
        levels = np.linspace(0, 255, 9).astype(np.uint8)
        colors = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(27, 27, 3)
        samples = Image.fromarray(colors).convert(mode)
        changed = np.asarray(transform.apply(samples).convert("RGB")).astype(int) - colors
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return transform if np.abs(changed).max() > SAME else None


@lru_cache(maxsize=16)
def _grey_table(profile: bytes) -> Table | None:
    """Return the level in sRGB of each level of grey; None for a broken profile, and where hardly one changes."""
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    mode = "L" if profile[16:20] == b"GRAY" else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        transform = ImageCms.ImageCmsTransform(source, _SRGB, mode, "RGB")
        table = np.asarray(transform.apply(ramp.convert(mode)).convert("L"))[0]
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return tuple(table.tolist()) if np.abs(table.astype(int) - np.arange(256)).max() > SAME else None


def to_8_bit(image: Image.Image) -> Image.Image:
    """Scale to 0 to 255 by the range the values are of: 8 or 16 bit, [0, 1], or else their own."""
    if image.mode.startswith("I;16"):
        levels = (np.arange(65536, dtype=np.float32) * (255 / 65535)).round().astype(np.uint8)
        return Image.fromarray(levels[np.asarray(image)])
    values = np.array(image, dtype=np.float32)
    if not np.isfinite(values).all():
        np.nan_to_num(values, copy=False)
    np.clip(values, -1e38, 1e38, out=values)  # so that no difference is infinite
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 65535:
        values -= low
        high -= low
    elif image.mode == "F" and high <= 1:
        high = 1.0
    else:
        high = 255.0 if high <= 255 else 65535.0
    values *= 255 / max(high, 1e-12)
    return Image.fromarray(values.round(out=values).astype(np.uint8))
