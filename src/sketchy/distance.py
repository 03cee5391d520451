"""The one distance: Euclidean, and lower is closer.

Losses, validation, evaluation and search all measure with these two functions.
"""

import torch
from torch import Tensor

TINY = 1e-12
"""Squares up to this count as 0."""


def pairwise(a: Tensor, b: Tensor) -> Tensor:
    """Return the Euclidean distance of every row of `a` to every row of `b`.

    Computed as |a|² + |b|² - 2ab, one matrix product: in float32, equal rows come out up to about a thousandth of
    their length apart.

    Args:
        a: (N, D) float.
        b: (M, D) float.

    Returns:
        (N, M) float, >= 0, NaN for a row that holds one; differentiable, with gradient 0 where a distance is 0.
    """
    squared = a.square().sum(1, keepdim=True) + b.square().sum(1) - 2 * a @ b.T
    return _safe_root(squared)


def paired(a: Tensor, b: Tensor) -> Tensor:
    """Return the Euclidean distance of each row of `a` to the same row of `b`.

    Args:
        a: (N, D) float.
        b: (N, D) float, the same shape.

    Returns:
        (N,) float, >= 0, exact for equal rows; gradient 0 where a distance is 0.

    Raises:
        ValueError: the shapes differ (they would broadcast, and learn nothing).
    """
    if a.shape != b.shape:
        raise ValueError(f"paired distance of shapes {tuple(a.shape)} and {tuple(b.shape)}")
    return _safe_root((a - b).square().sum(1))


def _safe_root(squared: Tensor) -> Tensor:
    """Take the root where the square is above 0, else 0: there the derivative of a root is infinite."""
    zero = squared <= TINY  # not so for NaN: a broken embedding must not come out as the nearest
    return torch.where(zero, 1.0, squared).sqrt().masked_fill(zero, 0)
