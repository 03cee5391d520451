"""Scores of queries against a gallery, and their mean under a protocol with the chance level."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sketchy.distance import pairwise
from sketchy.evaluation.metrics import HEADLINE, METRICS, PROTOCOLS
from sketchy.evaluation.ranking import RandomOrder, Ranking, rank, rank_of
from sketchy.results import Evaluation

SHOWN = 10
"""Number of nearest photos that are kept for each query, for pictures and the confusion matrix."""
CHUNK_ELEMENTS = 4_000_000
"""Number of distances ranked at once, at about 80 bytes each: 320 MB, however large the gallery is."""


@dataclass(frozen=True)
class Queries:
    """Embedded sketches.

    Attributes:
        embeddings: Embeddings, shape (Q, D), float32.
        categories: Category labels, shape (Q,), int64.
        instances: Gallery row of the traced photo, shape (Q,), int64; -1 if it is not in the gallery.
    """

    embeddings: Tensor
    categories: Tensor
    instances: Tensor


@dataclass(frozen=True)
class Scores:
    """The scores of each query.

    Attributes:
        metrics: For every key of METRICS, the score of each query, shape (Q,), float64.
        relevant: Number of photos of the query's category in the gallery, shape (Q,), int64.
        instance_rank: Rank of the traced photo, counted from 1, shape (Q,), int64; 0 if it is not in the gallery.
        nearest: Gallery rows of the nearest photos, shape (Q, min(SHOWN, N)), int64.
        curve: Interpolated precision at each recall, shape (Q, RECALL_POINTS), float32.
    """

    metrics: dict[str, Tensor]
    relevant: Tensor
    instance_rank: Tensor
    nearest: Tensor
    curve: Tensor


def score(
    queries: Queries,
    gallery: Tensor,
    gallery_categories: Tensor,
    chunk_elements: int = CHUNK_ELEMENTS,
    device: torch.device | None = None,
) -> Scores:
    """Rank the whole gallery for every query, in chunks of queries so that memory stays bounded.

    Args:
        queries: Q queries, at least one.
        gallery: Embeddings of the photos, shape (N, D), float32, N >= 1.
        gallery_categories: Category labels of the photos, shape (N,), int64.
        chunk_elements: Number of distances ranked at once.
        device: Device that ranks; by default that of the gallery. Scores are on the CPU.

    Raises:
        ValueError: There are no queries or no gallery.
    """
    if len(queries.embeddings) == 0 or len(gallery) == 0:
        raise ValueError("no queries or no gallery")
    gallery, gallery_categories = gallery.to(device), gallery_categories.to(device)
    total = len(queries.embeddings)
    step = max(1, chunk_elements // len(gallery))
    kept: dict[str, Tensor] = {}
    for start in range(0, total, step):
        rows = slice(start, start + step)
        part = Queries(*(column[rows].to(device) for column in vars(queries).values()))
        for name, values in _score_chunk(part, gallery, gallery_categories).items():
            # One tensor for all chunks: many small ones would fragment the heap, and memory would grow with Q x N.
            if name not in kept:
                kept[name] = values.new_empty((total, *values.shape[1:]))
            kept[name][rows] = values
    return Scores(metrics={key: kept.pop(key) for key in METRICS}, **kept)


def _score_chunk(queries: Queries, gallery: Tensor, gallery_categories: Tensor) -> dict[str, Tensor]:
    embeddings = queries.embeddings
    if gallery.device.type == "cuda":  # in float32, training may have allowed TF32, which is too coarse for distances
        embeddings, gallery = embeddings.double(), gallery.double()
    order = rank(pairwise(embeddings, gallery))  # (q, N)
    traced_rank = torch.where(queries.instances >= 0, rank_of(order, queries.instances), 0).cpu()
    ranking = Ranking((gallery_categories[order] == queries.categories[:, None]).cpu(), traced_rank)
    return {key: metric.measure(ranking) for key, metric in METRICS.items()} | {
        "relevant": ranking.count,
        "instance_rank": traced_rank,
        "nearest": order[:, :SHOWN].cpu(),
        "curve": ranking.interpolated_precision(),
    }


def summarize(
    scores: Scores, queries: Queries, gallery_categories: Tensor, names: Sequence[str], protocol: str = "all"
) -> Evaluation:
    """Average the scores under a protocol.

    category: the queries are the sketches whose category is in the gallery; photos of that category are relevant.
    instance: the queries are the sketches whose traced photo is in the gallery; only that photo is relevant.
    all: both.
    zero-shot-25, zero-shot-21: like category; the caller passes the categories that training left out.

    Args:
        scores: Scores of the queries.
        queries: The queries.
        gallery_categories: Category labels of the photos, shape (N,), int64.
        names: Category names by label.
        protocol: A key of PROTOCOLS, which also determines the metrics.

    Raises:
        ValueError: The protocol is unknown.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol {protocol!r} is unknown; one of {', '.join(PROTOCOLS)}")
    counted, traced = scores.relevant > 0, scores.instance_rank > 0
    order = RandomOrder(scores.relevant, len(gallery_categories))
    found, chance = {}, {}
    for key in PROTOCOLS[protocol]:
        measured = traced if METRICS[key].instance else counted
        found[key] = _mean(scores.metrics[key][measured])
        chance[key] = _mean(METRICS[key].measure(order)[measured])
    return Evaluation(
        protocol={"name": protocol, **_counts(scores, gallery_categories)},
        metrics=found,
        chance=chance,
        per_category=_per_category(scores, queries, gallery_categories, names),
    )


def _counts(scores: Scores, gallery_categories: Tensor) -> dict[str, int]:
    with_relevant = int((scores.relevant > 0).sum())
    return {
        "queries": with_relevant,
        "queries_without_relevant": len(scores.relevant) - with_relevant,
        "instance_queries": int((scores.instance_rank > 0).sum()),
        "gallery": len(gallery_categories),
        "categories": len(set(gallery_categories.tolist())),
    }


def _per_category(
    scores: Scores, queries: Queries, gallery_categories: Tensor, names: Sequence[str]
) -> dict[str, dict[str, float]]:
    rows: dict[str, dict[str, Any]] = {}
    for category in sorted(set(queries.categories.tolist())):
        own = queries.categories == category
        traced = own & (scores.instance_rank > 0)
        rows[names[category]] = {
            **{key: _mean(scores.metrics[key][traced if METRICS[key].instance else own]) for key in HEADLINE},
            "queries": int(own.sum()),
            "photos": int((gallery_categories == category).sum()),
        }
    return rows


def _mean(values: Tensor) -> float:
    """Return the mean, or 0 if there are no values."""
    return float(values.double().mean()) if len(values) else 0.0
