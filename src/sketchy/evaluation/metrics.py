"""The metrics and the protocols that report them. The tables are the only place that names a metric.

The command line prints labels without importing torch, so this module needs none: the formulas are in
`sketchy.evaluation.ranking`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Ranked(Protocol):
    """The gallery in some order, for each of Q queries: as a model ranks it, or at random."""

    def average_precision(self, k: int | None = None, *, strict: bool = True) -> "Tensor":
        """Return the (Q,) float64 average precision of the first k photos, of all of them where k is None."""

    def precision(self, k: int) -> "Tensor":
        """Return the (Q,) float64 share of relevant photos among the first k."""

    def instance_recall(self, k: int) -> "Tensor":
        """Return (Q,) float64, whether the traced photo is among the first k, or how likely that is."""


@dataclass(frozen=True)
class Metric:
    """One figure of an evaluation.

    Attributes:
        key: name in JSON, in `history.csv` (after `val_`) and in checkpoints.
        label: short name for people.
        meaning: what it says, in a few words.
        measure: scores each query of a ranking; applied to a random order, it gives chance.
        instance: whether only the traced photo is relevant, in place of all photos of the sketch's category.
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
"""Every metric by its key; add one here, and its key to the protocols that report it."""

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
"""The metrics of each category, and of the validation split after each epoch."""


def label(key: str) -> str:
    """Return the label of a metric, also under its name in a history, `val_<key>`; an unknown key as it is."""
    metric = METRICS.get(key.removeprefix("val_"))
    return metric.label if metric else key
