"""The metrics, and the protocols that report them. Metrics are named in the tables here and nowhere else.

This module does not import torch, since the command line prints labels without it: the formulas are in
`sketchy.evaluation.ranking`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Ranked(Protocol):
    """A ranking of the gallery for each of Q queries, by a model or at random."""

    def average_precision(self, k: int | None = None, *, strict: bool = True) -> "Tensor":
        """Return the average precision of the first k photos (None: of all), shape (Q,), float64."""

    def precision(self, k: int) -> "Tensor":
        """Return the share of relevant photos among the first k, shape (Q,), float64."""

    def instance_recall(self, k: int) -> "Tensor":
        """Return the probability (0 or 1 for a model) that the traced photo is among the first k, (Q,) float64."""


@dataclass(frozen=True)
class Metric:
    """A metric of an evaluation.

    Attributes:
        key: Name in JSON, in `history.csv` (after `val_`) and in checkpoints.
        label: Short name for display.
        meaning: Explanation in a few words.
        measure: Function that scores each query of a ranking; for a random order, it computes the chance level.
        instance: Whether only the traced photo is relevant, instead of all photos of the sketch's category.
    """

    key: str
    label: str
    meaning: str
    measure: "Callable[[Ranked], Tensor]"
    instance: bool = False


def _precision(k: int) -> Metric:
    meaning = "nearest photo is right" if k == 1 else f"right photos among the {k} nearest"
    return Metric(f"p_at_{k}", f"P@{k}", meaning, lambda ranked: ranked.precision(k))


def _instance_recall(k: int) -> Metric:
    meaning = "traced photo is the nearest" if k == 1 else f"traced photo is among the {k} nearest"
    return Metric(
        f"instance_r_at_{k}", f"instance R@{k}", meaning, lambda ranked: ranked.instance_recall(k), instance=True
    )


def _mean_average_precision_at(k: int, form: str) -> Metric:
    return Metric(
        f"map_at_{k}_{form}",
        f"mAP@{k} {form}",
        f"mean average precision of the {k} nearest, {form} form",
        lambda ranked: ranked.average_precision(k, strict=form == "strict"),
    )


METRICS = {
    metric.key: metric
    for metric in (
        Metric(
            "map_all",
            "mAP@all",
            "mean average precision of the whole ranking",
            lambda ranked: ranked.average_precision(),
        ),
        _mean_average_precision_at(200, "lenient"),
        _mean_average_precision_at(200, "strict"),
        *(_precision(k) for k in (1, 5, 10, 100, 200)),
        *(_instance_recall(k) for k in (1, 5, 10)),
    )
}
"""All metrics by key. To add one, add it here, and its key to the protocols that report it."""

_CATEGORY = ("map_all", "p_at_1", "p_at_5", "p_at_10", "p_at_100")
_INSTANCE = ("instance_r_at_1", "instance_r_at_5", "instance_r_at_10")
_ZERO_SHOT = ("map_all", "map_at_200_lenient", "map_at_200_strict", "p_at_100", "p_at_200")

PROTOCOLS = {
    "all": _CATEGORY + _INSTANCE,
    "category": _CATEGORY,
    "instance": _INSTANCE,
    "zero-shot-25": _ZERO_SHOT,
    "zero-shot-21": _ZERO_SHOT,
}
"""The metrics that each protocol reports."""

HEADLINE = ("map_all", "p_at_1", "instance_r_at_1")
"""The metrics that are reported for each category, and for the validation split after each epoch."""


def label(key: str) -> str:
    """Return the label of a metric by its key, with or without the prefix `val_`; unknown keys are unchanged."""
    metric = METRICS.get(key.removeprefix("val_"))
    return metric.label if metric else key
