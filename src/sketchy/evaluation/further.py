"""Evaluation on the held-out images of further sources: their sketches, and their photos, with those of the dataset."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from sketchy.dataset.further import Further, FurtherImages
from sketchy.evaluation.evaluate import EvaluationDetails
from sketchy.evaluation.protocol import Queries, score, summarize
from sketchy.image import Kind
from sketchy.inference.torch_engine import embed_pixels
from sketchy.model.encoder import Encoder
from sketchy.progress import Progress, no_progress
from sketchy.results import Evaluation


def evaluate_further(
    encoder: Encoder, details: EvaluationDetails, further: Further, progress: Progress = no_progress
) -> tuple[Evaluation, ...]:
    """Evaluate each source of sketches as queries for the photos of the dataset, and each of photos as a gallery.

    Of a source, the held-out images count whose category the other side has; a source without any is left out.

    Args:
        encoder: The encoder, on the device that computes.
        details: The evaluation of the dataset, whose embeddings are used again.
        further: The further sources.
        progress: Shows the progress.

    Returns:
        An evaluation by the protocol `category` for each source, named by `source` in its protocol.
    """
    found = []
    for source in further.sketches:
        embeddings, labels = _embed(encoder, source, "sketch", details.gallery_categories, progress)
        queries = Queries(embeddings, labels, torch.full_like(labels, -1))
        found.append(_evaluate(source, "sketches", queries, details.gallery, details.gallery_categories, further))
    untraced = replace(details.queries, instances=torch.full_like(details.queries.instances, -1))
    for source in further.photos:
        gallery, labels = _embed(encoder, source, "photo", details.queries.categories, progress)
        found.append(_evaluate(source, "photos", untraced, gallery, labels, further))
    return tuple(evaluation for evaluation in found if evaluation is not None)


def _embed(
    encoder: Encoder, source: FurtherImages, kind: Kind, wanted: Tensor, progress: Progress
) -> tuple[Tensor, Tensor]:
    """Embed the held-out images of the wanted categories; return their embeddings and labels."""
    rows = source.test[np.isin(source.categories[source.test], wanted.numpy())]
    embeddings = embed_pixels(encoder, source.images, kind, rows, progress=progress, label=source.name)
    return embeddings, torch.from_numpy(source.categories[rows])


def _evaluate(
    source: FurtherImages, kind: str, queries: Queries, gallery: Tensor, labels: Tensor, further: Further
) -> Evaluation | None:
    if not len(queries.embeddings) or not len(gallery):
        return None
    found = summarize(score(queries, gallery, labels), queries, labels, further.categories, "category")
    return replace(found, protocol=found.protocol | {"source": f"{kind} of {source.name}"})
