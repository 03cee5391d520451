"""What the charts of the report page draw, as plain values: the template only lays it out."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from sketchy.evaluation.judge import Judgement

LEVELS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
"""Upper ends of the shares that one colour of the heat map stands for; the ends grow, since mistakes are small."""
HEAT_SIDE = 640
"""Pixels that a heat map of few categories fills; one of many grows beyond."""
SMALLEST_CELL, LARGEST_CELL = 9, 36
"""Pixels; below the smallest the names beside the rows cannot be read."""
STRONGEST = 15
"""Mistakes that are listed."""
NAMED_IN_ROW = 4
"""Categories that the tooltip of a row names."""


class Bar(NamedTuple):
    """One category: its mean score, and how many sketches and photos that is of."""

    name: str
    share: float
    sketches: int
    photos: int


class Mistake(NamedTuple):
    """Sketches of one category that find photos of another, as a share of the nearest photos."""

    sketches: str
    photos: str
    share: float


@dataclass(frozen=True)
class Focus:
    """What the charts and examples of a protocol are about: categories, or the traced photos alone.

    Attributes:
        instance: the traced photos alone.
        counted: (Q,) bool, the queries that were measured.
        value: (Q,) what ranks the queries, higher is better.
        key: of `Evaluation.per_category`.
    """

    instance: bool
    counted: Tensor
    value: Tensor
    key: str

    @classmethod
    def of(cls, judgement: Judgement) -> "Focus":
        """Choose by the protocol of the evaluation."""
        scores = judgement.scores
        if judgement.evaluation.protocol["name"] == "instance":
            return cls(True, scores.instance_rank > 0, -scores.instance_rank, "instance_r_at_1")
        return cls(False, scores.relevant > 0, scores.metrics["map_all"], "map_all")


@dataclass(frozen=True)
class Heat:
    """The confusion of categories as a heat map; row and column i are category i.

    Attributes:
        names: of the categories.
        cell: side of a cell in pixels.
        paths: an SVG path for each of LEVELS, in units of cells: the cells of that level.
        rows: for each row, the categories found most often, with their shares.
        mistakes: the largest shares off the diagonal, largest first.
    """

    names: tuple[str, ...]
    cell: float
    paths: tuple[str, ...]
    rows: tuple[tuple[tuple[str, float], ...], ...]
    mistakes: tuple[Mistake, ...]


def category_bars(judgement: Judgement, focus: Focus, names: tuple[str, ...]) -> list[Bar]:
    """Return the categories that were measured, best first and equal ones by name.

    Args:
        judgement: what is drawn.
        focus: of the judgement.
        names: of the categories, by number.
    """
    measured = judgement.queries.categories[focus.counted]
    sketches = torch.bincount(measured, minlength=len(names)).tolist()
    rows = judgement.evaluation.per_category
    bars = [
        Bar(name, rows[name][focus.key], number, int(rows[name]["photos"]))
        for name, number in zip(names, sketches, strict=True)
        if number
    ]
    return sorted(bars, key=lambda bar: (-bar.share, bar.name))


def confusion(judgement: Judgement, counted: Tensor) -> tuple[Tensor, Tensor]:
    """Count whose photos are nearest to whose sketches.

    Of a sketch the R nearest photos count, R being the photos of its category, as far as they are kept: so that a
    perfect ranking has nothing off the diagonal, however small the gallery.

    Args:
        counted: (Q,) bool: the queries that count; the gallery holds photos of their categories.

    Returns:
        (C,) int64: the categories of the gallery, ascending.
        (C, C) float64: of the nearest photos of all sketches of a row's category, the share that is of the column's;
            a row adds up to 1, or 0 where the category has no sketches.
    """
    present = torch.unique(judgement.gallery_categories)
    nearest, relevant = judgement.scores.nearest[counted], judgement.scores.relevant[counted]
    found = torch.searchsorted(present, judgement.gallery_categories[nearest])
    own = torch.searchsorted(present, judgement.queries.categories[counted])
    cells = (own[:, None] * len(present) + found)[torch.arange(nearest.shape[1]) < relevant[:, None]]
    counts = torch.bincount(cells, minlength=len(present) ** 2).reshape(len(present), -1).double()
    return present, counts / counts.sum(1, keepdim=True).clamp(min=1)


def heat_map(present: Tensor, shares: Tensor, names: tuple[str, ...]) -> Heat:
    """Lay out what `confusion` counted.

    Args:
        present: (C,) categories.
        shares: (C, C).
        names: of all categories, by number.
    """
    own = tuple(names[category] for category in present.tolist())
    level = torch.bucketize(shares, torch.tensor(LEVELS, dtype=shares.dtype))
    return Heat(
        names=own,
        cell=round(min(LARGEST_CELL, max(SMALLEST_CELL, HEAT_SIDE / len(own))), 1),
        paths=tuple(_path((level == number) & (shares > 0)) for number in range(len(LEVELS))),
        rows=tuple(tuple((own[column], share) for column, share in _largest(row, NAMED_IN_ROW)) for row in shares),
        mistakes=tuple(
            Mistake(own[cell // len(own)], own[cell % len(own)], share)
            for cell, share in _largest((shares - shares.diag().diag()).flatten(), STRONGEST)
        ),
    )


def _path(cells: Tensor) -> str:
    """Outline every true cell as a unit square."""
    return "".join(f"M{column} {row}h1v1h-1z" for row, column in cells.nonzero().tolist())


def _largest(shares: Tensor, count: int) -> list[tuple[int, float]]:
    """Return places and values of the largest shares above 0, equal ones in order."""
    order = (-shares).argsort(stable=True)[:count]
    return [(place, float(shares[place])) for place in order.tolist() if shares[place] > 0]
