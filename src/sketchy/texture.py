"""Find and remove what covers a page as a whole: noise, grain, dithering, and printed patterns such as ruling.

All of it works on distances from the paper, (H, W) uint8. What covers a page is told from a drawing by being
everywhere, in about equal amounts: of BLOCKS x BLOCKS blocks, most have it.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Array = NDArray[np.uint8]

BLOCKS = 8
"""Blocks a side."""

BARE = 0.2
"""Share of the blocks in which a drawing is assumed to have nothing: their maximum is what the texture reaches."""

SEPARABLE = 0.5
"""A texture that reaches at most this share of the darkest strokes is removed by its level."""

LINE = 0.6
"""Share of the width or height of a page from which a straight line belongs to its ruling."""

RULES = 5
"""Lines across the page, at least, that make a ruling."""

BLUR_RADII = (0, 1, 2, 4)
"""Dots as dark as the pen are fainter than it once they are blurred; in pixels."""

FAINTEST = 40
"""Texture alone, without anything darker, is no drawing below this distance from the paper."""


def without_texture(distance: Image.Image, peaks: Array) -> tuple[Image.Image, int]:
    """Remove what covers the page regularly.

    Args:
        distance: Mode L, how far each pixel is from the paper.
        peaks: Maxima of its squares of some pixels a side.

    Returns:
        The distances without ruled lines, possibly blurred, and the level up to which the rest is texture; 0 when
        there is none.
    """
    level, _ = _levels(peaks)
    if level < 3:
        return distance, 0
    pixels = _without_rules(np.asarray(distance), level)
    for radius in BLUR_RADII:
        image = Image.fromarray(pixels).filter(ImageFilter.BoxBlur(radius)) if radius else Image.fromarray(pixels)
        blurred = np.asarray(image)
        usual = int(np.median(blurred[::4, ::4])) if radius else 0
        level, darkest = _levels(blurred)
        if level < 3:
            return image, 0
        if level - usual <= SEPARABLE * (darkest - usual) and _is_even(blurred, (usual + level) / 2, level):
            return image, level
        if radius == 0 and not _is_even(blurred, level / 2, 255):
            return image, 0
    return distance, darkest + 1 if darkest < FAINTEST else 0


def _levels(pixels: Array) -> tuple[int, int]:
    """Return what the texture reaches, and how far the darkest strokes are from the paper."""
    maxima = np.sort(np.maximum.reduceat(np.maximum.reduceat(pixels, _edges(pixels.shape[0])), _edges(pixels.shape[1]), 1), axis=None)
    return int(maxima[int(BARE * len(maxima))]), int(maxima[max(0, len(maxima) - 2)])


def _edges(length: int) -> NDArray[np.intp]:
    """Return where each block starts."""
    blocks = min(BLOCKS, length)
    return np.arange(blocks) * length // blocks


def _is_even(pixels: Array, low: float, high: float) -> bool:
    """Say whether what lies between two levels is there in about equal amounts all over the page."""
    found = ((pixels > low) & (pixels <= high)).astype(np.float32)
    rows, columns = _edges(pixels.shape[0]), _edges(pixels.shape[1])
    amounts = np.sort(np.add.reduceat(np.add.reduceat(found, rows), columns, 1), axis=None)
    few, usual = amounts[int(BARE * len(amounts))], amounts[len(amounts) // 2]
    return bool(few >= 0.3 * usual)


def _without_rules(pixels: Array, level: int) -> Array:
    """Replace the rows and columns of ruled lines by what lies to both sides of them, when there are enough."""
    found = pixels >= max(3, 0.5 * level)
    rows, columns = found.mean(1) >= LINE, found.mean(0) >= LINE
    if max(_runs(rows), _runs(columns)) < RULES or max(rows.mean(), columns.mean()) > 0.5:
        return pixels
    return _bridged(_bridged(pixels, rows).T, columns).T


def _runs(flags: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(flags[1:] & ~flags[:-1]))


def _bridged(pixels: Array, rows: NDArray[np.bool_]) -> Array:
    """Give flagged rows, and one to each side of them, the lesser of the nearest rows above and below that are not."""
    wide = rows.copy()
    wide[1:] |= rows[:-1]
    wide[:-1] |= rows[1:]
    kept = np.flatnonzero(~wide)
    if not len(kept):
        return pixels
    after = np.searchsorted(kept, np.arange(len(rows))).clip(max=len(kept) - 1)
    before = (np.searchsorted(kept, np.arange(len(rows)), "right") - 1).clip(min=0)
    bridged: Array = np.minimum(pixels[kept[before]], pixels[kept[after]])
    return bridged
