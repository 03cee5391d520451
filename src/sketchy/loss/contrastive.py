"""The report's contrastive loss on pairs."""

import torch
from torch import Tensor, nn

from sketchy.choices import ContrastiveConfig
from sketchy.distance import paired
from sketchy.loss.batch import EmbeddedBatch, LossOutput, checked, masked_mean


def contrastive_loss(distance: Tensor, label: Tensor, margin: float) -> Tensor:
    """Return (1-Y)/2 D² + Y/2 max(0, m-D)² of each pair, shape (B,).

    Hadsell, Chopra and LeCun, "Dimensionality Reduction by Learning an Invariant Mapping", 2006, equation 4.

    Args:
        distance: Distances D >= 0 of the pairs, shape (B,), float.
        label: Y, shape (B,): 0 for a pair of one category, 1 for a pair of two.
        margin: m > 0.

    Raises:
        ValueError: The shapes differ; (B,) against (B, 1) would broadcast to (B, B) and learn nothing.
    """
    if distance.shape != label.shape or distance.ndim != 1:
        raise ValueError(f"distances {tuple(distance.shape)} and labels {tuple(label.shape)}; need (B,) twice")
    different = label.to(distance.dtype)
    pull = (1 - different) * distance.square()
    push = different * (margin - distance).clamp(min=0).square()
    return (pull + push) / 2


class ContrastiveLoss(nn.Module):
    """The contrastive loss between sketch i and photo i of a batch.

    A network that puts every pair at one distance reaches q(1-q)m²/2 at best, where q is the share of pairs of two
    categories. `plateau_ratio` in the statistics is the loss over that value: a run that stays near 1 learns nothing.
    """

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, batch: EmbeddedBatch) -> LossOutput:
        """Compare row with row: B = B'.

        Raises:
            ValueError: The shapes are others.
        """
        sketch, photo, sketch_label, photo_label, related = checked(batch)
        distance = paired(sketch, photo)  # (B,)
        same = sketch_label == photo_label
        different = ~same if related is None else ~same & ~related[sketch_label, photo_label]
        counted = same | different
        loss = masked_mean(contrastive_loss(distance, different, self.margin), counted)
        share = masked_mean(different.float(), counted)
        plateau = (share * (1 - share) * self.margin**2 / 2).clamp(min=torch.finfo(share.dtype).tiny)
        stats = {
            "positive_distance": masked_mean(distance.detach(), same),
            "negative_distance": masked_mean(distance.detach(), different),
            "active_fraction": masked_mean((distance < self.margin).float(), different),
            "plateau_ratio": loss.detach() / plateau,
        }
        return LossOutput(loss, stats)


def build(config: ContrastiveConfig, generator: torch.Generator) -> ContrastiveLoss:
    """Make the loss from its settings; it draws nothing at random."""
    return ContrastiveLoss(config.margin)
