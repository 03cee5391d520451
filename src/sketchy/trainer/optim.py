"""Optimizers and learning-rate schedules."""

import math

import torch
from torch import nn
from torch.optim import Optimizer

from sketchy.config import Schedule, TrainConfig
from sketchy.model.encoder import Encoder

ONE_CYCLE_RISE = 0.3
ONE_CYCLE_START = 1 / 25
ONE_CYCLE_END = ONE_CYCLE_START / 1e4
"""The shape of torch's OneCycleLR: rise over 30 % of the steps from 1/25 of the rate, then fall to 1/250,000."""

OPTIMIZERS: dict[str, type[Optimizer]] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def build_optimizer(config: TrainConfig, encoder: Encoder, loss: nn.Module) -> Optimizer:
    """Make the optimizer that the config names, over the parameters of an encoder and a loss that are trained.

    The `factor` of a parameter group multiplies the learning rate: `backbone_rate` for the backbone, else 1. Parameters
    that are not matrices or kernels (norms, biases, temperatures) have no weight decay.
    """
    groups = []
    for module, factor in ((encoder.backbone, config.backbone_rate), (encoder.head, 1.0), (loss, 1.0)):
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        for decay, members in (
            (config.weight_decay, [parameter for parameter in trained if parameter.ndim > 1]),
            (0.0, [parameter for parameter in trained if parameter.ndim <= 1]),
        ):
            if members:
                groups.append({"params": members, "weight_decay": decay, "factor": factor})
    # Fused: one pass over memory instead of ten, a fifth of a step with the 40 million weights of report_cnn.
    return OPTIMIZERS[config.optimizer](groups, lr=config.learning_rate, fused=True)  # type: ignore[call-arg]


def rate_factor(schedule: Schedule, step: int, total: int, warmup: int) -> float:
    """Return the learning rate at a step relative to the highest: a pure function, which needs no state to resume.

    Args:
        schedule: constant; cosine falls to 0 (Loshchilov and Hutter, "SGDR", 2017, equation 5); one-cycle rises and
            falls along cosines (Smith, "Super-Convergence", 2018).
        step: Global step, from 0 to total - 1.
        total: Number of steps of the whole run.
        warmup: Steps of linear rise before constant or cosine.

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
