"""Triplet loss: an anchor sketch, a positive photo of its category and a negative photo of another."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sketchy.choices import Mining, TripletConfig
from sketchy.distance import pairwise
from sketchy.loss.batch import EmbeddedBatch, LossOutput, checked, masked_mean, other_pairs
from sketchy.runtime import to_device


class TripletLoss(nn.Module):
    """The mean of max(0, d(a, p) - d(a, n) + margin) over the mined triplets.

    - random: one positive and one negative for each anchor, drawn from `generator`.
    - semi-hard: every positive, with the nearest negative that is farther than it; where there is none, with
      the farthest negative (Schroff et al., "FaceNet", 2015, section 3.2).
    - batch-hard: the farthest positive and the nearest negative of each anchor (Hermans et al., "In Defense of
      the Triplet Loss", 2017, equation 5).

    Raises:
        ValueError: An unknown mining.
    """

    def __init__(self, margin: float, mining: Mining, generator: torch.Generator) -> None:
        super().__init__()
        if mining not in MINERS:
            raise ValueError(f"mining {mining!r} is unknown; one of {', '.join(MINERS)}")
        self.margin = margin
        self.mining = mining
        self.generator = generator

    def forward(self, batch: EmbeddedBatch) -> LossOutput:
        """Mine and compare.

        Sketches that lack a positive or a negative photo in the batch do not count; if all do, which no sampler draws,
        the loss is 0.
        """
        sketch, photo, sketch_label, photo_label, _ = checked(batch)
        same = sketch_label[:, None] == photo_label[None, :]  # (B, B')
        other = other_pairs(batch)
        anchors = (same.any(1) & other.any(1))[:, None]
        same, other, distance = same & anchors, other & anchors, pairwise(sketch, photo)
        positive, negative, counted = MINERS[self.mining](distance, same, other, self.generator)
        terms = torch.where(counted, positive - negative + self.margin, 0).clamp(min=0)
        stats = {
            "positive_distance": masked_mean(distance.detach(), same),
            "negative_distance": masked_mean(distance.detach(), other),
            "active_fraction": masked_mean((terms.detach() > 0).float(), counted),
        }
        return LossOutput(masked_mean(terms, counted), stats)


def build(config: TripletConfig, generator: torch.Generator) -> TripletLoss:
    """Make the loss from its settings; random triplets are drawn from the generator (on the CPU)."""
    return TripletLoss(config.margin, config.mining, generator)


class Mined(NamedTuple):
    """Triplets, of which some do not count.

    Attributes:
        positive: Distances to the positive photo, shape (B,) or (B, B'), float.
        negative: Distances to the negative photo, of the same shape.
        counted: Which of them are triplets, of the same shape, bool; the other distances are meaningless.
    """

    positive: Tensor
    negative: Tensor
    counted: Tensor


def _random(distance: Tensor, same: Tensor, other: Tensor, generator: torch.Generator) -> Mined:
    """Mine one random positive and one random negative of each anchor."""
    draw = to_device(torch.rand(distance.shape, generator=generator), distance.device)
    positive = draw.masked_fill(~same, -1).argmax(1, keepdim=True)
    negative = draw.masked_fill(~other, -1).argmax(1, keepdim=True)
    return Mined(distance.gather(1, positive)[:, 0], distance.gather(1, negative)[:, 0], same.any(1))


def _semi_hard(distance: Tensor, same: Tensor, other: Tensor, generator: torch.Generator) -> Mined:
    """Mine for each pair of an anchor and a positive."""
    ascending = distance.masked_fill(~other, torch.inf).sort(1).values
    farther = torch.searchsorted(ascending.detach(), distance.detach(), right=True)  # (B, B'), the nearest one's index
    nearest_farther = ascending.gather(1, farther.clamp(max=distance.shape[1] - 1))
    farthest = distance.masked_fill(~other, -torch.inf).amax(1, keepdim=True)
    negative = torch.where(farther < other.sum(1, keepdim=True), nearest_farther, farthest)
    return Mined(distance, negative, same)


def _batch_hard(distance: Tensor, same: Tensor, other: Tensor, generator: torch.Generator) -> Mined:
    """Mine the farthest positive and the nearest negative of each anchor."""
    farthest_positive = distance.masked_fill(~same, -torch.inf).amax(1)
    nearest_negative = distance.masked_fill(~other, torch.inf).amin(1)
    return Mined(farthest_positive, nearest_negative, same.any(1))


MINERS = {"random": _random, "semi-hard": _semi_hard, "batch-hard": _batch_hard}
