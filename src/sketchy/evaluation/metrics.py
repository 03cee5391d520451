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
    return average_precision_at(ranked, ranked.shape[1], strict=True)


def average_precision_at(ranked: Tensor, k: int, *, strict: bool) -> Tensor:
    """Return the (Q,) float64 sum of the precision at each relevant photo among the first k, over how many there are.

    Args:
        ranked: (Q, N).
        k: ranks that count.
        strict: divide by the most that the first k could hold, min(k, R) with R relevant photos in the gallery; else
            by those that they do hold, which forgives all that are missing.
    """
    first = ranked[:, :k]
    query, _, precision = _precision_at_hits(first)
    total = torch.zeros(len(ranked), dtype=torch.float64).index_add_(0, query, precision)
    found = ranked.sum(1).clamp(max=k) if strict else first.sum(1)
    return total / found.clamp(min=1)


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
    """Return the (Q,) float64 mean of `average_precision` over all orders of the gallery, as the next."""
    return expected_average_precision_at(relevant, total, total, strict=True)


def expected_average_precision_at(relevant: Tensor, total: int, k: int, *, strict: bool) -> Tensor:
    """Return the mean of `average_precision_at` over all orders of the gallery.

    With n = min(k, N) ranks that count and H their n-th harmonic number: rank r holds a relevant photo R/N of the time,
    which then has on average (R-1)(r-1)/(N-1) relevant ones before it, so that the precisions add up to
    R/N (H + (R-1)/(N-1) (n - H)); strict divides that by min(k, R). Lenient divides by the h photos found, which lie
    anywhere among the n ranks alike: the mean for h > 0 is (H + (h-1)/(n-1) (n - H)) / n, linear in h, so that it takes
    the mean of h, n R/N, and how often h is 0, C(N-R, n) / C(N, n).

    Args:
        relevant: (Q,) R, relevant photos of each query.
        total: N, photos in the gallery, at least 1.
        k: as there.
        strict: as there.

    Returns:
        (Q,) float64; 0 where R is 0.
    """
    n, share = min(k, total), relevant.double() / total
    harmonic = (1 / torch.arange(1, n + 1, dtype=torch.float64)).sum()
    if strict:
        before = (relevant.double() - 1) / max(total - 1, 1)
        return share * (harmonic + before * (n - harmonic)) / relevant.clamp(min=1, max=k)
    slope = (n - harmonic) / max(n - 1, 1)
    return (n * share * slope + _any_among(relevant, total, n) * (harmonic - slope)) / n


def _any_among(relevant: Tensor, total: int, n: int) -> Tensor:
    """Return the (Q,) float64 probability that n of N photos, drawn at random, hold one of R relevant ones."""
    drawn = torch.arange(n, dtype=torch.float64)
    others = (total - relevant[:, None] - drawn).clamp(min=0)  # (Q, n): irrelevant ones left at each draw
    return 1 - (others / (total - drawn)).prod(1)
