"""Optimizers and learning-rate schedules."""

import math
from collections.abc import Iterable
from typing import Literal

import torch
from torch import nn
from torch.optim import Optimizer

from sketchy.config import TrainConfig

ScheduleName = Literal["constant", "cosine", "one-cycle"]
ONE_CYCLE_RISE = 0.3
ONE_CYCLE_START = 1 / 25
ONE_CYCLE_END = ONE_CYCLE_START / 1e4
"""The shape of torch's OneCycleLR: rise over 30 % of the steps from 1/25 of the rate, then fall to 1/250,000."""

OPTIMIZERS: dict[str, type[Optimizer]] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def build_optimizer(config: TrainConfig, parameters: Iterable[nn.Parameter]) -> Optimizer:
    """Make the optimizer that the config names, over the parameters that learn."""
    learning = [parameter for parameter in parameters if parameter.requires_grad]
    make = OPTIMIZERS[config.optimizer]
    return make(learning, lr=config.learning_rate, weight_decay=config.weight_decay)  # type: ignore[call-arg]


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
