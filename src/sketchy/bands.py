"""Find what spans a whole page and is no drawing: the black borders of scans and screenshots, and shadows of folds."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DARK, LIGHT = 64, 128
"""Levels of grey: a black border is at most as bright as the first, the page inside it at least as the second."""

MOSTLY = 0.95
"""Least share of a row or column that is part of a border or of the shadow of a fold."""

FAINTEST = 3
"""Least distance from the paper of a shadow that is removed."""

Array = NDArray[np.uint8]


def crop_black_borders(image: Image.Image) -> Image.Image:
    """Remove black borders, of one to four sides, around a light page, as scanners and screenshots have them.

    Args:
        image: A drawing of mode L or RGB.
    """
    ends = (0, image.width - 1), (0, image.height - 1)
    corners = [_brightness(image.getpixel((x, y))) for x in ends[0] for y in ends[1]]
    if sum(corner <= DARK for corner in corners) < 2:
        return image
    factor = max(1, max(image.size) // 512)
    small = image.convert("L").reduce(factor) if factor > 1 else image.convert("L")
    pixels = np.asarray(small)
    top, bottom = _inner_range((pixels <= DARK).mean(1))
    left, right = _inner_range((pixels[top:bottom] <= DARK).mean(0)) if top < bottom else (0, 0)
    page = pixels[top:bottom, left:right]
    if page.size == pixels.size or not _is_page(page):
        return image
    # One more pixel, where the border and the page were averaged.
    box = (left + (left > 0), top + (top > 0), right - (right < small.width), bottom - (bottom < small.height))
    x, y = image.width / small.width, image.height / small.height
    return image.crop((round(box[0] * x), round(box[1] * y), round(box[2] * x), round(box[3] * y)))


def _is_page(pixels: Array) -> bool:
    """Return whether this is a light page with a drawing, and not a light shape on black."""
    light = pixels >= LIGHT
    if min(light.shape) < 5:
        return False
    rim = np.concatenate([*light[[1, -2]], *light[:, [1, -2]].T])
    return bool(rim.mean() > 0.8 and light.mean() > 0.6 and not light[2:-2, 2:-2].all())


def _brightness(pixel: float | tuple[int, ...] | None) -> float:
    return max(pixel) if isinstance(pixel, tuple) else pixel or 0


def _inner_range(shares: NDArray[np.float64]) -> tuple[int, int]:
    """Return the first and the end of the rows (or columns) between those that are black, given the shares of black."""
    page = np.flatnonzero(shares < MOSTLY)
    return (int(page[0]), int(page[-1]) + 1) if page.size else (0, 0)


def remove_bands(distance: Image.Image) -> Image.Image:
    """Remove what darkens whole columns or rows evenly, as the shadow of a fold does, unless it is all there is.

    Args:
        distance: How far each pixel is from the paper, mode L.
    """
    pixels = np.asarray(distance)
    columns, rows = _band_levels(pixels), _band_levels(pixels.T)
    if not (columns.any() or rows.any()):
        return distance
    levels = np.maximum(columns[np.newaxis], rows[:, np.newaxis])
    cleared = np.maximum(pixels, levels) - levels
    return Image.fromarray(cleared) if cleared.max() >= FAINTEST else distance


def _band_levels(pixels: Array) -> Array:
    """Return the distance that `MOSTLY` of each column exceeds; 0 where it is less than `FAINTEST`."""
    levels = np.zeros(pixels.shape[1], np.uint8)
    reaching = np.flatnonzero(np.minimum(pixels[0], pixels[-1]) >= FAINTEST)
    if reaching.size:
        lowest = np.quantile(pixels[:, reaching], 1 - MOSTLY, axis=0, method="lower")
        levels[reaching] = np.where(lowest >= FAINTEST, lowest, 0)
    return levels
