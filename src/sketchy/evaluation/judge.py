"""Judge an encoder on one part of a dataset: its sketches as queries, its photos as the gallery."""

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
class Judgement:
    """An evaluation with what it was made from.

    Attributes:
        evaluation: the figures.
        scores: of each query; `nearest` holds positions in `subset.photos`, and behind them in the extension.
        queries: embedded sketches, in the order of `subset.sketches`.
        subset: rows of the pack.
        gallery_categories: (N,) int64, of `subset.photos` and of the extension.
    """

    evaluation: Evaluation
    scores: Scores
    queries: Queries
    subset: Subset
    gallery_categories: torch.Tensor


def judge(
    encoder: Encoder,
    data: Dataset,
    subset: Subset,
    protocol: str = "all",
    progress: Progress = no_progress,
    extension: Extension | None = None,
) -> Judgement:
    """Embed and score a subset.

    Args:
        encoder: On the device that computes.
        data: What the subset is part of.
        subset: At least one sketch and one photo.
        protocol: Name of the protocol; see `summarize`.
        progress: Shows the progress.
        extension: Photos that the gallery has besides, embedded by the same encoder.

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
        instances=torch.from_numpy(_positions(pack.sketch_photo[subset.sketches], subset.photos, len(pack.photos))),
    )
    scores = score(queries, gallery, gallery_categories)
    evaluation = summarize(scores, queries, gallery_categories, pack.categories, protocol)
    if extension is not None:
        counts = {
            "extended_photos": len(extension.embeddings),
            "extended_copies": extension.copies,
            "extended_skipped": len(extension.skipped),
        }
        evaluation = replace(evaluation, protocol=evaluation.protocol | counts)
    return Judgement(evaluation, scores, queries, subset, gallery_categories)


def _positions(rows: NDArray[np.int64], gallery: NDArray[np.int64], photos: int) -> NDArray[np.int64]:
    """Turn pack rows of photos into positions in the gallery, -1 for those not in it (and for row -1)."""
    position = np.full(photos + 1, -1, dtype=np.int64)  # row -1 reads the last, which stays -1
    position[gallery] = np.arange(len(gallery))
    return position[rows]
