"""Finding the nearest rows of an index, exactly or with an approximate index; all distances are exact."""

import numpy as np
from numpy.typing import NDArray

from sketchy.retrieval.nearest import candidates, nearest_of, rough_distances, rounding_slack
from sketchy.retrieval.store.approximate import CANDIDATES_PER_HIT, Allowed, ApproximateIndex
from sketchy.retrieval.store.state import BLOCK_ROWS, CHUNK_ROWS, State

MAX_APPROXIMATE = 1000
"""With more hits than this the approximate index is no faster."""


def search_rows(
    state: State,
    query: NDArray[np.float32],
    k: int,
    allowed: Allowed,
    approximate: ApproximateIndex | None,
    few_rows: int,
) -> list[tuple[int, float]]:
    """Return row and distance of the k nearest of the allowed rows, nearest first.

    Args:
        state: Rows to search.
        query: Embedding, shape (D,), float32.
        k: Number of rows, at least 1.
        allowed: Whether a row may be found, shape (rows,); None allows all.
        approximate: Index to take candidates from, beside the rows added since it was built; None measures all rows.
        few_rows: Up to this many allowed rows are measured directly, without a pass over the others.
    """
    count = state.rows if allowed is None else int(np.count_nonzero(allowed))
    rows = np.empty(0, np.int64)
    if allowed is not None and count <= few_rows and count < state.rows / 2:
        rows = np.flatnonzero(allowed)
    elif approximate is not None and k <= MAX_APPROXIMATE:
        proposed = approximate.propose(query, CANDIDATES_PER_HIT * k + 32, allowed)
        rows = np.union1d(proposed, _near_rows(state, query, k, allowed, approximate.rows))
    if len(rows) < min(k, count):
        rows = _near_rows(state, query, k, allowed, 0)
    return nearest_of(query, rows, k, state.fetch)


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
