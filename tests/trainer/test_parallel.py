import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sketchy.errors import ConfigError
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


def test_a_batch_is_shared_without_rest_or_overlap():
    worlds = [World(rank, 4, torch.device("cpu")) for rank in range(4)]
    rows = list(range(12))
    assert [row for world in worlds for row in rows[world.share(12)]] == rows


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(ConfigError, match="a batch of 10 does not divide among 4 processes"):
        World(0, 4, torch.device("cpu")).share(10)


def test_without_torchrun_one_process_is_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with join_world("cpu") as world, world.main_first():
        share = torch.ones(2, 3, requires_grad=True)
        assert world.is_main
        assert world.gather(share) is share
        assert world.any(True)
        assert not world.any(False)
