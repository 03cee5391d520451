"""Triplet loss: an anchor sketch, a positive photo of its category and a negative photo of another."""

from typing import Literal

import torch
from torch import Tensor, nn

from sketchy.choices import TripletConfig
from sketchy.distance import pairwise
from sketchy.loss.batch import LossOutput, check_batch, masked_mean, other_pairs

Mining = Literal["random", "semi-hard", "batch-hard"]


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

    def forward(
        self,
        sketch: Tensor,
        photo: Tensor,
        sketch_label: Tensor,
        photo_label: Tensor,
        related: Tensor | None = None,
    ) -> LossOutput:
        """Mine and compare; arguments as in `check_batch`, `related` as in `other_pairs`.

        Raises:
            ValueError: No sketch of the batch has both a positive and a negative photo in it.
        """
        check_batch(sketch, photo, sketch_label, photo_label)
        same = sketch_label[:, None] == photo_label[None, :]  # (B, B')
        other = other_pairs(sketch_label, photo_label, related)
        anchors = same.any(1) & other.any(1)
        if not anchors.any():
            raise ValueError("no sketch of this batch has a positive and a negative photo in it; use the pk sampler")
        distance, same, other = pairwise(sketch, photo)[anchors], same[anchors], other[anchors]
        positive, negative = MINERS[self.mining](distance, same, other, self.generator)
        terms = (positive - negative + self.margin).clamp(min=0)
        stats = {
            "positive_distance": masked_mean(distance, same),
            "negative_distance": masked_mean(distance, other),
            "active_fraction": (terms.detach() > 0).float().mean(),
        }
        return LossOutput(terms.mean(), stats)


def build(config: TripletConfig, generator: torch.Generator) -> TripletLoss:
    """Make the loss from its settings; random triplets are drawn from the generator (on the CPU)."""
    return TripletLoss(config.margin, config.mining, generator)


def _random(distance: Tensor, same: Tensor, other: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return (A,) distances of one random positive and one random negative of each anchor."""
    draw = torch.rand(distance.shape, generator=generator).to(distance.device)
    positive = draw.masked_fill(~same, -1).argmax(1, keepdim=True)
    negative = draw.masked_fill(~other, -1).argmax(1, keepdim=True)
    return distance.gather(1, positive)[:, 0], distance.gather(1, negative)[:, 0]


def _semi_hard(distance: Tensor, same: Tensor, other: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return (T,) distances for each pair of an anchor and a positive, T of them."""
    anchor, column = same.nonzero(as_tuple=True)
    positive = distance[anchor, column]
    others = distance[anchor]  # (T, B')
    usable = other[anchor]
    farther = usable & (others > positive[:, None])
    nearest_farther = others.masked_fill(~farther, torch.inf).amin(1)
    farthest = others.masked_fill(~usable, -torch.inf).amax(1)
    return positive, torch.where(farther.any(1), nearest_farther, farthest)


def _batch_hard(distance: Tensor, same: Tensor, other: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return (A,) distances of the farthest positive and the nearest negative of each anchor."""
    farthest_positive = distance.masked_fill(~same, -torch.inf).amax(1)
    nearest_negative = distance.masked_fill(~other, torch.inf).amin(1)
    return farthest_positive, nearest_negative


MINERS = {"random": _random, "semi-hard": _semi_hard, "batch-hard": _batch_hard}
