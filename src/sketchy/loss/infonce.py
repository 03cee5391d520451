"""Softmax over the batch between sketches and photos."""

import math

import torch
from torch import Tensor, nn

from sketchy.choices import InfoNCEConfig
from sketchy.distance import pairwise
from sketchy.loss.batch import EmbeddedBatch, LossOutput, checked, masked_mean, other_pairs

LOWEST_TEMPERATURE = 0.01
"""A learnt temperature is kept at or above this: CLIP's bound, below which training becomes unstable."""


class InfoNCELoss(nn.Module):
    """Symmetric InfoNCE; with several photos of a category in the batch, supervised contrastive.

    The logit of a sketch and a photo is -D² / (2 * temperature): on the unit sphere this is the cosine over the
    temperature, up to a constant that the softmax drops. For each sketch the mean of -log softmax over the
    photos of its category is taken (Khosla et al., "Supervised Contrastive Learning", 2020, equation 2), the
    same for each photo over the sketches, and the two are averaged (Radford et al., "CLIP", 2021, figure 3).

    Args:
        temperature: Temperature > 0; the initial value when it is learnt.
        learn: Whether to learn it, as its logarithm.
    """

    def __init__(self, temperature: float, learn: bool) -> None:
        super().__init__()
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)), requires_grad=learn)

    def forward(self, batch: EmbeddedBatch) -> LossOutput:
        """Compare every sketch with every photo.

        If no sketch shares its category with a photo of the batch, which no sampler draws, the loss is 0.
        """
        sketch, photo, sketch_label, photo_label, related = checked(batch)
        same = sketch_label[:, None] == photo_label[None, :]  # (B, B')
        other = other_pairs(batch)
        distance = pairwise(sketch, photo)
        temperature = self._temperature()
        logits = -distance.square() / (2 * temperature)
        if related is not None:  # finite, as a row that is masked as a whole must not become NaN
            logits = logits.masked_fill(~(same | other), torch.finfo(logits.dtype).min)
        loss = (positives_entropy(logits, same) + positives_entropy(logits.T, same.T)) / 2
        nearest = distance.detach().masked_fill(~(same | other), torch.inf).argmin(1, keepdim=True)
        stats = {
            "positive_distance": masked_mean(distance.detach(), same),
            "negative_distance": masked_mean(distance.detach(), other),
            "active_fraction": 1 - same.gather(1, nearest).float().mean(),
            "temperature": temperature.detach(),
        }
        return LossOutput(loss, stats)

    def _temperature(self) -> Tensor:
        if self.log_temperature.requires_grad:
            with torch.no_grad():  # in place: below a clamp in the graph the gradient is 0, and it would stay there
                self.log_temperature.clamp_(min=math.log(LOWEST_TEMPERATURE))
        return self.log_temperature.exp()


def build(config: InfoNCEConfig, generator: torch.Generator) -> InfoNCELoss:
    """Make the loss from its settings; it draws nothing at random."""
    return InfoNCELoss(config.temperature, config.learn_temperature)


def positives_entropy(logits: Tensor, same: Tensor) -> Tensor:
    """Return the mean of -1/|P| sum log softmax over the positives P of a row, over the rows that have any; else 0.

    Args:
        logits: Logits, shape (B, N), float; -inf for columns to ignore.
        same: Mask of the positives of each row, shape (B, N), bool.
    """
    log_probability = torch.where(same, logits.log_softmax(1), 0)
    positives = same.sum(1)
    return -masked_mean(log_probability.sum(1) / positives.clamp(min=1), positives > 0)
