import platform
import subprocess
import sys

import pytest
import torch
from torch import nn

from sketchy.errors import ConfigError
from sketchy.runtime import generator_states, pick_device, restore_generators, seed_everything


@pytest.fixture
def gpus(monkeypatch):
    """Pretend that this machine has as many GPUs as asked for."""

    def pretend(count: int) -> None:
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)

    return pretend


@pytest.mark.parametrize(
    ("name", "count", "device"),
    [
        ("cpu", 0, "cpu"),
        ("cpu", 2, "cpu"),
        ("auto", 0, "cpu"),
        ("auto", 2, "cuda"),
        ("cuda", 1, "cuda"),
        ("cuda:0", 1, "cuda:0"),
        ("cuda:1", 2, "cuda:1"),
    ],
)
def test_a_name_selects_an_available_device(gpus, name, count, device):
    gpus(count)
    assert pick_device(name) == torch.device(device)


@pytest.mark.parametrize(
    ("name", "count", "message"),
    [
        ("cuda", 0, r"'cuda' is not available \(0 GPUs found\); use auto or cpu"),
        ("cuda:0", 0, "not available"),
        ("cuda:2", 2, r"'cuda:2' is not available \(2 GPUs found\)"),
        ("gpu", 0, "'gpu' is unknown; use auto, cpu, cuda or cuda:N"),
        ("", 0, "'' is unknown"),
        ("cuda:x", 1, "'cuda:x' is unknown"),
        ("meta", 1, "'meta' is not supported"),
        ("mps", 1, "'mps' is not supported"),
    ],
)
def test_an_unavailable_device_is_refused(gpus, name, count, message):
    gpus(count)
    with pytest.raises(ConfigError, match=message):
        pick_device(name)


FAULTS = """
import resource
import numpy as np
from sketchy.runtime import keep_freed_memory
keep_freed_memory()
np.ones(2**23)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    np.ones(2**23)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc alone")
def test_freed_memory_is_reused():
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1000  # five times 64 MiB are 80,000 pages


def test_a_seed_determines_weights_and_dropout():
    def draw(seed: int) -> torch.Tensor:
        seed_everything(seed)
        return nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5))(torch.ones(2, 3))

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


def test_restored_generators_continue_their_sequence():
    dropout = nn.Dropout(0.5)
    seed_everything(0)
    dropout(torch.ones(10))
    states = generator_states()
    expected = [dropout(torch.ones(100)) for _ in range(3)]
    seed_everything(99)
    restore_generators(states)
    assert all(torch.equal(dropout(torch.ones(100)), one) for one in expected)


def test_states_can_be_saved_as_tensors(tmp_path):
    torch.save(generator_states(), tmp_path / "states.pth")
    states = torch.load(tmp_path / "states.pth", weights_only=True)
    expected = torch.rand(4)
    restore_generators(states)
    assert torch.equal(torch.rand(4), expected)


def test_states_of_missing_gpus_are_ignored(gpus, monkeypatch):
    gpus(0)
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, index: pytest.fail(f"GPU {index} is gone"))
    expected = generator_states()["cpu"]
    restore_generators({"cpu": expected, "cuda": [torch.zeros(16, dtype=torch.uint8)] * 2})
    assert torch.equal(torch.get_rng_state(), expected)


def test_each_gpu_gets_its_own_state_back(gpus, monkeypatch):
    gpus(2)
    restored = {}
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: [torch.tensor([7]), torch.tensor([8])])
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, index: restored.update({index: state.item()}))
    restore_generators(generator_states())
    assert restored == {0: 7, 1: 8}
