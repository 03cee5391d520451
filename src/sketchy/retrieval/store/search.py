"""Finding the nearest rows of an index: all of them measured, or the proposals of an approximate index and the rest."""

import numpy as np
from numpy.typing import NDArray

from sketchy.retrieval.nearest import candidates, closest, exact_distances, rough_distances, rounding_slack
from sketchy.retrieval.store.approximate import PROPOSED, Allowed, Approximation
from sketchy.retrieval.store.state import BLOCK_ROWS, CHUNK_ROWS, State

MAX_APPROXIMATE = 1000
"""More hits than this are not worth proposing."""


def search_rows(
    state: State,
    query: NDArray[np.float32],
    k: int,
    allowed: Allowed,
    approximation: Approximation | None,
    few_rows: int,
) -> list[tuple[int, float]]:
    """Return index and distance of the k nearest of the allowed rows, nearest first.

    Args:
        state: Rows to search.
        query: Embedding, shape (D,).
        k: Number of rows, at least 1.
        allowed: Whether a row may be found, shape (rows,); None allows all.
        approximation: Proposes rows; those added since it was built are measured. None measures all.
        few_rows: Up to so many allowed rows are measured directly, without looking at the others.
    """
    count = state.rows if allowed is None else int(np.count_nonzero(allowed))
    if allowed is not None and count <= few_rows and count < state.rows / 2:
        rows = np.flatnonzero(allowed)
        return closest(rows, exact_distances(query, rows, state.fetch), k)
    if approximation is not None and k <= MAX_APPROXIMATE:
        proposed = approximation.propose(query, PROPOSED * k + 32, allowed)
        rows = np.union1d(proposed, _near_rows(state, query, k, allowed, approximation.rows))
        if len(rows) >= min(k, count):
            return closest(rows, exact_distances(query, rows, state.fetch), k)
    rows = _near_rows(state, query, k, allowed, 0)
    return closest(rows, exact_distances(query, rows, state.fetch), k)


def _near_rows(state: State, query: NDArray[np.float32], k: int, allowed: Allowed, first: int) -> NDArray[np.int64]:
    """Return the rows from `first` on that can be among the k nearest."""
    if first >= state.rows:
        return np.empty(0, np.int64)
    start = first // CHUNK_ROWS * CHUNK_ROWS
    rough = np.empty(state.rows - start, np.float32)
    largest = 0.0
    for first_row in range(start, state.rows, BLOCK_ROWS):
        vectors, norms = state.block(first_row)
        rough[first_row - start : first_row - start + BLOCK_ROWS] = rough_distances(query, vectors, norms)
        largest = max(largest, float(norms.max()))
    if allowed is not None:
        rough[~allowed[start:]] = np.inf
    rough[: first - start] = np.inf
    return start + candidates(rough, k, rounding_slack(query, largest))
