"""Evaluation of an encoder on a subset of a dataset: its sketches are the queries, its photos the gallery."""

from dataclasses import dataclass, replace

import torch

from sketchy.dataset.loader import Dataset
from sketchy.dataset.pack import Subset
from sketchy.evaluation.extended import Extension
from sketchy.evaluation.protocol import Queries, Scores, score, summarize
from sketchy.inference.torch_engine import embed_pixels
from sketchy.model.encoder import Encoder
from sketchy.progress import Progress, no_progress
from sketchy.results import Evaluation


@dataclass(frozen=True)
class EvaluationDetails:
    """An evaluation with the data it was computed from.

    Attributes:
        evaluation: The metrics.
        scores: The scores of each query; `nearest` indexes the gallery: `subset.photos`, then the extension.
        queries: The embedded sketches, in the order of `subset.sketches`.
        subset: The subset of the dataset, as rows of the pack.
        gallery: Embeddings of the gallery, shape (N, D), float32.
        gallery_categories: Category labels of the gallery, shape (N,), int64.
    """

    evaluation: Evaluation
    scores: Scores
    queries: Queries
    subset: Subset
    gallery: torch.Tensor
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
        instances=torch.from_numpy(pack.traced(subset)),
    )
    scores = score(queries, gallery, gallery_categories, device=next(encoder.parameters()).device)
    evaluation = summarize(scores, queries, gallery_categories, pack.categories, protocol)
    if extension is not None:
        evaluation = replace(evaluation, protocol=evaluation.protocol | extension.counts)
    return EvaluationDetails(evaluation, scores, queries, subset, gallery, gallery_categories)
