"""One loss a file; each takes a batch of embeddings and returns a scalar with its statistics."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from sketchy.config import LossConfig
from sketchy.loss.contrastive import ContrastiveLoss
from sketchy.loss.infonce import InfoNCELoss
from sketchy.loss.triplet import TripletLoss

LOSSES: dict[str, Callable[[Any, torch.Generator], nn.Module]] = {
    "contrastive": lambda config, _: ContrastiveLoss(config.margin),
    "triplet": lambda config, generator: TripletLoss(config.margin, config.mining, generator),
    "infonce": lambda config, _: InfoNCELoss(config.temperature, config.learn_temperature),
}


def build_loss(config: LossConfig, generator: torch.Generator) -> nn.Module:
    """Make the loss that the config names; one that draws at random draws from `generator` (on the CPU)."""
    return LOSSES[config.name](config, generator)
