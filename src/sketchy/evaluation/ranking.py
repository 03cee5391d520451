"""Rankings of a gallery, what they are worth, and what a random order of the gallery would be worth.

A query with no relevant photo scores 0 here; the protocols leave such queries out of their means, and say how many.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

RECALL_POINTS = 101
"""Points of the precision-recall curve: recall 0, 0.01, ..., 1."""


def rank(distance: Tensor) -> Tensor:
    """Return (Q, N) int64, the gallery rows by rising distance, ties in gallery order.

    Args:
        distance: Distances, shape (Q, N), float, >= 0, on the CPU; ranked as float32. NaN comes last.
    """
    # The bits of a float that is not negative, read as an integer, sort as the float does. With the row in the lower
    # half no two keys are equal, so that NumPy's plain sort, several times as fast as a stable argsort, gives the same.
    keys = distance.float().contiguous().numpy().view(np.uint32).astype(np.uint64)
    keys <<= np.uint64(32)
    keys |= np.arange(keys.shape[1], dtype=np.uint64)
    keys.sort(axis=1)
    keys &= np.uint64(2**32 - 1)
    return torch.from_numpy(keys.view(np.int64))


def rank_of(order: Tensor, row: Tensor) -> Tensor:
    """Return the (Q,) rank, from 1, of gallery row `row[q]` in the (Q, N) `order` that `rank` gave."""
    return (order == row[:, None]).int().argmax(1) + 1


@dataclass(frozen=True)
class Ranking:
    """The gallery as a model ranks it.

    Attributes:
        relevant: Whether the photo at each rank is relevant, nearest first, shape (Q, N), bool.
        traced_rank: Rank of the traced photo, counted from 1, shape (Q,); 0 where it is not in the gallery.
    """

    relevant: Tensor
    traced_rank: Tensor

    def average_precision(self, k: int | None = None, *, strict: bool = True) -> Tensor:
        """Return the (Q,) float64 sum of the precision at each relevant photo of the first k, over their count.

        Args:
            k: Ranks that count; None counts all.
            strict: Divide by the most that the first k could hold, min(k, R) with R relevant photos in the gallery;
                else by the relevant photos that they do hold, which forgives all that are missing.
        """
        first = self.relevant[:, :k]
        query, _, precision = _precision_at_hits(first)
        total = torch.zeros(len(first), dtype=torch.float64).index_add_(0, query, precision)
        count = self.relevant.sum(1).clamp(max=first.shape[1] if k is None else k) if strict else first.sum(1)
        return total / count.clamp(min=1)

    def precision(self, k: int) -> Tensor:
        """Return the (Q,) float64 number of relevant photos among the first k, over k, however few photos there are."""
        return self.relevant[:, :k].sum(1, dtype=torch.float64) / k

    def instance_recall(self, k: int) -> Tensor:
        """Return (Q,) float64, 1 where the traced photo is among the first k."""
        return ((self.traced_rank > 0) & (self.traced_rank <= k)).double()

    def interpolated_precision(self) -> Tensor:
        """Return (Q, RECALL_POINTS) float32, the highest precision at any rank that reaches each recall.

        The 101-point form of the interpolation in Manning et al., "Introduction to Information Retrieval", section 8.4.
        """
        query, hit, precision = _precision_at_hits(self.relevant)
        count = self.relevant.sum(1, keepdim=True)  # (Q, 1)
        at_hit = torch.zeros(len(self.relevant), max(1, int(count.max())))
        at_hit[query, hit] = precision.float()
        best_from_here = at_hit.flip(1).cummax(1).values.flip(1)
        steps = RECALL_POINTS - 1
        # Hits needed for each recall: R x point, rounded up in integers, since 0.29 x 100 is not 29 in floats.
        needed = (torch.arange(RECALL_POINTS) * count + steps - 1) // steps
        return best_from_here.gather(1, (needed - 1).clamp(min=0))


def _precision_at_hits(relevant: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return, for every relevant photo in order: its query, its index among the query's hits, the precision there."""
    query, column = relevant.nonzero(as_tuple=True)
    count = relevant.sum(1)
    hit = torch.arange(len(query)) - (count.cumsum(0) - count)[query]
    return query, hit, (hit + 1) / (column + 1).double()


@dataclass(frozen=True)
class RandomOrder:
    """The mean over all orders of a gallery: the exact chance level of each metric.

    Attributes:
        relevant: Number R of relevant photos of each query, shape (Q,), int64.
        total: Number N of photos in the gallery, at least 1.
    """

    relevant: Tensor
    total: int

    def average_precision(self, k: int | None = None, *, strict: bool = True) -> Tensor:
        """Return the (Q,) float64 mean of `Ranking.average_precision` over all orders; 0 where R is 0.

        With n = min(k, N) ranks that count and H their n-th harmonic number: rank r holds a relevant photo with
        probability R/N, which then has on average (R-1)(r-1)/(N-1) relevant ones before it, so that the precisions add
        up to R/N (H + (R-1)/(N-1) (n - H)); strict divides that by min(k, R). Lenient divides by the h photos found,
        which are equally likely at any of the n ranks: the mean for h > 0 is (H + (h-1)/(n-1) (n - H)) / n, linear in
        h, so that it needs only the mean of h, n R/N, and the probability that h is 0, C(N-R, n) / C(N, n).
        """
        k = self.total if k is None else k
        n, share = min(k, self.total), self.relevant.double() / self.total
        harmonic = (1 / torch.arange(1, n + 1, dtype=torch.float64)).sum()
        if strict:
            before = (self.relevant.double() - 1) / max(self.total - 1, 1)
            return share * (harmonic + before * (n - harmonic)) / self.relevant.clamp(min=1, max=k)
        slope = (n - harmonic) / max(n - 1, 1)
        return (n * share * slope + self._any_among(n) * (harmonic - slope)) / n

    def precision(self, k: int) -> Tensor:
        """Return the (Q,) float64 mean of `Ranking.precision`: beyond the end of the gallery there is nothing."""
        return self.relevant.double() / self.total * min(k, self.total) / k

    def instance_recall(self, k: int) -> Tensor:
        """Return the (Q,) float64 probability that one given photo is among the first k."""
        return torch.full(self.relevant.shape, min(1.0, k / self.total), dtype=torch.float64)

    def _any_among(self, n: int) -> Tensor:
        """Return the (Q,) float64 probability that n photos drawn at random hold a relevant one."""
        drawn = torch.arange(n, dtype=torch.float64)
        others = (self.total - self.relevant[:, None] - drawn).clamp(min=0)  # (Q, n): irrelevant ones left
        return 1 - (others / (self.total - drawn)).prod(1)
