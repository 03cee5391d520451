"""One loss a file; each takes a batch of embeddings and returns a scalar with its statistics."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from sketchy.config import LossConfig, TermsConfig
from sketchy.loss.contrastive import ContrastiveLoss
from sketchy.loss.infonce import InfoNCELoss
from sketchy.loss.memory import MemoryLoss
from sketchy.loss.objective import Objective, Term
from sketchy.loss.proxy import ProxyLoss
from sketchy.loss.triplet import TripletLoss

LOSSES: dict[str, Callable[[Any, torch.Generator], nn.Module]] = {
    "contrastive": lambda config, _: ContrastiveLoss(config.margin),
    "triplet": lambda config, generator: TripletLoss(config.margin, config.mining, generator),
    "infonce": lambda config, _: InfoNCELoss(config.temperature, config.learn_temperature),
}


def build_objective(
    loss: LossConfig,
    terms: TermsConfig,
    *,
    categories: int,
    photos: int,
    embedding_size: int,
    generator: torch.Generator,
) -> Objective:
    """Make the loss that the config names, with its terms.

    Args:
        loss: the main one; if it draws at random, it draws from `generator` (on the CPU).
        terms: what is added.
        categories: how many there are.
        photos: how many there are.
        embedding_size: D.
        generator: of random triplets.
    """
    added: dict[str, Term] = {}
    if terms.proxy_weight:
        proxy = ProxyLoss(categories, embedding_size, terms.proxy_scale, terms.proxy_smoothing)
        added["proxy"] = Term(terms.proxy_weight, proxy, "category")
    if terms.instance_weight:
        memory = MemoryLoss(photos, embedding_size, terms.instance_temperature)
        added["instance"] = Term(terms.instance_weight, memory, "instance")
    return Objective(LOSSES[loss.name](loss, generator), added)
