"""Evaluation of an encoder on a subset of a dataset: its sketches are the queries, its photos the gallery."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from sketchy.dataset.loader import Dataset
from sketchy.dataset.pack import Subset
from sketchy.evaluation.extended import Extension
from sketchy.evaluation.protocol import Queries, Scores, score, summarize
from sketchy.model.encoder import Encoder
from sketchy.progress import Progress, no_progress
from sketchy.results import Evaluation
from sketchy.retrieval.embed import embed_pixels


@dataclass(frozen=True)
class EvaluationDetails:
    """An evaluation with the data it was computed from.

    Attributes:
        evaluation: The metrics.
        scores: The scores of each query; `nearest` indexes the gallery: `subset.photos`, then the extension.
        queries: The embedded sketches, in the order of `subset.sketches`.
        subset: The subset of the dataset, as rows of the pack.
        gallery_categories: Category labels of the gallery, shape (N,), int64.
    """

    evaluation: Evaluation
    scores: Scores
    queries: Queries
    subset: Subset
    gallery_categories: torch.Tensor


def evaluate_subset(
    encoder: Encoder,
    data: Dataset,
    subset: Subset,
    protocol: str = "all",
    progress: Progress = no_progress,
    extension: Extension | None = None,
) -> EvaluationDetails:
    """Embed and score a subset of a dataset.

    Args:
        encoder: The encoder, on the device that computes.
        data: The dataset that contains the subset.
        subset: At least one sketch and one photo.
        protocol: Name of the protocol; see `summarize`.
        progress: Shows the progress.
        extension: Additional photos of the gallery, embedded by the same encoder.

    Raises:
        ValueError: The subset has no sketches or no photos.
    """
    pack = data.pack
    gallery = embed_pixels(encoder, pack.photos, "photo", subset.photos, progress=progress, label="photos")
    gallery_categories = torch.from_numpy(pack.photo_category[subset.photos])
    if extension is not None:
        gallery = torch.cat([gallery, extension.embeddings])
        gallery_categories = torch.cat([gallery_categories, extension.categories])
    queries = Queries(
        embeddings=embed_pixels(encoder, pack.sketches, "sketch", subset.sketches, progress=progress, label="sketches"),
        categories=torch.from_numpy(pack.sketch_category[subset.sketches]),
        instances=torch.from_numpy(
            _gallery_indices(pack.sketch_photo[subset.sketches], subset.photos, len(pack.photos))
        ),
    )
    scores = score(queries, gallery, gallery_categories)
    evaluation = summarize(scores, queries, gallery_categories, pack.categories, protocol)
    if extension is not None:
        evaluation = replace(evaluation, protocol=evaluation.protocol | extension.counts)
    return EvaluationDetails(evaluation, scores, queries, subset, gallery_categories)


def _gallery_indices(rows: NDArray[np.int64], gallery: NDArray[np.int64], photos: int) -> NDArray[np.int64]:
    """Convert pack rows of photos to indices in the gallery; -1 for photos not in it and for row -1."""
    index = np.full(photos + 1, -1, dtype=np.int64)  # row -1 reads the last element, which stays -1
    index[gallery] = np.arange(len(gallery))
    return index[rows]
