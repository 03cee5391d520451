import copy

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR

from sketchy.config import TrainConfig
from sketchy.config_file import parse_config
from sketchy.loss.proxy import ProxyLoss
from sketchy.model.encoder import build_encoder
from sketchy.trainer.optim import OPTIMIZERS, build_optimizer, rate_factor

PEAK = 0.5


def torch_rates(make, steps: int) -> list[float]:
    """The learning rates that torch's scheduler sets for each step."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=PEAK)
    scheduler = make(optimizer)
    rates = []
    for step in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step < steps - 1:
            scheduler.step()
    return rates


def rates(schedule: str, total: int, warmup: int = 0) -> list[float]:
    return [PEAK * rate_factor(schedule, step, total, warmup) for step in range(total)]


@pytest.mark.parametrize("total", [2, 3, 5, 10, 37, 1000])
def test_one_cycle_is_torchs(total):
    expected = torch_rates(lambda o: OneCycleLR(o, PEAK, total_steps=total, cycle_momentum=False), total)
    assert rates("one-cycle", total) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("total", [1, 2, 10, 37, 1000])
def test_cosine_is_torchs(total):
    expected = torch_rates(lambda o: CosineAnnealingLR(o, T_max=total), total)
    assert rates("cosine", total) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_cosine_starts_at_the_peak_and_is_half_way_in_the_middle():
    assert rate_factor("cosine", 0, 10, 0) == 1
    assert rate_factor("cosine", 5, 10, 0) == pytest.approx(0.5)


def test_constant_stays_at_the_peak():
    assert rates("constant", 7) == [PEAK] * 7


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_warmup_rises_in_equal_steps_to_the_peak(schedule):
    factors = [rate_factor(schedule, step, 20, 4) for step in range(5)]
    assert factors == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_after_the_warmup_cosine_falls_over_the_rest():
    falling = [rate_factor("cosine", step, 20, 4) for step in range(4, 20)]
    assert falling == pytest.approx([rate_factor("cosine", step, 16, 0) for step in range(16)])


def test_one_cycle_has_a_warmup_of_its_own():
    assert rates("one-cycle", 30, warmup=5) == rates("one-cycle", 30)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one-cycle"])
@pytest.mark.parametrize(("total", "warmup"), [(1, 0), (1, 5), (2, 0), (3, 3), (4, 0), (7, 2), (100, 100), (100, 10)])
def test_every_factor_is_above_zero_and_at_most_one(schedule, total, warmup):
    factors = [rate_factor(schedule, step, total, warmup) for step in range(total)]
    assert all(0 < factor <= 1 for factor in factors)


ENCODER = build_encoder(parse_config({"image": {"size": 16}, "model": {"embedding_size": 4}}, "test"))


def group_of(optimizer: torch.optim.Optimizer, parameter: nn.Parameter) -> dict:
    """The only group that holds a parameter."""
    (found,) = [g for g in optimizer.param_groups if any(member is parameter for member in g["params"])]
    return found


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_config_names_the_optimizer_and_its_settings(name):
    config = TrainConfig(optimizer=name, learning_rate=0.01, weight_decay=0.1, backbone_rate=0.3)
    loss = ProxyLoss(3, 4, 16.0, 0.1)
    optimizer = build_optimizer(config, ENCODER, loss)
    assert type(optimizer) is {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name]
    assert all(group["lr"] == 0.01 for group in optimizer.param_groups)
    for parameter, decay, factor in (
        (ENCODER.backbone[0].weight, 0.1, 0.3),
        (ENCODER.backbone[2].weight, 0.0, 0.3),  # a norm
        (ENCODER.head.weight, 0.1, 1.0),
        (ENCODER.head.bias, 0.0, 1.0),
        (loss.proxies, 0.1, 1.0),
        (loss.log_scale, 0.0, 1.0),
    ):
        group = group_of(optimizer, parameter)
        assert (group["weight_decay"], group["factor"]) == (decay, factor)
    held = sum(len(group["params"]) for group in optimizer.param_groups)
    assert held == len([*ENCODER.parameters(), *loss.parameters()])


def test_the_table_holds_the_names_that_the_config_knows():
    assert set(OPTIMIZERS) == set(TrainConfig.model_fields["optimizer"].annotation.__args__)


def test_parameters_that_do_not_learn_are_left_out():
    encoder = copy.deepcopy(ENCODER)
    encoder.backbone.requires_grad_(False)
    optimizer = build_optimizer(TrainConfig(), encoder, nn.Identity())
    assert [len(group["params"]) for group in optimizer.param_groups] == [1, 1]  # the head's


def test_a_step_is_that_of_the_plain_optimizer():
    ours, plain = copy.deepcopy(ENCODER), copy.deepcopy(ENCODER)
    optimizers = build_optimizer(TrainConfig(), ours, nn.Identity()), torch.optim.Adam(plain.parameters(), lr=0.0005)
    for encoder, optimizer in zip((ours, plain), optimizers, strict=True):
        drawn = torch.Generator().manual_seed(0)
        for _ in range(3):
            for parameter in encoder.parameters():  # drawn: Adam makes a whole step of the rounding of a tiny gradient
                parameter.grad = torch.randn(parameter.shape, generator=drawn)
            optimizer.step()
    for name, weight in ours.state_dict().items():
        torch.testing.assert_close(weight, plain.state_dict()[name], rtol=1e-4, atol=1e-5)
