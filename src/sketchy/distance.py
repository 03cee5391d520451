"""The one distance: Euclidean, and lower is closer.

Losses, validation, evaluation and search all measure with these two functions.
"""

import torch
from torch import Tensor

TINY = 1e-12
"""Squared distances up to this count as 0."""


def pairwise(a: Tensor, b: Tensor) -> Tensor:
    """Return the Euclidean distance between every row of `a` and every row of `b`.

    Computed as |a|² + |b|² - 2ab, with one matrix product: in float32, the distance of equal rows is up to about a
    thousandth of their length.

    Args:
        a: Embeddings, shape (N, D), float.
        b: Embeddings, shape (M, D), float.

    Returns:
        Distances, shape (N, M), float, >= 0, NaN for rows with a NaN; differentiable, with gradient 0 at distance 0.
    """
    squared = a.square().sum(1, keepdim=True) + b.square().sum(1) - 2 * a @ b.T
    return _safe_root(squared)


def paired(a: Tensor, b: Tensor) -> Tensor:
    """Return the Euclidean distance between each row of `a` and the same row of `b`.

    Args:
        a: Embeddings, shape (N, D), float.
        b: Embeddings of the same shape.

    Returns:
        Distances, shape (N,), float, >= 0, exact for equal rows; differentiable, with gradient 0 at distance 0.

    Raises:
        ValueError: The shapes differ. They would broadcast, and training would silently learn nothing.
    """
    if a.shape != b.shape:
        raise ValueError(f"paired distance of shapes {tuple(a.shape)} and {tuple(b.shape)}")
    return _safe_root((a - b).square().sum(1))


def _safe_root(squared: Tensor) -> Tensor:
    """Return the square root, with gradient 0 at 0, where the derivative of the root is infinite."""
    zero = squared <= TINY  # False for NaN, so that a broken embedding is not the nearest
    return torch.where(zero, 1.0, squared).sqrt().masked_fill(zero, 0)
