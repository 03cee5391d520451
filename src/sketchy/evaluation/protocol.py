"""Queries against a gallery: scores of every query, and their summary with chance beside it."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from sketchy.dataset.zero_shot import ZERO_SHOT_CATEGORIES
from sketchy.distance import pairwise
from sketchy.evaluation import metrics
from sketchy.results import Evaluation

PRECISION_AT = (1, 5, 10, 100, 200)
INSTANCE_RECALL_AT = (1, 5, 10)
TOP = 200
"""Ranks that the average precision of the first few looks at."""
SHOWN = 10
"""Nearest photos kept for each query, for pictures and the confusion of categories."""
CHUNK_ELEMENTS = 4_000_000
"""Distances ranked at once. One takes about 80 bytes while it is ranked: 320 MB, however large the gallery."""
CATEGORY_METRICS = ("map_all", "p_at_1", "p_at_5", "p_at_10", "p_at_100")
INSTANCE_METRICS = tuple(f"instance_r_at_{k}" for k in INSTANCE_RECALL_AT)
ZERO_SHOT_METRICS = ("map_all", "map_at_200_lenient", "map_at_200_strict", "p_at_100", "p_at_200")
PROTOCOLS: dict[str, tuple[str, ...]] = {
    "all": CATEGORY_METRICS + INSTANCE_METRICS,
    "category": CATEGORY_METRICS,
    "instance": INSTANCE_METRICS,
} | dict.fromkeys(ZERO_SHOT_CATEGORIES, ZERO_SHOT_METRICS)
"""What each protocol measures."""


@dataclass(frozen=True)
class Queries:
    """Embedded sketches.

    Attributes:
        embeddings: (Q, D) float32.
        categories: (Q,) int64.
        instances: (Q,) int64: the gallery row of the photo that was traced, -1 where it is not in the gallery.
    """

    embeddings: Tensor
    categories: Tensor
    instances: Tensor


@dataclass(frozen=True)
class Scores:
    """What each query scored, row by row.

    Attributes:
        relevant: (Q,) photos of the query's category in the gallery.
        average_precision: (Q,) float64.
        top_lenient: (Q,) float64, average precision of the first TOP, over the relevant photos among them.
        top_strict: (Q,) float64, the same over the most there could be.
        precision: (Q, len(PRECISION_AT)) float64.
        instance_rank: (Q,) rank of the traced photo from 1, 0 where it is not in the gallery.
        nearest: (Q, at most SHOWN) gallery rows.
        curve: (Q, RECALL_POINTS) float32, interpolated precision.
    """

    relevant: Tensor
    average_precision: Tensor
    top_lenient: Tensor
    top_strict: Tensor
    precision: Tensor
    instance_rank: Tensor
    nearest: Tensor
    curve: Tensor


def score(queries: Queries, gallery: Tensor, gallery_categories: Tensor) -> Scores:
    """Rank the whole gallery for every query, a bounded chunk of queries at a time.

    Args:
        queries: Q of them.
        gallery: (N, D) float32 embeddings, N >= 1.
        gallery_categories: (N,) int64.

    Raises:
        ValueError: no queries or no gallery.
    """
    if len(queries.embeddings) == 0 or len(gallery) == 0:
        raise ValueError("no queries or no gallery")
    total = len(queries.embeddings)
    step = max(1, CHUNK_ELEMENTS // len(gallery))
    kept: dict[str, Tensor] = {}
    for start in range(0, total, step):
        rows = slice(start, start + step)
        part = Queries(queries.embeddings[rows], queries.categories[rows], queries.instances[rows])
        chunk = _score_chunk(part, gallery, gallery_categories)
        for name in (field.name for field in fields(Scores)):
            values: Tensor = getattr(chunk, name)
            # Copied to one place: small tensors that outlive their chunk split the heap, and memory grows with Q x N.
            if name not in kept:
                kept[name] = values.new_empty((total, *values.shape[1:]))
            kept[name][rows] = values
    return Scores(**kept)


def _score_chunk(queries: Queries, gallery: Tensor, gallery_categories: Tensor) -> Scores:
    order = metrics.rank(pairwise(queries.embeddings, gallery))  # (q, N)
    ranked = gallery_categories[order] == queries.categories[:, None]
    rank = metrics.rank_of(order, queries.instances)
    return Scores(
        relevant=ranked.sum(1),
        average_precision=metrics.average_precision(ranked),
        top_lenient=metrics.average_precision_at(ranked, TOP, strict=False),
        top_strict=metrics.average_precision_at(ranked, TOP, strict=True),
        precision=torch.stack([metrics.precision_at(ranked, k) for k in PRECISION_AT], dim=1),
        instance_rank=torch.where(queries.instances >= 0, rank, 0),
        nearest=order[:, :SHOWN],
        curve=metrics.interpolated_precision(ranked),
    )


def summarize(
    scores: Scores, queries: Queries, gallery_categories: Tensor, names: tuple[str, ...], protocol: str = "all"
) -> Evaluation:
    """Average the scores under a protocol.

    category: every sketch whose category is in the gallery is a query, photos of its category are relevant.
    instance: every sketch whose traced photo is in the gallery is a query, that one photo is relevant.
    all: both.
    zero-shot-25, zero-shot-21: as category; queries and gallery are to be all that was held out.

    Args:
        names: of the categories, by number.
        protocol: one of PROTOCOLS; it also names the metrics.

    Raises:
        ValueError: an unknown protocol.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol {protocol!r} is unknown; one of {', '.join(PROTOCOLS)}")
    total = len(gallery_categories)
    counted, traced = scores.relevant > 0, scores.instance_rank > 0
    found = _category_means(scores, counted) | _instance_means(scores.instance_rank[traced])
    chance = _category_chance(scores.relevant[counted], total) | _instance_chance(total, any_traced=bool(traced.any()))
    return Evaluation(
        protocol={
            "name": protocol,
            "queries": int(counted.sum()),
            "queries_without_relevant": int((~counted).sum()),
            "instance_queries": int(traced.sum()),
            "gallery": total,
            "categories": len(set(gallery_categories.tolist())),
        },
        metrics={name: found[name] for name in PROTOCOLS[protocol]},
        chance={name: chance[name] for name in PROTOCOLS[protocol]},
        per_category=_per_category(scores, queries, gallery_categories, names),
    )


def _category_means(scores: Scores, counted: Tensor) -> dict[str, float]:
    found = {
        "map_all": _mean(scores.average_precision[counted]),
        "map_at_200_lenient": _mean(scores.top_lenient[counted]),
        "map_at_200_strict": _mean(scores.top_strict[counted]),
    }
    for column, k in enumerate(PRECISION_AT):
        found[f"p_at_{k}"] = _mean(scores.precision[counted, column])
    return found


def _category_chance(relevant: Tensor, total: int) -> dict[str, float]:
    chance = {
        "map_all": _mean(metrics.expected_average_precision(relevant, total)),
        "map_at_200_lenient": _mean(metrics.expected_average_precision_at(relevant, total, TOP, strict=False)),
        "map_at_200_strict": _mean(metrics.expected_average_precision_at(relevant, total, TOP, strict=True)),
    }
    for k in PRECISION_AT:  # beyond the gallery's end there is nothing to hit
        chance[f"p_at_{k}"] = _mean(relevant) / total * min(k, total) / k
    return chance


def _instance_means(rank: Tensor) -> dict[str, float]:
    return {f"instance_r_at_{k}": _mean(rank <= k) for k in INSTANCE_RECALL_AT}


def _instance_chance(total: int, *, any_traced: bool) -> dict[str, float]:
    return {f"instance_r_at_{k}": min(1.0, k / total) if any_traced else 0.0 for k in INSTANCE_RECALL_AT}


def _per_category(
    scores: Scores, queries: Queries, gallery_categories: Tensor, names: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    rows: dict[str, dict[str, float]] = {}
    for category in sorted(set(queries.categories.tolist())):
        own = queries.categories == category
        traced = own & (scores.instance_rank > 0)
        rows[names[category]] = {
            "map_all": _mean(scores.average_precision[own]),
            "p_at_1": _mean(scores.precision[own, 0]),
            "instance_r_at_1": _mean((scores.instance_rank == 1)[traced]),
            "queries": int(own.sum()),
            "photos": int((gallery_categories == category).sum()),
        }
    return rows


def _mean(values: Tensor) -> float:
    """Return the mean, 0 of nothing."""
    return float(values.double().mean()) if len(values) else 0.0
