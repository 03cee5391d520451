"""Retrieval metrics as pure functions of ranked relevance.

`ranked` is (Q, N) bool: for each query, whether the gallery photo at each rank is relevant, nearest first. A query
with no relevant photo scores 0 here; the protocols leave such queries out of their means, and say how many.
"""

import numpy as np
import torch
from torch import Tensor

RECALL_POINTS = 101
"""Points of the precision-recall curve: recall 0, 0.01, ..., 1."""


def rank(distance: Tensor) -> Tensor:
    """Return (Q, N) int64 gallery rows by rising distance, ties in gallery order.

    Args:
        distance: (Q, N) float, >= 0, on the CPU; ranked as float32. NaN comes last.
    """
    # A distance that is not negative sorts as its bits do. With the row below them no two keys are equal, and numpy's
    # sort of plain numbers, several times as fast as a stable argsort, gives the same order.
    keys = distance.float().contiguous().numpy().view(np.uint32).astype(np.uint64)
    keys <<= np.uint64(32)
    keys |= np.arange(keys.shape[1], dtype=np.uint64)
    keys.sort(axis=1)
    keys &= np.uint64(2**32 - 1)
    return torch.from_numpy(keys.view(np.int64))


def average_precision(ranked: Tensor) -> Tensor:
    """Return the (Q,) float64 average precision over all ranks: the mean of the precision at each relevant photo."""
    query, _, precision = _precision_at_hits(ranked)
    total = torch.zeros(len(ranked), dtype=torch.float64).index_add_(0, query, precision)
    return total / ranked.sum(1).clamp(min=1)


def precision_at(ranked: Tensor, k: int) -> Tensor:
    """Return the (Q,) float64 precision at k: relevant photos among the first k, over k, however few there are."""
    return ranked[:, :k].sum(1, dtype=torch.float64) / k


def interpolated_precision(ranked: Tensor) -> Tensor:
    """Return (Q, RECALL_POINTS) float32: the highest precision at any rank that reaches each recall.

    The 101-point form of the interpolation in Manning et al., "Introduction to Information Retrieval", section 8.4.
    """
    query, number, precision = _precision_at_hits(ranked)
    relevant = ranked.sum(1, keepdim=True)  # (Q, 1)
    at_hit = torch.zeros(len(ranked), max(1, int(relevant.max())))
    at_hit[query, number] = precision.float()
    best_from_here = at_hit.flip(1).cummax(1).values.flip(1)
    steps = RECALL_POINTS - 1
    # Hits that reach each recall: R x point, rounded up in whole numbers, since 0.29 x 100 is not 29 in floats.
    needed = (torch.arange(RECALL_POINTS) * relevant + steps - 1) // steps
    return best_from_here.gather(1, (needed - 1).clamp(min=0))


def _precision_at_hits(ranked: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return query, number among the query's hits (from 0) and float64 precision of each relevant photo, in order."""
    query, place = ranked.nonzero(as_tuple=True)
    relevant = ranked.sum(1)
    number = torch.arange(len(query)) - (relevant.cumsum(0) - relevant)[query]
    return query, number, (number + 1) / (place + 1).double()


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
