import pytest
import torch
from torch import nn

from sketchy.loss.contrastive import ContrastiveLoss
from sketchy.loss.objective import Objective, Term
from sketchy.loss.triplet import TripletLoss
from sketchy.trainer.captured import capturable, should_capture
from sketchy.trainer.parallel import World

CPU, GPU = World(0, 1, torch.device("cpu")), World(0, 1, torch.device("cuda", 0))
PLAIN = Objective(ContrastiveLoss(2.0), {})


@pytest.mark.parametrize(
    ("setting", "world", "precision", "expected"),
    [
        ("auto", GPU, "bfloat16", True),
        (True, GPU, "float32", True),
        (False, GPU, "float32", False),
        ("auto", CPU, "float32", False),
        ("auto", World(0, 2, torch.device("cuda", 0)), "float32", False),
        ("auto", GPU, "float16", False),
    ],
)
def test_updates_are_captured_on_one_gpu_unless_the_config_says_no(setting, world, precision, expected):
    assert should_capture(setting, world, precision, PLAIN) == expected


def test_random_triplets_are_not_captured_also_in_a_term():
    mined = {mining: TripletLoss(0.5, mining, torch.Generator()) for mining in ("random", "semi-hard")}
    assert not should_capture("auto", GPU, "float32", Objective(mined["random"], {}))
    assert should_capture("auto", GPU, "float32", Objective(mined["semi-hard"], {}))
    term = {"triplets": Term(1.0, mined["random"], "category")}
    assert not should_capture("auto", GPU, "float32", Objective(ContrastiveLoss(2.0), term))


def test_copies_on_several_gpus_are_not_captured(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert not should_capture("auto", World(0, 1, torch.device("cuda")), "float32", PLAIN)


def test_an_optimizer_may_be_captured_in_the_block_only():
    optimizer = torch.optim.Adam([nn.Parameter(torch.zeros(1))], fused=True)
    with capturable(optimizer):
        assert optimizer.param_groups[0]["capturable"]
    assert not optimizer.param_groups[0]["capturable"]
