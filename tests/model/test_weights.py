import os
from pathlib import Path

import pytest
import torch
from torch import nn

from sketchy.errors import CheckpointError
from sketchy.model.weights import load_weights, read_state_dict


def saved(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    return path


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_mismatch_names_missing_and_left_over_and_misshapen_weights():
    network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    state = network.state_dict()
    del state["1.bias"]
    state |= {"0.weight": torch.zeros(3, 4), "2.bias": torch.zeros(1)}
    with pytest.raises(CheckpointError) as caught:
        load_weights(network, state, "here")
    message = str(caught.value)
    assert "here: 0.weight is (3, 4), not (3, 2), left over 2.bias, missing 1.bias;" in message


def test_weights_that_do_not_fit_leave_the_network_as_it_was():
    network = nn.Linear(2, 3)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(CheckpointError):
        load_weights(network, {"weight": torch.ones(3, 2)}, "here")
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"no such file of weights: .*nowhere.pth; check model.pretrained"):
        read_state_dict(tmp_path / "nowhere.pth")


@pytest.mark.parametrize("content", [b"", b"hello, I am text\n" * 9, b"\x89PNG\r\n\x1a\n" + bytes(99), b"PK\x03\x04"])
def test_a_file_that_is_no_weights_is_refused_in_one_plain_line(tmp_path, content):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"weights.pth cannot be read .*plain state dict") as caught:
        read_state_dict(path)
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {"model": {"a": torch.zeros(1)}}, {0: torch.zeros(1)}])
def test_a_file_that_is_no_plain_state_dict_is_refused(tmp_path, content):
    with pytest.raises(CheckpointError, match="no plain state dict"):
        read_state_dict(saved(tmp_path, content))


def test_a_file_that_runs_code_is_refused_and_does_not_run_it(tmp_path):
    trap = tmp_path / "trap"
    path = saved(tmp_path, {"weight": Payload(trap)})
    with pytest.raises(CheckpointError, match="could run code; it was refused"):
        read_state_dict(path)
    assert not trap.exists()
    torch.load(path, weights_only=False)
    assert trap.exists()  # it was a live one
