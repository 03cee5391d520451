"""Find what spans a whole page and is no drawing: the dark borders of scans and screenshots, and shadows of folds."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

BLACK, GREY = 40, 160
"""Brightest border: one of a scan or photo, and one of a single colour, as drawing programs have it around a canvas."""

CONTRAST = 64
"""Least difference between the levels of a border and of the page inside it."""

PAGE = 0.6
"""Least share of light pixels in a row (or column) of the page, relative to the row with most of them."""

MOSTLY = 0.95
"""Least share of a row or column that the shadow of a fold covers."""

FAINTEST = 3
"""Least distance from the paper of a shadow that is removed."""

Array = NDArray[np.uint8]


def crop_dark_borders(image: Image.Image) -> Image.Image:
    """Remove dark borders, of one to four sides, around a light page, as scans and screenshots have them.

    Args:
        image: A drawing of mode L or RGB.
    """
    corners = [image.getpixel((x, y)) for x in (0, image.width - 1) for y in (0, image.height - 1)]
    if sum(_brightness(corner) <= GREY for corner in corners) < 2:
        return image
    factor = max(1, max(image.size) // 512)
    grey = image.convert("L")
    small = grey.reduce(factor) if factor > 1 else grey
    pixels = np.asarray(small)
    lightest = _lightest_border(pixels)
    light = pixels > lightest
    top, bottom = _page_range(light.mean(1))
    left, right = _page_range(light[top:bottom].mean(0))
    page = pixels[top:bottom, left:right]
    if page.size == pixels.size or not _is_page(page >= lightest + CONTRAST):
        return image
    # One more pixel, where the border and the page were averaged.
    box = (left + (left > 0), top + (top > 0), right - (right < small.width), bottom - (bottom < small.height))
    x, y = image.width / small.width, image.height / small.height
    return image.crop((round(box[0] * x), round(box[1] * y), round(box[2] * x), round(box[3] * y)))


def _brightness(pixel: float | tuple[int, ...] | None) -> float:
    return max(pixel) if isinstance(pixel, tuple) else pixel or 0


def _lightest_border(pixels: Array) -> int:
    """Return the level up to which pixels can be a border."""
    rim = np.concatenate([*pixels[[0, -1]], *pixels[:, [0, -1]].T])
    usual = int(np.bincount(rim).argmax())
    flat = np.mean(np.abs(rim - float(usual)) <= 2) > 0.9
    return max(BLACK, usual + 16) if flat and usual <= GREY else BLACK


def _page_range(shares: NDArray[np.float64]) -> tuple[int, int]:
    """Return the first and the end of the rows (or columns) of the page, given the share of light pixels in each."""
    page = np.flatnonzero(shares >= PAGE * shares.max())
    return int(page[0]), int(page[-1]) + 1


def _is_page(light: NDArray[np.bool_]) -> bool:
    """Return whether this is a light page with a drawing, and not a light shape on a dark canvas."""
    if min(light.shape) < 5:
        return False
    rim = np.concatenate([*light[[1, -2]], *light[:, [1, -2]].T])
    return bool(rim.mean() > 0.8 and light.mean() > 0.6 and not light[2:-2, 2:-2].all())


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
