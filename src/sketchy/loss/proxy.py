"""Softmax over the categories: each has a vector that its sketches and its photos are both pulled to."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sketchy.loss.batch import Outcome, check_batch

HIGHEST_SCALE = 64.0
"""A learnt scale is kept at or below this: beyond it only the hardest embeddings have a gradient."""


class ProxyLoss(nn.Module):
    """Cross entropy of scaled cosines between embeddings and one learnt proxy a category.

    Zhai and Wu, "Classification is a Strong Baseline for Deep Metric Learning", 2019; with the smoothed labels of
    Szegedy et al., "Rethinking the Inception Architecture", 2016, section 7. Sketches and photos share the proxies,
    which is what brings the two together.

    Args:
        categories: C.
        embedding_size: D.
        scale: > 0, what cosines are multiplied by; the starting value, since it is learnt.
        smoothing: share of the label that is spread over all categories, in [0, 1).
    """

    def __init__(self, categories: int, embedding_size: int, scale: float, smoothing: float) -> None:
        super().__init__()
        self.proxies = nn.Parameter(F.normalize(torch.randn(categories, embedding_size), dim=1))
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.smoothing = smoothing

    def forward(self, sketch: Tensor, photo: Tensor, sketch_label: Tensor, photo_label: Tensor) -> Outcome:
        """Classify both; arguments as in `check_batch`, labels from 0 to C-1."""
        check_batch(sketch, photo, sketch_label, photo_label)
        with torch.no_grad():
            self.log_scale.clamp_(max=math.log(HIGHEST_SCALE))
        of_sketch, of_photo = self._logits(sketch), self._logits(photo)
        loss = (self._entropy(of_sketch, sketch_label) + self._entropy(of_photo, photo_label)) / 2
        stats = {
            "sketch_accuracy": (of_sketch.argmax(1) == sketch_label).float().mean(),
            "photo_accuracy": (of_photo.argmax(1) == photo_label).float().mean(),
        }
        return Outcome(loss, stats)

    def _logits(self, embedding: Tensor) -> Tensor:
        """Return (B, C) scaled cosines."""
        return self.log_scale.exp() * F.normalize(embedding, dim=1) @ F.normalize(self.proxies, dim=1).T

    def _entropy(self, logits: Tensor, label: Tensor) -> Tensor:
        return F.cross_entropy(logits, label, label_smoothing=self.smoothing)
