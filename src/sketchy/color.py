"""Convert colours to sRGB, which networks and screens expect."""

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

MAX_PROFILE = 8_000_000
"""Largest size of a colour profile in bytes; larger ones are considered broken."""

TOLERANCE = 3
"""Largest difference, of 255 levels, by which a profile that counts as sRGB may change colours."""

Table = tuple[int, ...]
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert an image to sRGB.

    Args:
        image: An image of mode L, RGB, RGBA or CMYK.
        profile: ICC profile of its colours. None, a broken profile, and one for another mode change nothing.

    Returns:
        An image of mode RGB if a CMYK image was converted, else of the same mode; the same image if nothing changes.
    """
    if profile is None or len(profile) > MAX_PROFILE:
        return image
    space = profile[16:20]
    if space == b"GRAY" or (space == b"RGB " and image.mode == "L"):
        table = _grey_table(profile)
        if table is None:
            return image
        alpha = tuple(range(256)) * (len(image.getbands()) - 3)
        return image.point(table if image.mode == "L" else table * 3 + alpha)
    if (space, image.mode) in ((b"RGB ", "RGB"), (b"RGB ", "RGBA"), (b"CMYK", "CMYK")):
        transform = _transform(profile, image.mode)
        if transform is not None:
            image = transform.apply(image)
            image.info.pop("icc_profile", None)  # that of sRGB
    return image


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Build the conversion of colours to sRGB; None if the profile is broken, or is sRGB."""
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
    return transform if np.abs(changed).max() > TOLERANCE else None


@lru_cache(maxsize=16)
def _grey_table(profile: bytes) -> Table | None:
    """Return the sRGB level of each level of grey; None if the profile is broken, or hardly changes any level."""
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    mode = "L" if profile[16:20] == b"GRAY" else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        transform = ImageCms.ImageCmsTransform(source, _SRGB, mode, "RGB")
        table = np.asarray(transform.apply(ramp.convert(mode)).convert("L"))[0]
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return tuple(table.tolist()) if np.abs(table.astype(int) - np.arange(256)).max() > TOLERANCE else None


def to_8_bit(image: Image.Image) -> Image.Image:
    """Scale the levels of an image to 0 to 255.

    Args:
        image: An image of mode I, F or I;16. The range of its values is that of 8 or 16 bits, or 0 to 1, if they fit
            into one of these; else it is their minimum to their maximum.
    """
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
