"""The learning curves of a run: what curves.png and the report page show of its history."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from sketchy.evaluation.metrics import HEADLINE, label
from sketchy.results import EpochResult

PANELS = {
    "loss": {"loss": "loss"},
    "mean distance of a sketch and a photo": {
        "positive_distance": "of one category",
        "negative_distance": "of two categories",
    },
    "validation": {f"val_{key}": label(key) for key in HEADLINE},
}
"""For each panel, the columns of history.csv that are plotted and their labels."""
WIDTH, HEIGHT = 300, 160
"""Size of the area of a panel on the report page."""


class Curve(NamedTuple):
    """One column of the history: its label, an SVG path and the last value."""

    label: str
    path: str
    last: float


class Panel(NamedTuple):
    """Curves on one scale from `low` to `high`."""

    title: str
    low: float
    high: float
    curves: tuple[Curve, ...]


def learning_curves(history: Sequence[EpochResult]) -> list[Panel]:
    """Lay out the panels that have finite values.

    Returns:
        Panels with paths in units of WIDTH x HEIGHT: the first epoch is at the left, `high` at the top.
    """
    found = []
    for title, names in PANELS.items():
        columns = {text: _finite(history, name) for name, text in names.items()}
        columns = {text: values for text, values in columns.items() if values}
        if columns:
            every = [value for values in columns.values() for value in values.values()]
            low, high = min(0.0, *every), max(every)
            curves = [
                Curve(text, _path(values, len(history), low, high), list(values.values())[-1])
                for text, values in columns.items()
            ]
            found.append(Panel(title, low, high, tuple(curves)))
    return found


def _finite(history: Sequence[EpochResult], name: str) -> dict[int, float]:
    """Return the finite values of a column by the index of their epoch."""
    values = {index: row.columns.get(name, math.nan) for index, row in enumerate(history)}
    return {index: value for index, value in values.items() if math.isfinite(value)}


def _path(values: dict[int, float], epochs: int, low: float, high: float) -> str:
    x, y = WIDTH / max(epochs - 1, 1), HEIGHT / (high - low or 1)
    points = [f"{x * index:.1f} {y * (high - value):.1f}" for index, value in values.items()]
    return f"M{'L'.join(points)}" + "h0" * (len(points) == 1)  # a single point shows as a dot
