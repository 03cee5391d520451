"""Find and remove what covers a page everywhere: noise, grain, dithering, and printed patterns such as ruling.

All functions work on distances from the paper, shape (H, W), uint8. A texture differs from a drawing in that it is
present in about equal amounts in most of the blocks of a page.
"""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Array = NDArray[np.uint8]
Value = TypeVar("Value", bound=np.generic)

BLOCKS = (8, 16)
"""Numbers of blocks along each side of the page: few for coarse patterns, more for drawings that fill the page."""

BARE = 0.3
"""Share of the blocks that are assumed to be free of the drawing: their maximum is the level of the texture."""

CORNER = 6
"""A corner of the page is this fraction of its width and height. The margins of a pattern are at most half as wide."""

SEPARABLE = 0.5
"""A texture up to this share of the level of the darkest strokes can be removed by its level."""

LINE = 0.6
"""Least share of the height (or width) of a page that a line of its ruling covers."""

RULES = 5
"""Least number of lines of a ruling."""

STRIPS = 32
"""Number of strips of the page in which a slanted line is followed."""

SLANT = 0.04
"""Largest slant of ruled lines, as a share of their length: two degrees."""

BLUR_RADII = (0, 1, 2, 4)
"""Radii in pixels of the blurs that are tried: dots as dark as the pen become fainter than the pen."""

FAINTEST = 40
"""Texture without anything darker counts as a drawing only from this distance from the paper on."""


def remove_texture(distance: Image.Image, peaks: Array) -> tuple[Image.Image, int]:
    """Remove what covers the page everywhere.

    Args:
        distance: How far each pixel is from the paper, mode L.
        peaks: The maxima of its blocks of a few pixels.

    Returns:
        The distances without ruled lines, possibly blurred, and the level up to which they still are texture; 0 if
        they are not.
    """
    level, _ = _levels(peaks, BLOCKS[0])
    if level < 3:
        return distance, level
    for blocks in BLOCKS:
        level, _ = _levels(peaks, blocks)
        if level >= 3 and (found := _remove_level(distance, level, blocks)):
            return found
    return distance, 0


def _remove_level(distance: Image.Image, level: int, blocks: int) -> tuple[Image.Image, int] | None:
    """Remove a texture of this level, as `remove_texture` does; return None if it is the level of a drawing."""
    pixels, least = _remove_ruling(np.asarray(distance), level)
    for radius in BLUR_RADII:
        image = Image.fromarray(pixels).filter(ImageFilter.BoxBlur(radius)) if radius else Image.fromarray(pixels)
        blurred = np.asarray(image)
        usual = int(np.median(blurred[::4, ::4])) if radius else 0
        level, darkest = _levels(blurred, blocks)
        if level < 3 or level <= least:
            return image, least
        if level - usual <= SEPARABLE * (darkest - usual) and is_even(
            blurred, (usual + level) / 2, level, blocks=blocks
        ):
            return image, max(level, least)
        if radius == 0 and not is_even(blurred, level / 2, blocks=blocks):
            return (image, least) if least else None
    return (distance, darkest + 1) if darkest < FAINTEST else None


def _levels(pixels: Array, blocks: int) -> tuple[int, int]:
    """Return the level of the texture, and that of the darkest strokes, given the blocks along each side."""
    rows, columns = _edges(pixels.shape[0], blocks), _edges(pixels.shape[1], blocks)
    maxima = np.sort(np.maximum.reduceat(np.maximum.reduceat(pixels, rows), columns, 1), axis=None)
    return int(maxima[int(BARE * len(maxima))]), int(maxima[max(0, len(maxima) - 2)])


def _edges(length: int, parts: int) -> NDArray[np.intp]:
    """Return the starts of equal parts of a length."""
    parts = min(parts, length)
    return np.arange(parts) * length // parts


def is_even(
    pixels: NDArray[np.uint8 | np.bool_], low: float, high: float = 255, *, least: float = 0.15, blocks: int = BLOCKS[0]
) -> bool:
    """Return whether pixels above `low` and up to `high` are about equally frequent everywhere on the page.

    Args:
        pixels: Distances from the paper or a mask, shape (H, W).
        low: Lower limit, exclusive.
        high: Upper limit, inclusive.
        least: Least frequency in the sparser blocks, as a share of the median of all blocks.
        blocks: Number of blocks along each side of the page.
    """
    found = ((pixels > low) & (pixels <= high)).astype(np.float32)
    amounts = _block_sums(found, blocks)
    usual = float(np.median(amounts))
    few = np.sort(amounts, axis=None)[int(BARE * amounts.size)]
    # A drawing hardly ever reaches into the corners.
    corners = np.sort(_block_sums(found, CORNER)[[0, 0, -1, -1], [0, -1, 0, -1]])
    return bool(usual > 0 and few >= least * usual and corners[1] >= 0.1 * usual)


def _block_sums(values: NDArray[np.float32], parts: int) -> NDArray[np.float32]:
    rows, columns = (_edges(length, parts) for length in values.shape)
    sums: NDArray[np.float32] = np.add.reduceat(np.add.reduceat(values, rows), columns, 1)
    return sums


def _remove_ruling(pixels: Array, level: int) -> tuple[Array, int]:
    """Remove straight lines across the page, vertical and horizontal or slightly slanted, if they are a ruling.

    Returns:
        The distances without the lines, and the level of what may remain of them.
    """
    found = pixels >= max(3, 0.5 * level)
    horizontal, vertical = _find_lines(found.T), _find_lines(found)
    count = max(horizontal.count, vertical.count)
    if count < RULES or max(horizontal.columns.mean(), vertical.columns.mean()) > 0.5:
        return pixels, 0
    return _remove_lines(_remove_lines(pixels, vertical).T, horizontal).T, level // 3


@dataclass(frozen=True)
class _Lines:
    """Straight lines from the top of a page to its bottom, all with the same slant.

    Attributes:
        columns: The columns that the lines cover at half the height of the page, shape (W + 2 * margin,), bool. They
            begin `margin` columns left of the page, as slanted lines may enter the page from its sides.
        slant: Columns by which the lines are further right at the bottom of the page than at the top.
        margin: Largest shift of a line to either side, and more.
    """

    columns: NDArray[np.bool_]
    slant: int
    margin: int

    @property
    def count(self) -> int:
        return int(np.count_nonzero(self.columns[1:] & ~self.columns[:-1]))

    def on_page(self, values: NDArray[Value], strip: int) -> NDArray[Value]:
        """Return the values on the page in a strip, shape (W,), given those of `columns`, as a view."""
        start = self.margin - _shift(self.slant, strip)
        return values[start : start + len(self.columns) - 2 * self.margin]


def _shift(slant: int, strip: int) -> int:
    """Return the columns by which a slanted line is further right in a strip than at half the height."""
    return round(slant * ((strip + 0.5) / STRIPS - 0.5))


def _find_lines(found: NDArray[np.bool_]) -> _Lines:
    """Find lines from top to bottom with the slant at which most columns are covered nearly completely."""
    steepest = round(SLANT * len(found))
    margin = steepest // 2 + 1
    shares, inside = _strip_shares(found, 2 * margin)

    def coverage(slant: int) -> NDArray[np.float32]:
        """Return the share of its height on the page that each column of `_Lines.columns` covers."""
        strips_on_page = np.maximum(_sum_aligned(inside, slant, margin), len(inside) / 6)
        return np.asarray(_sum_aligned(shares, slant, margin) / strips_on_page)

    def score(slant: int) -> float:
        covered = coverage(slant)
        return float((covered[covered >= LINE] ** 4).sum()) * (1.02 if slant == 0 else 1)

    coarse = max([0, *range(-steepest, steepest + 1, 3)], key=score)
    slant = max([0, *range(coarse - 2, coarse + 3)], key=score)
    return _Lines(coverage(slant) >= LINE, slant, margin)


def _strip_shares(found: NDArray[np.bool_], padding: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how much of each column is found in each strip, and whether the column is on the page.

    Pixels beside a pixel that was found count too, so that lines need not be exactly straight.

    Args:
        found: Pixels that may belong to a line, shape (H, W).
        padding: Number of columns to add at the left and the right, with 0.

    Returns:
        Two arrays, shape (strips, W + 2 * padding), float32, 0 to 1.
    """
    wide = found.copy()
    wide[:, 1:] |= found[:, :-1]
    wide[:, :-1] |= found[:, 1:]
    edges = _edges(len(found), STRIPS)
    heights = np.diff(edges, append=len(found))[:, np.newaxis]
    shares = np.zeros((len(edges), found.shape[1] + 2 * padding), np.float32)
    inside = shares.copy()
    shares[:, padding:-padding] = np.add.reduceat(wide.astype(np.float32), edges)
    shares[:, padding:-padding] /= heights
    inside[:, padding:-padding] = 1
    return shares, inside


def _sum_aligned(strips: NDArray[np.float32], slant: int, margin: int) -> NDArray[np.float32]:
    """Sum the strips, shifted so that lines of this slant become vertical, without `margin` columns at each side."""
    span = strips.shape[1] - 2 * margin
    starts = [margin + _shift(slant, n) for n in range(len(strips))]
    return np.asarray(sum(strip[start : start + span] for strip, start in zip(strips, starts, strict=True)))


def _remove_lines(pixels: Array, lines: _Lines) -> Array:
    """Replace lines by strokes that cross them, and keep pixels that are darker than a line."""
    columns = lines.columns
    if not columns.any():
        return pixels
    lines = replace(lines, columns=columns | np.append(columns[1:], False) | np.append(False, columns[:-1]))
    strips = np.split(pixels, _edges(len(pixels), STRIPS)[1:])
    darker = _line_levels(strips, lines) * 1.4 + 3
    cleared = []
    for n, strip in enumerate(strips):
        bridged = _bridge(strip, lines.on_page(lines.columns, n))
        cleared.append(np.where(strip > lines.on_page(darker, n), strip, bridged))
    return np.concatenate(cleared)


def _line_levels(strips: list[Array], lines: _Lines) -> NDArray[np.float32]:
    """Return the level of the line at each column of `lines.columns`, and of the columns beside it; 0 elsewhere."""
    levels = np.zeros((len(strips), len(lines.columns)), np.uint8)
    for n, strip in enumerate(strips):
        lines.on_page(levels[n], n)[:] = np.quantile(strip, 0.65, axis=0, method="nearest")
    usual = Image.fromarray(np.median(levels, axis=0).astype(np.uint8)[np.newaxis] * lines.columns)
    highest: NDArray[np.float32] = np.asarray(usual.filter(ImageFilter.MaxFilter(7)), np.float32)[0]
    return highest


def _bridge(pixels: Array, columns: NDArray[np.bool_]) -> Array:
    """Fill columns with what is on both sides of them, straight across or along a diagonal."""
    kept = np.flatnonzero(~columns)
    if not len(kept) or not columns.any():
        return pixels
    gaps = np.flatnonzero(columns)
    right = pixels[:, kept[np.searchsorted(kept, gaps).clip(max=len(kept) - 1)]]
    left = pixels[:, kept[(np.searchsorted(kept, gaps) - 1).clip(min=0)]]
    filled = np.minimum(left, right)
    for rise in range(1, min(4, len(pixels) - 1)):
        for upper, lower in ((left, right), (right, left)):
            filled[rise:-rise] = np.maximum(filled[rise:-rise], np.minimum(upper[: -2 * rise], lower[2 * rise :]))
    bridged = pixels.copy()
    bridged[:, gaps] = filled
    return bridged
