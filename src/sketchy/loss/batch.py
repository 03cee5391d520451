"""The interface of every loss."""

from typing import NamedTuple

import torch
from torch import Tensor


class LossOutput(NamedTuple):
    """The value of a loss with its statistics.

    Attributes:
        loss: Scalar float with a gradient.
        stats: Detached scalar floats: `positive_distance` and `negative_distance` (means over the batch),
            `active_fraction` (share of terms, in [0, 1], with a non-zero gradient), and the loss's own.
    """

    loss: Tensor
    stats: dict[str, Tensor]


class EmbeddedBatch(NamedTuple):
    """What every loss takes: the embeddings of a batch, and what they show.

    Attributes:
        sketch: Embeddings, shape (B, D), float.
        photo: Embeddings, shape (B', D), float.
        sketch_label: Categories, unless the loss says otherwise, shape (B,), integer.
        photo_label: Categories, shape (B',), integer.
        related: Symmetric mask of the pairs of categories that are not told apart, shape (C, C), bool; None for none.
    """

    sketch: Tensor
    photo: Tensor
    sketch_label: Tensor
    photo_label: Tensor
    related: Tensor | None = None


def checked(batch: EmbeddedBatch) -> EmbeddedBatch:
    """Return a batch; refuse shapes that would broadcast silently to a meaningless loss.

    Raises:
        ValueError: The shapes are not those of `EmbeddedBatch`.
    """
    sketch, photo, sketch_label, photo_label, _ = batch
    for name, embedding, label in (("sketch", sketch, sketch_label), ("photo", photo, photo_label)):
        if embedding.ndim != 2 or label.shape != embedding.shape[:1]:
            raise ValueError(
                f"{name} embeddings {tuple(embedding.shape)} and labels {tuple(label.shape)}; need (B, D) and (B,)"
            )
    if sketch.shape[1] != photo.shape[1]:
        raise ValueError(f"sketch and photo embeddings differ in size: {sketch.shape[1]} and {photo.shape[1]}")
    return batch


def other_pairs(batch: EmbeddedBatch) -> Tensor:
    """Return which pairs of a sketch and a photo are of two categories that are told apart: the negatives.

    Returns:
        Mask, shape (B, B'), bool.
    """
    rows, columns = batch.sketch_label[:, None], batch.photo_label
    return rows != columns if batch.related is None else (rows != columns) & ~batch.related[rows, columns]


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of `values` where `mask` holds; 0, with gradient 0, where it holds nowhere.

    Unlike the mean of `values[mask]`, it has a fixed shape: a GPU need not be asked how many there are, nor waited for.
    """
    return torch.where(mask, values, 0).sum() / mask.sum().clamp(min=1)
