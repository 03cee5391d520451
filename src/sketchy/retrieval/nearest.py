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
        query: (D,).
        vectors: (N, D).
        norms: (N,) squared lengths of the rows.
    """
    rough: Floats = vectors @ (-2 * query)
    rough += norms
    return rough


def candidates(rough: Floats, k: int, slack: float) -> NDArray[np.int64]:
    """Return the rows, ascending, that can be among the k nearest.

    Args:
        rough: (N,) squared distances up to a constant; NaN and inf are never candidates.
        k: at least 1.
        slack: how far off a rough distance may be, twice over.
    """
    if k < len(rough):
        bound = np.partition(rough, k - 1)[k - 1]  # what is no number comes last
        if np.isfinite(bound):
            return np.flatnonzero(rough <= bound + slack)
    return np.flatnonzero(np.isfinite(rough))


def rounding_slack(query: Floats, largest: float) -> float:
    """Bound twice the rounding error of `rough_distances`: both of two compared distances can be off.

    Args:
        query: (D,).
        largest: of the squared lengths of the rows.
    """
    unit = float(np.finfo(np.float32).eps)
    return 4 * unit * max(16, len(query)) * (float(query @ query) + largest)


def exact_distances(query: Floats, rows: NDArray[np.int64], fetch: Callable[[NDArray[np.int64]], Floats]) -> Floats:
    """Return (len(rows),) Euclidean distances, from differences: 0 for a row equal to the query.

    Args:
        query: (D,).
        rows: which.
        fetch: gives the (n, D) vectors of n rows.
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
    """Sort rows by distance, then by number, and keep k of them."""
    order = np.lexsort((rows, distances))[:k]
    return [(int(rows[place]), float(distances[place])) for place in order]
