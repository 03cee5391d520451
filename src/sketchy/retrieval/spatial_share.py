"""Weighing the spatial part of embeddings at search time, without embedding any photo again."""

import math

import numpy as np

from sketchy.errors import CheckpointError
from sketchy.inference.description import SpatialPart
from sketchy.retrieval.store.base import Vectors


def reweighted(query: Vectors, spatial: SpatialPart | None, share: float) -> Vectors:
    """Return a query that ranks photos as if the spatial part had another share of the squared distance.

    The parts of a photo's embedding have the squared lengths 1 - s and s, where s is the model's share. Scaling the
    parts of the query by (1 - share) / (1 - s) and share / s therefore makes its dot product with the photo
    (1 - share) times the cosine of the first parts plus share times that of the second parts. Photos have length 1, so
    that their order by distance to the result is the order by this dot product.

    Args:
        query: Embedding, shape (D,), float32, the spatial part last.
        spatial: Settings of the model's spatial embedding; None if it has none.
        share: Share of the squared distance, in [0, 1].

    Raises:
        CheckpointError: The model has no spatial embedding, or the query lacks it, as it was not fitted.
        ValueError: The share is not in [0, 1].
    """
    if not 0 <= share <= 1:
        raise ValueError(f"the spatial share is {share}; give 0 to 1")
    if spatial is None or (share > 0 and not query[-spatial.size :].any()):
        raise CheckpointError(
            "the model has no spatial embedding to weigh; leave the spatial share out or use another checkpoint"
        )
    result = query.copy()
    result[: -spatial.size] *= (1 - share) / (1 - spatial.share)
    result[-spatial.size :] *= share / spatial.share
    return result


def reweighted_distance(distance: float, query: Vectors) -> float:
    """Return the distance of two embeddings with the chosen share, from that of a photo to a reweighted query.

    Args:
        distance: Euclidean distance between the reweighted query and the photo.
        query: The reweighted query, shape (D,), float32.
    """
    squared = distance**2 + 1 - float(np.square(query, dtype=np.float64).sum())
    return math.sqrt(max(0.0, squared))
