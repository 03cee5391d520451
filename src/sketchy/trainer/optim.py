"""Optimizers and learning-rate schedules."""

import math
from typing import Literal

import torch
from torch import nn
from torch.optim import Optimizer

from sketchy.config import TrainConfig
from sketchy.model.encoder import Encoder

ScheduleName = Literal["constant", "cosine", "one-cycle"]
ONE_CYCLE_RISE = 0.3
ONE_CYCLE_START = 1 / 25
ONE_CYCLE_END = ONE_CYCLE_START / 1e4
"""The shape of torch's OneCycleLR: rise over 30 % of the steps from 1/25 of the rate, then fall to 1/250,000."""

OPTIMIZERS: dict[str, type[Optimizer]] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def build_optimizer(config: TrainConfig, encoder: Encoder, loss: nn.Module) -> Optimizer:
    """Make the optimizer that the config names, over what learns in an encoder and a loss.

    A group's `factor` is what the rate of a step is multiplied by for it: `backbone_rate` for the backbone, else 1.
    Numbers that are no matrix or kernel (norms, biases, temperatures) are spared the weight decay.
    """
    groups = []
    for module, factor in ((encoder.backbone, config.backbone_rate), (encoder.head, 1.0), (loss, 1.0)):
        learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
        for decay, members in (
            (config.weight_decay, [parameter for parameter in learning if parameter.ndim > 1]),
            (0.0, [parameter for parameter in learning if parameter.ndim <= 1]),
        ):
            if members:
                groups.append({"params": members, "weight_decay": decay, "factor": factor})
    # Fused: one pass over memory instead of ten, which for the 40 million weights of report_cnn is a fifth of a step.
    return OPTIMIZERS[config.optimizer](groups, lr=config.learning_rate, fused=True)  # type: ignore[call-arg]


def rate_factor(schedule: ScheduleName, step: int, total: int, warmup: int) -> float:
    """Return the share of the highest learning rate at a step: a pure function, so that a resumed run needs no state.

    Args:
        schedule: constant; cosine falls to 0 (Loshchilov and Hutter, "SGDR", 2017, equation 5); one-cycle rises and
            falls along cosines (Smith, "Super-Convergence", 2018).
        step: from 0 to total - 1.
        total: steps of the whole run.
        warmup: steps of linear rise before constant or cosine.

    Returns:
        A factor in (0, 1].
    """
    if schedule == "one-cycle":
        peak = ONE_CYCLE_RISE * total - 1
        if step <= peak:
            return _cosine(ONE_CYCLE_START, 1, step / max(peak, 1))
        return _cosine(1, ONE_CYCLE_END, (step - peak) / max(total - 1 - peak, 1))
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if schedule == "constant":
        return 1.0
    return _cosine(1, 0, (step - warmup) / max(total - warmup, 1))


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
