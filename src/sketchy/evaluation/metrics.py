"""Retrieval metrics as pure functions of ranked relevance.

`ranked` is (Q, N) bool: for each query, whether the gallery photo at each rank is relevant, nearest first. A query
with no relevant photo scores 0 here; the protocols leave such queries out of their means, and say how many.
"""

import torch
from torch import Tensor

RECALL_POINTS = 101
"""Points of the precision-recall curve: recall 0, 0.01, ..., 1."""


def rank(distance: Tensor) -> Tensor:
    """Return (Q, N) int64 gallery rows by rising distance, ties in gallery order, of (Q, N) distances."""
    return distance.argsort(dim=1, stable=True)


def average_precision(ranked: Tensor) -> Tensor:
    """Return the (Q,) float64 average precision over all ranks: the mean of the precision at each relevant photo."""
    ranks = torch.arange(1, ranked.shape[1] + 1, device=ranked.device)
    precision = ranked.cumsum(1) / ranks
    return torch.where(ranked, precision, 0).sum(1, dtype=torch.float64) / ranked.sum(1).clamp(min=1)


def precision_at(ranked: Tensor, k: int) -> Tensor:
    """Return the (Q,) float64 precision at k: relevant photos among the first k, over k, however few there are."""
    return ranked[:, :k].sum(1, dtype=torch.float64) / k


def interpolated_precision(ranked: Tensor) -> Tensor:
    """Return (Q, RECALL_POINTS) float32: the highest precision at any rank that reaches each recall.

    The 101-point form of the interpolation in Manning et al., "Introduction to Information Retrieval", section 8.4.
    """
    hits = ranked.cumsum(1)
    ranks = torch.arange(1, ranked.shape[1] + 1, device=ranked.device)
    best_from_here = (hits / ranks).flip(1).cummax(1).values.flip(1)
    steps = RECALL_POINTS - 1
    # Hits that reach each recall: R x point, rounded up in whole numbers, since 0.29 x 100 is not 29 in floats.
    needed = (torch.arange(RECALL_POINTS, device=ranked.device) * hits[:, -1:] + steps - 1) // steps
    first = torch.searchsorted(hits, needed.clamp(min=1)).clamp(max=ranked.shape[1] - 1)
    return torch.where(hits[:, -1:] > 0, best_from_here.gather(1, first), 0)


def rank_of(order: Tensor, row: Tensor) -> Tensor:
    """Return the (Q,) rank, from 1, of gallery row `row[q]` in the (Q, N) `order` that `rank` gave."""
    return (order == row[:, None]).int().argmax(1) + 1


def expected_average_precision(relevant: Tensor, total: int) -> Tensor:
    """Return the mean average precision of a ranking drawn at random.

    The relevant photo at rank r has on average (R-1)(r-1)/(N-1) relevant ones before it, so the mean over random
    rankings is ((R-1)/(N-1) (N - H) + H) / N with H the N-th harmonic number.

    Args:
        relevant: (Q,) R, relevant photos of each query.
        total: N, photos in the gallery.

    Returns:
        (Q,) float64; 0 where R is 0.
    """
    harmonic = (1 / torch.arange(1, total + 1, dtype=torch.float64)).sum()
    others = (relevant.double() - 1) / max(total - 1, 1)
    return torch.where(relevant > 0, (others * (total - harmonic) + harmonic) / total, 0)
