import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sketchy.errors import ConfigError, DataError, RunError
from sketchy.trainer.parallel import World, join_world

WORKER = Path(__file__).with_name("parallel_worker.py")


def launch(size: int, out: Path) -> dict[str, dict[str, torch.Tensor]]:
    """Run the worker in `size` gloo processes, as torchrun would, and return what rank 0 saved."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base = {
        **os.environ,
        "WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    workers = [
        subprocess.Popen(
            [sys.executable, str(WORKER), str(out)],
            env={**base, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]
    try:
        for worker in workers:
            _, stderr = worker.communicate(timeout=60)
            assert worker.returncode == 0, stderr
    finally:
        for worker in workers:
            worker.kill()
    return torch.load(out, weights_only=True)


def test_two_processes_reach_the_weights_of_one_with_the_whole_batch(tmp_path):
    alone = launch(1, tmp_path / "one.pth")
    together = launch(2, tmp_path / "two.pth")
    for loss, trained in alone.items():
        assert trained.keys() == together[loss].keys()
        for name, value in trained.items():
            torch.testing.assert_close(together[loss][name], value, rtol=1e-4, atol=1e-6, msg=f"{loss}: {name}")


def test_a_batch_is_sharded_without_rest_or_overlap():
    worlds = [World(rank, 4, torch.device("cpu")) for rank in range(4)]
    rows = list(range(12))
    assert [row for world in worlds for row in rows[world.shard(12)]] == rows


def test_a_batch_that_cannot_be_divided_is_refused():
    with pytest.raises(ConfigError, match="a batch of 10 cannot be divided among 4 processes"):
        World(0, 4, torch.device("cpu")).shard(10)


def test_more_processes_than_gpus_are_refused_by_every_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name, value in {"WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "4", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(ConfigError, match="4 processes on a machine with 2 GPUs; use --nproc-per-node 2"),
        join_world("auto"),
    ):
        pass


def test_a_world_size_without_torchrun_is_refused(monkeypatch):
    for name in ("MASTER_ADDR", "MASTER_PORT", "RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with (
        pytest.raises(ConfigError, match=r"no other process can be reached: .*; start with torchrun"),
        join_world("cpu"),
    ):
        pass


def test_several_gpus_in_one_process_are_data_parallel(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    model = torch.nn.Linear(2, 2)
    assert type(World(0, 1, torch.device("cuda")).parallel(model)) is torch.nn.DataParallel
    for one in (torch.device("cuda:1"), torch.device("cpu")):
        assert World(0, 1, one).parallel(model) is model


class Told:
    """What the ranks tell each other: the flag of this one, and whether another one failed."""

    def __init__(self, monkeypatch, *, other_failed: bool = False) -> None:
        self.flags: list[bool] = []
        self.other_failed = other_failed
        monkeypatch.setattr(World, "any", lambda world, flag: self(flag))

    def __call__(self, flag: bool) -> bool:
        self.flags.append(flag)
        return flag or self.other_failed


def test_a_failure_is_told_to_the_others_and_stays_what_it_is(monkeypatch):
    told = Told(monkeypatch)
    with pytest.raises(DataError, match="mine"), World(0, 2, torch.device("cpu")).fail_together():
        raise DataError("mine")
    assert told.flags == [True]


def test_the_failure_of_another_ends_this_one(monkeypatch):
    told = Told(monkeypatch, other_failed=True)
    with pytest.raises(RunError, match="another process"), World(1, 2, torch.device("cpu")).fail_together():
        pass
    assert told.flags == [False]


@pytest.mark.parametrize("rank", [0, 1])
def test_the_main_process_goes_first(rank, monkeypatch):
    told = Told(monkeypatch)
    with World(rank, 2, torch.device("cpu")).main_first():
        assert told.flags == [False] * rank  # the others heard from it before they begin
    assert told.flags == [False]


def test_who_waits_for_the_main_process_hears_that_it_failed(monkeypatch):
    Told(monkeypatch, other_failed=True)
    with pytest.raises(RunError, match="another process"), World(1, 2, torch.device("cpu")).main_first():
        pytest.fail("it must not begin")


def test_without_torchrun_one_process_is_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with join_world("cpu") as world, world.main_first():
        shard = torch.ones(2, 3, requires_grad=True)
        assert world.is_main
        assert world.gather(shard) is shard
        assert world.any(True)
        assert not world.any(False)
