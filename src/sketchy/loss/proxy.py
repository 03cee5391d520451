"""Softmax over the categories: each has a proxy vector that attracts its sketches and its photos."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sketchy.loss.batch import EmbeddedBatch, LossOutput, checked

HIGHEST_SCALE = 64.0
"""A learnt scale is kept at or below this: beyond it only the hardest embeddings have a gradient."""


class ProxyLoss(nn.Module):
    """Cross entropy of scaled cosines between embeddings and one learnt proxy a category.

    Zhai and Wu, "Classification is a Strong Baseline for Deep Metric Learning", 2019; with the smoothed labels of
    Szegedy et al., "Rethinking the Inception Architecture", 2016, section 7. Sketches and photos share the proxies,
    which brings the two together.

    Args:
        categories: C.
        embedding_size: D.
        scale: Initial factor > 0 of the cosines; it is learnt.
        smoothing: Share of the label that is spread over all categories, in [0, 1).
    """

    def __init__(self, categories: int, embedding_size: int, scale: float, smoothing: float) -> None:
        super().__init__()
        self.proxies = nn.Parameter(F.normalize(torch.randn(categories, embedding_size), dim=1))
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.smoothing = smoothing

    def forward(self, batch: EmbeddedBatch) -> LossOutput:
        """Classify both, with labels from 0 to C-1. Categories related to that of an image are no classes for it."""
        sketch, photo, sketch_label, photo_label, related = checked(batch)
        with torch.no_grad():
            self.log_scale.clamp_(max=math.log(HIGHEST_SCALE))
        sketch_mask, photo_mask = (None, None) if related is None else (related[sketch_label], related[photo_label])
        sketch_logits, photo_logits = self._logits(sketch, sketch_mask), self._logits(photo, photo_mask)
        sketch_loss = self._entropy(sketch_logits, sketch_label, sketch_mask)
        loss = (sketch_loss + self._entropy(photo_logits, photo_label, photo_mask)) / 2
        stats = {
            "sketch_accuracy": (sketch_logits.argmax(1) == sketch_label).float().mean(),
            "photo_accuracy": (photo_logits.argmax(1) == photo_label).float().mean(),
        }
        return LossOutput(loss, stats)

    def _logits(self, embedding: Tensor, mask: Tensor | None) -> Tensor:
        """Return (B, C) scaled cosines, -inf where the mask is set."""
        logits = self.log_scale.exp() * F.normalize(embedding, dim=1) @ F.normalize(self.proxies, dim=1).T
        return logits if mask is None else logits.masked_fill(mask, -torch.inf)

    def _entropy(self, logits: Tensor, label: Tensor, mask: Tensor | None) -> Tensor:
        """Return the cross entropy; the smoothed share of a label is spread over the classes that are not masked."""
        if mask is None:
            return F.cross_entropy(logits, label, label_smoothing=self.smoothing)
        log_probability = logits.log_softmax(1)
        spread = log_probability.masked_fill(mask, 0).sum(1) / (~mask).sum(1)
        own = log_probability.gather(1, label[:, None])[:, 0]
        return -((1 - self.smoothing) * own + self.smoothing * spread).mean()
