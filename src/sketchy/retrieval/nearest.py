"""Exact nearest neighbours by the distance of `sketchy.distance`, in NumPy: importing torch takes seconds."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

EXACT_ROWS = 8192
"""Candidates measured exactly at once; bounds the memory when very many lie at one distance."""

Floats = NDArray[np.float32]


def squared_norms(vectors: Floats) -> Floats:
    """Return (N,) squared lengths of (N, D) rows."""
    norms: Floats = np.einsum("nd,nd->n", vectors, vectors)
    return norms


def rough_distances(query: Floats, vectors: Floats, norms: Floats) -> Floats:
    """Return (N,) squared distances less |query|², by one matrix product.

    Args:
        query: Embedding, shape (D,).
        vectors: Embeddings, shape (N, D).
        norms: Squared lengths of the rows, shape (N,).
    """
    rough: Floats = vectors @ (-2 * query)
    rough += norms
    return rough


def candidates(rough: Floats, k: int, slack: float) -> NDArray[np.int64]:
    """Return the rows, ascending, that can be among the k nearest.

    Args:
        rough: Squared distances up to a constant, shape (N,); NaN and inf are never candidates.
        k: Number of rows, at least 1.
        slack: Twice the greatest error of a rough distance.
    """
    if k < len(rough):
        bound = np.partition(rough, k - 1)[k - 1]  # NaN comes last
        if np.isfinite(bound):
            return np.flatnonzero(rough <= bound + slack)
    return np.flatnonzero(np.isfinite(rough))


def rounding_slack(query: Floats, largest: float) -> float:
    """Bound twice the rounding error of `rough_distances`: both of two compared distances can be off.

    Args:
        query: Embedding, shape (D,).
        largest: Greatest squared length of a row.
    """
    unit = float(np.finfo(np.float32).eps)
    return 4 * unit * max(16, len(query)) * (float(query @ query) + largest)


def exact_distances(query: Floats, rows: NDArray[np.int64], fetch: Callable[[NDArray[np.int64]], Floats]) -> Floats:
    """Return (len(rows),) Euclidean distances, from differences: 0 for a row equal to the query.

    Args:
        query: Embedding, shape (D,).
        rows: Indices of rows.
        fetch: Returns the (n, D) vectors of n rows.
    """
    parts = [np.empty(0, np.float32)]
    for start in range(0, len(rows), EXACT_ROWS):
        difference = fetch(rows[start : start + EXACT_ROWS]).astype(np.float64) - query
        parts.append(np.sqrt(np.einsum("nd,nd->n", difference, difference)).astype(np.float32))
    return np.concatenate(parts)


def nearest(
    query: Floats, rough: Floats, k: int, slack: float, fetch: Callable[[NDArray[np.int64]], Floats]
) -> list[tuple[int, float]]:
    """Return row and distance of the k nearest, nearest first; equal distances in row order."""
    rows = candidates(rough, k, slack)
    return closest(rows, exact_distances(query, rows, fetch), k)


def closest(rows: NDArray[np.int64], distances: Floats, k: int) -> list[tuple[int, float]]:
    """Return index and distance of the k nearest rows; equal distances in row order."""
    order = np.lexsort((rows, distances))[:k]
    return [(int(rows[index]), float(distances[index])) for index in order]
