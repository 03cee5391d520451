"""The metrics of a ranking, and their exact expected values for a random order of the gallery.

A query without relevant photos scores 0 here; the protocols leave such queries out of the means and count them.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

RECALL_POINTS = 101
"""Number of points of the precision-recall curve: recall 0, 0.01, ..., 1."""


def rank(distance: Tensor) -> Tensor:
    """Sort the gallery rows of each query by distance; ties keep the order of the gallery.

    Args:
        distance: Distances, shape (Q, N), >= 0; compared as float32, NaN last.

    Returns:
        Gallery rows, nearest first, shape (Q, N), int64, on the device of the distances.
    """
    if distance.device.type != "cpu":
        return torch.sort(distance.float(), dim=1, stable=True).indices
    # The bit patterns of non-negative floats, read as integers, sort in the same order as the floats. With the row in
    # the lower half of the key all keys differ, so that NumPy's default sort, which is several times as fast as a
    # stable argsort, gives the same result.
    keys = distance.float().contiguous().numpy().view(np.uint32).astype(np.uint64)
    keys <<= np.uint64(32)
    keys |= np.arange(keys.shape[1], dtype=np.uint64)
    keys.sort(axis=1)
    keys &= np.uint64(2**32 - 1)
    return torch.from_numpy(keys.view(np.int64))


def rank_of(order: Tensor, row: Tensor) -> Tensor:
    """Return the rank, from 1, of gallery row `row[q]` in `order[q]`; `order` is the result of `rank`, shape (Q, N)."""
    return (order == row[:, None]).int().argmax(1) + 1


class _Hits(NamedTuple):
    """All H relevant photos of all queries, by query and rank.

    Attributes:
        query: Index of the query, shape (H,), int64.
        column: Rank of the photo, from 0.
        hit: Its index among the relevant photos of the query.
        precision: Precision of the ranks up to it, float64.
    """

    query: Tensor
    column: Tensor
    hit: Tensor
    precision: Tensor


@dataclass(frozen=True)
class Ranking:
    """The ranking of the gallery by a model.

    Attributes:
        relevant: Whether the photo at each rank is relevant, nearest first, shape (Q, N), bool, on the CPU.
        traced_rank: Rank of the traced photo, counted from 1, shape (Q,), int64; 0 if it is not in the gallery.
    """

    relevant: Tensor
    traced_rank: Tensor

    @cached_property
    def count(self) -> Tensor:
        """Number of relevant photos in the gallery, shape (Q,), int64."""
        return torch.from_numpy(np.count_nonzero(self.relevant.numpy(), axis=1))

    @cached_property
    def _hits(self) -> _Hits:
        query, column = self.relevant.nonzero(as_tuple=True)
        hit = torch.arange(len(query)) - (self.count.cumsum(0) - self.count)[query]
        return _Hits(query, column, hit, (hit + 1) / (column + 1).double())

    def average_precision(self, k: int | None = None, *, strict: bool = True) -> Tensor:
        """Return the average precision: the sum of the precision at each relevant photo in the first k, divided.

        Args:
            k: Number of ranks to count; None counts all.
            strict: Whether to divide by min(k, R), with R relevant photos in the gallery; otherwise the divisor is the
                number of relevant photos in the first k, so that missing ones are not penalised.

        Returns:
            Average precision, shape (Q,), float64.
        """
        k = self.relevant.shape[1] if k is None else k
        hits = self._hits
        counted = hits.column < k
        total = torch.zeros(len(self.relevant), dtype=torch.float64)
        total.index_add_(0, hits.query[counted], hits.precision[counted])
        count = self.count.clamp(max=k) if strict else torch.bincount(hits.query[counted], minlength=len(total))
        return total / count.clamp(min=1)

    def precision(self, k: int) -> Tensor:
        """Return the number of relevant photos in the first k divided by k, shape (Q,), float64, also if N < k."""
        return self.relevant[:, :k].sum(1, dtype=torch.float64) / k

    def instance_recall(self, k: int) -> Tensor:
        """Return 1 where the traced photo is among the first k, else 0, shape (Q,), float64."""
        return ((self.traced_rank > 0) & (self.traced_rank <= k)).double()

    def interpolated_precision(self) -> Tensor:
        """Return the highest precision at any rank that reaches each recall, shape (Q, RECALL_POINTS), float32.

        The 101-point form of the interpolation in Manning et al., "Introduction to Information Retrieval", section 8.4.
        """
        hits, count = self._hits, self.count[:, None]
        at_hit = torch.zeros(len(self.relevant), max(1, int(count.max())))
        at_hit[hits.query, hits.hit] = hits.precision.float()
        best_from_here = at_hit.flip(1).cummax(1).values.flip(1)
        steps = RECALL_POINTS - 1
        # Hits needed for each recall: R x point, rounded up by integer division, since 0.29 x 100 is not 29 in floats.
        needed = (torch.arange(RECALL_POINTS) * count + steps - 1) // steps
        return best_from_here.gather(1, (needed - 1).clamp(min=0))


@dataclass(frozen=True)
class RandomOrder:
    """A random order of the gallery: each metric is its exact mean over all orders, the chance level.

    Attributes:
        relevant: Number R of relevant photos of each query, shape (Q,), int64.
        total: Number N of photos in the gallery, at least 1.
    """

    relevant: Tensor
    total: int

    def average_precision(self, k: int | None = None, *, strict: bool = True) -> Tensor:
        """Return the mean of `Ranking.average_precision` over all orders, shape (Q,), float64; 0 where R is 0.

        Let n = min(k, N) be the number of ranks that count, and H the n-th harmonic number. Rank r holds a relevant
        photo with probability R/N; on average, (R-1)(r-1)/(N-1) relevant ones are before it. The precisions therefore
        add up to R/N (H + (R-1)/(N-1) (n - H)). The strict form divides this by min(k, R). The lenient form divides by
        the number h of relevant photos in the first n, which are equally likely at any of the n ranks: its mean for a
        given h > 0 is (H + (h-1)/(n-1) (n - H)) / n. This is linear in h, so that only the mean of h, n R/N, and the
        probability that h is 0, C(N-R, n) / C(N, n), are needed.
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
        """Return the mean of `Ranking.precision` over all orders, shape (Q,), float64."""
        return self.relevant.double() / self.total * min(k, self.total) / k

    def instance_recall(self, k: int) -> Tensor:
        """Return the probability that a given photo is among the first k, shape (Q,), float64."""
        return torch.full(self.relevant.shape, min(1.0, k / self.total), dtype=torch.float64)

    def _any_among(self, n: int) -> Tensor:
        """Return the probability that n photos drawn at random include a relevant one, shape (Q,), float64."""
        drawn = torch.arange(n, dtype=torch.float64)
        others = (self.total - self.relevant[:, None] - drawn).clamp(min=0)  # (Q, n): irrelevant photos left
        return 1 - (others / (self.total - drawn)).prod(1)
