"""The embedding map of the report page: sketches and photos on the two principal axes of their embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from sketchy.evaluation.evaluate import EvaluationDetails

POINTS = 3000
"""Largest number of sketches, and of photos, on the map; of more, every n-th is shown."""
WIDTH = 640
"""Width of the map in pixels; its height follows from the spread of the embeddings."""
GOLDEN_ANGLE = 137.508
"""Degrees between the hues of consecutive categories, which keeps those of any number of them apart."""
CROSS = 2.5
"""Half the size of the cross that stands for a sketch."""


class Cluster(NamedTuple):
    """The images of a category: photos as dots and sketches as crosses (SVG paths), and where the name stands."""

    name: str
    hue: int
    photos: str
    sketches: str
    x: float
    y: float


@dataclass(frozen=True)
class EmbeddingMap:
    """The map.

    Attributes:
        height: Height in pixels.
        explained: Share of the variance of the embeddings that the two axes hold.
        clusters: The categories, by label.
        shown: Number of images on the map.
        total: Number of images that were embedded.
    """

    height: int
    explained: float
    clusters: tuple[Cluster, ...]
    shown: int
    total: int


def embedding_map(details: EvaluationDetails, counted: Tensor, names: Sequence[str]) -> EmbeddingMap:
    """Project the embeddings of an evaluation onto their two principal axes; the same embeddings give the same map.

    Args:
        details: The evaluation.
        counted: Which queries to show, shape (Q,), bool.
        names: Category names by label.
    """
    queries, own = details.queries.embeddings[counted], details.queries.categories[counted]
    photos, sketches = _every_nth(len(details.gallery)), _every_nth(len(queries))
    embeddings = torch.cat([details.gallery[photos], queries[sketches]]).double()
    labels = torch.cat([details.gallery_categories[photos], own[sketches]])
    points, explained = principal_axes(embeddings)
    scale = WIDTH / max(float(points.amax(0)[0] - points.amin(0)[0]), 1e-12)
    points = (points - points.amin(0)) * scale
    is_photo = torch.arange(len(points)) < len(photos)
    clusters = []
    for label in sorted(set(labels.tolist())):
        shown = labels == label
        clusters.append(_cluster(names[label], label, points[shown], is_photo[shown]))
    total = len(details.gallery) + len(queries)
    return EmbeddingMap(round(float(points.amax(0)[1])), explained, tuple(clusters), len(points), total)


def principal_axes(embeddings: Tensor) -> tuple[Tensor, float]:
    """Project embeddings onto the two axes of largest variance.

    The sign of an axis is chosen so that its largest component is positive, as eigenvectors have none of their own.

    Args:
        embeddings: Shape (N, D), float64.

    Returns:
        Coordinates, shape (N, 2), and the share of the variance that they hold, in [0, 1].
    """
    centred = embeddings - embeddings.mean(0)
    variances, axes = torch.linalg.eigh(centred.T @ centred)
    axes = axes[:, -2:].flip(1)
    largest = axes.gather(0, axes.abs().argmax(0, keepdim=True))
    total = float(variances.sum())
    return centred @ (axes * largest.sign()), float(variances[-2:].sum()) / total if total > 0 else 0.0


def _every_nth(count: int) -> Tensor:
    """Return at most POINTS of `count` indices, spread evenly."""
    shown = min(count, POINTS)
    return torch.arange(shown) * count // max(shown, 1)


def _cluster(name: str, label: int, points: Tensor, is_photo: Tensor) -> Cluster:
    dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in points[is_photo].tolist())
    crosses = "".join(
        f"M{x - CROSS:.1f} {y:.1f}h{2 * CROSS:g}m{-CROSS} {-CROSS}v{2 * CROSS:g}" for x, y in points[~is_photo].tolist()
    )
    x, y = points.median(0).values.tolist()
    return Cluster(name, round(label * GOLDEN_ANGLE) % 360, dots, crosses, round(x, 1), round(y, 1))
