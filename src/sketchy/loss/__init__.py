"""The losses, one per file: each maps a batch of embeddings to a scalar with statistics.

To add one: a file like `triplet.py` with a module and its `build`, and in `sketchy.choices` its settings and its name
in `Loss`.
"""

from pkgutil import resolve_name

import torch

from sketchy.choices import LossConfig, TermsConfig
from sketchy.loss.bridge import BridgeLoss
from sketchy.loss.memory import MemoryLoss
from sketchy.loss.objective import Objective, Term
from sketchy.loss.proxy import ProxyLoss


def build_objective(
    loss: LossConfig,
    terms: TermsConfig,
    *,
    categories: int,
    photos: int,
    embedding_size: int,
    generator: torch.Generator,
    related: torch.Tensor | None = None,
    bridge: BridgeLoss | None = None,
) -> Objective:
    """Make the loss that the config names, with its terms.

    Args:
        loss: Settings of the main loss.
        terms: Settings of the terms; those with weight 0 are left out.
        categories: Number of categories.
        photos: Number of photos.
        embedding_size: D.
        generator: Source of random triplets, on the CPU.
        related: Categories that are not told apart; see `Objective`.
        bridge: The loss with weight `terms.bridge_weight`; None leaves it out.
    """
    added: dict[str, Term] = {}
    if terms.proxy_weight:
        proxy = ProxyLoss(categories, embedding_size, terms.proxy_scale, terms.proxy_smoothing)
        added["proxy"] = Term(terms.proxy_weight, proxy, "category")
    if terms.instance_weight:
        memory = MemoryLoss(photos, embedding_size, terms.instance_temperature)
        added["instance"] = Term(terms.instance_weight, memory, "instance")
    if bridge:
        added["bridge"] = Term(terms.bridge_weight, bridge, "mixed")
    return Objective(resolve_name(loss.code)(loss, generator), added, related)
