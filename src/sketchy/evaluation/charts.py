"""The data of the charts on the report page, as plain values that the template lays out."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from sketchy.evaluation.evaluate import EvaluationDetails

LEVELS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
"""Upper limits of the shares shown by each colour of the heat map; denser near 0, since most mistakes are rare."""
HEAT_SIDE = 640
"""Side of a heat map in pixels; one with many categories grows larger, so that its cells stay legible."""
SMALLEST_CELL, LARGEST_CELL = 9, 36
"""Limits of the side of a cell, in pixels; the names of rows are illegible beside smaller cells."""
STRONGEST = 15
"""Number of mistakes in the table."""
NAMED_IN_ROW = 4
"""Number of categories in the tooltip of a row."""


class Bar(NamedTuple):
    """A category with its mean score, and how many sketches and photos were measured."""

    name: str
    share: float
    sketches: int
    photos: int


class Mistake(NamedTuple):
    """How often sketches of one category retrieve photos of another, as a share of the nearest photos."""

    sketches: str
    photos: str
    share: float


@dataclass(frozen=True)
class Focus:
    """What the charts and examples show under a protocol: category retrieval, or the retrieval of traced photos.

    Attributes:
        instance: Whether only the traced photo counts as relevant.
        counted: Which queries were measured, shape (Q,), bool.
        value: Value by which queries are ordered, shape (Q,); higher is better.
        key: The key in `Evaluation.per_category` of the metric that is shown.
    """

    instance: bool
    counted: Tensor
    value: Tensor
    key: str

    @classmethod
    def of(cls, details: EvaluationDetails) -> "Focus":
        """Choose what to show from the protocol of the evaluation."""
        scores = details.scores
        if details.evaluation.protocol["name"] == "instance":
            return cls(True, scores.instance_rank > 0, -scores.instance_rank, "instance_r_at_1")
        return cls(False, scores.relevant > 0, scores.metrics["map_all"], "map_all")


@dataclass(frozen=True)
class Heat:
    """The confusion matrix of categories as a heat map; row i and column i belong to category i.

    Attributes:
        names: Category names, in the order of rows and columns.
        cell: Side of a cell in pixels.
        paths: One SVG path per level of LEVELS that fills the cells of that level, in units of cells.
        rows: For each row, the categories retrieved most often, with their shares.
        mistakes: The largest shares off the diagonal, largest first.
    """

    names: tuple[str, ...]
    cell: float
    paths: tuple[str, ...]
    rows: tuple[tuple[tuple[str, float], ...], ...]
    mistakes: tuple[Mistake, ...]


def category_bars(details: EvaluationDetails, focus: Focus, names: tuple[str, ...]) -> list[Bar]:
    """Return the categories that were measured, best first; ties are ordered by name.

    Args:
        details: The evaluation.
        focus: What is shown of it.
        names: Category names by label.
    """
    measured = details.queries.categories[focus.counted]
    sketches = torch.bincount(measured, minlength=len(names)).tolist()
    rows = details.evaluation.per_category
    bars = [
        Bar(name, rows[name][focus.key], count, int(rows[name]["photos"]))
        for name, count in zip(names, sketches, strict=True)
        if count
    ]
    return sorted(bars, key=lambda bar: (-bar.share, bar.name))


def confusion(details: EvaluationDetails, counted: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the confusion matrix of categories from the nearest photos of each sketch.

    With R photos of its category in the gallery, a sketch contributes its R nearest photos (at most as many as
    `Scores.nearest` holds), so that a perfect ranking has nothing off the diagonal even if the gallery is small.

    Args:
        details: The evaluation.
        counted: Which queries to count, shape (Q,), bool; the gallery must hold photos of their categories.

    Returns:
        The labels of the categories in the gallery, ascending, shape (C,), int64.
        Shares, shape (C, C), float64: cell (i, j) is the share of category j among the nearest photos of the sketches
            of category i. A row adds up to 1, or to 0 if the category has no sketches.
    """
    present = torch.unique(details.gallery_categories)
    nearest, relevant = details.scores.nearest[counted], details.scores.relevant[counted]
    found = torch.searchsorted(present, details.gallery_categories[nearest])
    own = torch.searchsorted(present, details.queries.categories[counted])
    cells = (own[:, None] * len(present) + found)[torch.arange(nearest.shape[1]) < relevant[:, None]]
    counts = torch.bincount(cells, minlength=len(present) ** 2).reshape(len(present), -1).double()
    return present, counts / counts.sum(1, keepdim=True).clamp(min=1)


def heat_map(present: Tensor, shares: Tensor, names: tuple[str, ...]) -> Heat:
    """Lay out the result of `confusion` as a heat map.

    Args:
        present: Category labels, shape (C,), int64.
        shares: Confusion matrix, shape (C, C), float64.
        names: Names of all categories by label.
    """
    own = tuple(names[category] for category in present.tolist())
    level = torch.bucketize(shares, torch.tensor(LEVELS, dtype=shares.dtype))
    return Heat(
        names=own,
        cell=round(min(LARGEST_CELL, max(SMALLEST_CELL, HEAT_SIDE / len(own))), 1),
        paths=tuple(_path((level == index) & (shares > 0)) for index in range(len(LEVELS))),
        rows=tuple(tuple((own[column], share) for column, share in _largest(row, NAMED_IN_ROW)) for row in shares),
        mistakes=tuple(
            Mistake(own[cell // len(own)], own[cell % len(own)], share)
            for cell, share in _largest((shares - shares.diag().diag()).flatten(), STRONGEST)
        ),
    )


def _path(cells: Tensor) -> str:
    """Return an SVG path with a unit square for every true cell."""
    return "".join(f"M{column} {row}h1v1h-1z" for row, column in cells.nonzero().tolist())


def _largest(shares: Tensor, count: int) -> list[tuple[int, float]]:
    """Return indices and values of the largest shares above 0; ties keep their order."""
    order = (-shares).argsort(stable=True)[:count]
    return [(index, float(shares[index])) for index in order.tolist() if shares[index] > 0]
