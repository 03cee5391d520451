"""Convert colours to sRGB, which networks and screens expect."""

import struct
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

MAX_PROFILE = 8_000_000
"""Largest size of a colour profile in bytes; larger ones are considered broken."""

TOLERANCE = 3
"""Largest difference, of 255 levels, by which a profile that counts as sRGB may change colours."""

Table = tuple[int, ...]
Levels = NDArray[np.float64]
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))

_D50 = (0.9642, 1.0, 0.8249)
_PRIMARIES = {
    1: ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)),
    9: ((0.67348, 0.27904, -0.00194), (0.16568, 0.67535, 0.02998), (0.12505, 0.04561, 0.79686)),
    12: ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)),
}
"""XYZ of red, green and blue, adapted to D50, by code point of ITU-T H.273: sRGB, BT.2020 and Display P3."""


def _from_pq(levels: Levels) -> Levels:
    """Return light, where 1 is the white of paper, 203 cd/m² in ITU-R BT.2408, from levels of SMPTE ST 2084."""
    powers = levels ** (1 / 78.84375)
    return (np.maximum(powers - 0.8359375, 0) / (18.8515625 - 18.6875 * powers)) ** (1 / 0.1593017578125) * 10000 / 203


def _from_hlg(levels: Levels) -> Levels:
    """Return light, where 1 is the white of paper, level 0.75, from levels of HLG in ITU-R BT.2100."""
    scene = np.where(levels <= 0.5, levels**2 / 3, (np.exp((levels - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    return (scene / 0.26496256) ** 1.2


def _from_srgb(levels: Levels) -> Levels:
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)


_CURVES: dict[int, Callable[[Levels], Levels]] = {8: np.copy, 13: _from_srgb, 16: _from_pq, 18: _from_hlg}
"""Light by level, by code point of ITU-T H.273; that of video counts as sRGB, as in browsers."""


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
def coded_profile(primaries: int, transfer: int) -> bytes | None:
    """Return an ICC profile of the colours that two code points of ITU-T H.273 describe.

    Light that is brighter than white paper, in HDR, becomes white.

    Args:
        primaries: Code point of the primary colours.
        transfer: Code point of the curve from light to levels.

    Returns:
        None for code points that are unspecified, rare, or mean about sRGB, as most do.
    """
    curve = _CURVES.get(transfer, _from_srgb)
    if primaries not in _PRIMARIES or (primaries == 1 and curve is _from_srgb):
        return None
    light = curve(np.linspace(0, 1, 4096)).clip(0, 1)
    white, *colors = (
        struct.pack(">8s3i", b"XYZ ", *(round(65536 * value) for value in color))
        for color in (_D50, *_PRIMARIES[primaries])
    )
    gradation = struct.pack(">8sI4096H", b"curv", 4096, *(light * 65535).round().astype(int))
    data = [white, *colors, gradation]
    starts = [216 + 20 * index for index in range(5)]
    names = ((b"wtpt", 0), (b"rXYZ", 1), (b"gXYZ", 2), (b"bXYZ", 3), (b"rTRC", 4), (b"gTRC", 4), (b"bTRC", 4))
    tags = b"".join(struct.pack(">4sII", name, starts[index], len(data[index])) for name, index in names)
    size = starts[-1] + len(gradation)
    head = struct.pack(
        ">I4xI4s4s4s12x4s28x3i48x",
        size,
        0x02400000,
        b"mntr",
        b"RGB ",
        b"XYZ ",
        b"acsp",
        *(round(65536 * value) for value in _D50),
    )
    return b"".join([head, struct.pack(">I", len(names)), tags, *data])


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
