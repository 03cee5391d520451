"""Exact nearest neighbours by the distance of `sketchy.distance`, in NumPy, since importing torch takes seconds."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

EXACT_ROWS = 8192
"""Candidates per exact measurement, which bounds the memory if very many are at equal distance."""

ALONE_ROWS = 65_536
"""Up to this many rows are measured by the calling thread alone, in 2 ms. A matrix product takes half of the time, but
its threads then wait for the next one for 20 ms without leaving their cores, where others may compute."""

Floats = NDArray[np.float32]


def squared_norms(vectors: Floats) -> Floats:
    """Return the squared lengths, shape (N,), of rows, shape (N, D)."""
    norms: Floats = np.einsum("nd,nd->n", vectors, vectors)
    return norms


def rough_distances(query: Floats, vectors: Floats, norms: Floats) -> Floats:
    """Return squared distances minus |query|², shape (N,).

    Args:
        query: Query, shape (D,).
        vectors: Rows, shape (N, D).
        norms: Squared lengths of the rows, shape (N,).
    """
    doubled = -2 * query
    rough: Floats = np.vecdot(vectors, doubled) if len(vectors) <= ALONE_ROWS else vectors @ doubled
    rough += norms
    return rough


def candidates(rough: Floats, k: int, slack: float) -> NDArray[np.int64]:
    """Return the rows, ascending, that may be among the k nearest.

    Args:
        rough: Squared distances up to a constant, shape (N,); rows with NaN and inf are never candidates.
        k: Number of neighbours, at least 1.
        slack: Twice the greatest error of a rough distance.
    """
    if k < len(rough):
        bound = np.partition(rough, k - 1)[k - 1]  # NaN is sorted last
        if np.isfinite(bound):
            return np.flatnonzero(rough <= bound + slack)
    return np.flatnonzero(np.isfinite(rough))


def rounding_slack(query: Floats, largest: float) -> float:
    """Bound twice the rounding error of `rough_distances`, as both of two compared distances have that error.

    Args:
        query: Query, shape (D,).
        largest: Largest squared length of a row.
    """
    unit = float(np.finfo(np.float32).eps)
    return 4 * unit * max(16, len(query)) * (float(query @ query) + largest)


def exact_distances(query: Floats, rows: NDArray[np.int64], fetch: Callable[[NDArray[np.int64]], Floats]) -> Floats:
    """Return Euclidean distances, shape (len(rows),), computed from differences: 0 for a row equal to the query.

    Args:
        query: Query, shape (D,).
        rows: Indices of the rows to measure.
        fetch: Returns the vectors of n rows, shape (n, D).
    """
    parts = [np.empty(0, np.float32)]
    for start in range(0, len(rows), EXACT_ROWS):
        difference = fetch(rows[start : start + EXACT_ROWS]).astype(np.float64) - query
        parts.append(np.sqrt(np.einsum("nd,nd->n", difference, difference)).astype(np.float32))
    return np.concatenate(parts)


def nearest_of(
    query: Floats, rows: NDArray[np.int64], k: int, fetch: Callable[[NDArray[np.int64]], Floats]
) -> list[tuple[int, float]]:
    """Measure some rows, such as `candidates`; see `exact_distances` for the arguments.

    Returns:
        Row and distance of the k nearest, nearest first, equal distances in the order of rows.
    """
    distances = exact_distances(query, rows, fetch)
    order = np.lexsort((rows, distances))[:k]
    return [(int(rows[index]), float(distances[index])) for index in order]
