"""Find and remove what covers a page as a whole: noise, grain, dithering, and printed patterns such as ruling.

All of it works on distances from the paper, (H, W) uint8. What covers a page is told from a drawing by being
everywhere, in about equal amounts: of BLOCKS x BLOCKS blocks, most have it.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Array = NDArray[np.uint8]
Value = TypeVar("Value", bound=np.generic)

BLOCKS = 8
"""Blocks a side."""

BARE = 0.3
"""Share of the blocks in which a drawing is assumed to have nothing: their maximum is what the texture reaches."""

CORNER = 6
"""A corner of the page is this part of its width and height; a pattern has margins of half of it at most."""

SEPARABLE = 0.5
"""A texture that reaches at most this share of the darkest strokes is removed by its level."""

LINE = 0.6
"""Share of the width or height of a page from which a straight line belongs to its ruling."""

RULES = 5
"""Lines across the page, at least, that make a ruling."""

STRIPS = 32
"""Strips across which a line is followed."""

SLANT = 0.04
"""Most that ruled lines are askew, as a share of their length: two degrees."""

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
        return distance, level
    pixels, least = _without_rules(np.asarray(distance), level)
    for radius in BLUR_RADII:
        image = Image.fromarray(pixels).filter(ImageFilter.BoxBlur(radius)) if radius else Image.fromarray(pixels)
        blurred = np.asarray(image)
        usual = int(np.median(blurred[::4, ::4])) if radius else 0
        level, darkest = _levels(blurred)
        if level < 3 or level <= least:
            return image, least
        if level - usual <= SEPARABLE * (darkest - usual) and is_even(blurred, (usual + level) / 2, level):
            return image, max(level, least)
        if radius == 0 and not is_even(blurred, level / 2):
            return image, least
    return distance, darkest + 1 if darkest < FAINTEST else 0


def _levels(pixels: Array) -> tuple[int, int]:
    """Return what the texture reaches, and how far the darkest strokes are from the paper."""
    maxima = np.sort(
        np.maximum.reduceat(np.maximum.reduceat(pixels, _edges(pixels.shape[0])), _edges(pixels.shape[1]), 1), axis=None
    )
    return int(maxima[int(BARE * len(maxima))]), int(maxima[max(0, len(maxima) - 2)])


def _edges(length: int, parts: int = BLOCKS) -> NDArray[np.intp]:
    """Return where each of so many equal parts starts."""
    parts = min(parts, length)
    return np.arange(parts) * length // parts


def is_even(pixels: NDArray[np.uint8 | np.bool_], low: float, high: float = 255, least: float = 0.15) -> bool:
    """Say whether what lies between two levels is there in about equal amounts all over the page."""
    found = ((pixels > low) & (pixels <= high)).astype(np.float32)
    amounts = _amounts(found, BLOCKS)
    usual = float(np.median(amounts))
    few = np.sort(amounts, axis=None)[int(BARE * amounts.size)]
    # A drawing hardly ever reaches into the corners.
    corners = np.sort(_amounts(found, CORNER)[[0, 0, -1, -1], [0, -1, 0, -1]])
    return bool(usual > 0 and few >= least * usual and corners[1] >= 0.1 * usual)


def _amounts(found: NDArray[np.float32], parts: int) -> NDArray[np.float32]:
    rows, columns = (_edges(length, parts) for length in found.shape)
    amounts: NDArray[np.float32] = np.add.reduceat(np.add.reduceat(found, rows), columns, 1)
    return amounts


def _without_rules(pixels: Array, level: int) -> tuple[Array, int]:
    """Remove straight lines across the page, upright or a little askew, when there are enough to be its ruling.

    Returns:
        The distances without them, and the level of what may be left of them.
    """
    found = pixels >= max(3, 0.5 * level)
    across, down = _find_lines(found.T), _find_lines(found)
    if max(across.count, down.count) < RULES or max(across.flags.mean(), down.flags.mean()) > 0.5:
        return pixels, 0
    return _without_lines(_without_lines(pixels, down).T, across).T, level // 3


@dataclass(frozen=True)
class _Lines:
    """Straight lines from the top of a page to its bottom, which may leave it at the sides.

    Attributes:
        flags: (W + 2 * reach,), the columns that they cover at half the height, from `reach` left of the page.
        slant: how many columns further right they are at the bottom than at the top.
        reach: most that they shift to either side.
    """

    flags: NDArray[np.bool_]
    slant: int
    reach: int

    @property
    def count(self) -> int:
        return int(np.count_nonzero(self.flags[1:] & ~self.flags[:-1]))

    def of(self, values: NDArray[Value], strip: int) -> NDArray[Value]:
        """Return the part of (W + 2 * reach,) values at half the height that is on the page in a strip."""
        start = self.reach - _shift(self.slant, strip)
        return values[start : start + len(self.flags) - 2 * self.reach]


def _shift(slant: int, strip: int) -> int:
    return round(slant * ((strip + 0.5) / STRIPS - 0.5))


def _find_lines(found: NDArray[np.bool_]) -> _Lines:
    """Find lines that run from top to bottom, by their share of each of STRIPS strips of the page."""
    height, width = found.shape
    wide = found.copy()
    wide[:, 1:] |= found[:, :-1]
    wide[:, :-1] |= found[:, 1:]
    edges = _edges(height, STRIPS)
    most = round(SLANT * height)
    reach = most // 2 + 1
    shares = np.zeros((len(edges), width + 4 * reach), np.float32)
    inside = shares.copy()
    shares[:, 2 * reach : -2 * reach] = np.add.reduceat(wide.astype(np.float32), edges)
    shares[:, 2 * reach : -2 * reach] /= np.diff(edges, append=height)[:, np.newaxis]
    inside[:, 2 * reach : -2 * reach] = 1

    def score(slant: int) -> NDArray[np.float32]:
        starts = [reach + _shift(slant, n) for n in range(len(edges))]
        span = width + 2 * reach
        total, seen = (
            sum(row[start : start + span] for row, start in zip(rows, starts, strict=True)) for rows in (shares, inside)
        )
        return np.asarray(total / np.maximum(seen, len(edges) / 6))

    def weight(slant: int) -> float:
        scores = score(slant)
        return float((scores[scores >= LINE] ** 4).sum()) * (1.02 if slant == 0 else 1)

    coarse = max([0, *range(-most, most + 1, 3)], key=weight)
    slant = max([0, *range(coarse - 2, coarse + 3)], key=weight)
    return _Lines(score(slant) >= LINE, slant, reach)


def _without_lines(pixels: Array, lines: _Lines) -> Array:
    """Fill the columns of lines with what continues from one side to the other, and keep what is darker than a line."""
    if not lines.flags.any():
        return pixels
    wide = lines.flags | np.append(lines.flags[1:], False) | np.append(False, lines.flags[:-1])
    spread = _Lines(wide, lines.slant, lines.reach)
    strips = np.split(pixels, _edges(len(pixels), STRIPS)[1:])
    aligned = np.zeros((len(strips), len(wide)), np.uint8)
    for n, strip in enumerate(strips):
        spread.of(aligned[n], n)[:] = np.quantile(strip, 0.65, axis=0, method="nearest")
    levels = Image.fromarray(np.median(aligned, axis=0).astype(np.uint8)[np.newaxis] * wide)
    darker = np.asarray(levels.filter(ImageFilter.MaxFilter(7)), np.float32)[0] * 1.4 + 3
    return np.concatenate(
        [
            np.where(strip > spread.of(darker, n), strip, _bridged(strip, spread.of(wide, n)))
            for n, strip in enumerate(strips)
        ]
    )


def _bridged(pixels: Array, columns: NDArray[np.bool_]) -> Array:
    """Fill flagged columns with what is on both sides of them, straight across or along a diagonal."""
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
