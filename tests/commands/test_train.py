import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from sketchy.commands import train
from sketchy.config_file import load_config
from sketchy.model.checkpoint import load_checkpoint
from sketchy.results import TrainResult


def test_the_command_trains_a_run_and_resumes_it(tiny_config, tmp_path):
    first = train.run(load_config(tiny_config, ["train.epochs=1"]), tmp_path / "run")
    more = train.run(load_config(tiny_config, ["train.epochs=2"]), tmp_path / "run", resume=True)
    assert isinstance(first, TrainResult)
    assert (first.epochs, more.epochs) == (1, 2)


def test_two_processes_train_one_run_and_print_once(tiny_config):
    """As torchrun starts them; the second has nothing to save, and must come to its end all the same."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(probe.getsockname()[1]), "WORLD_SIZE": "2"}
    words = ["train", "--config", str(tiny_config), "--set", "train.epochs=1", "--json"]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "sketchy", *words],
            env={**os.environ, **meeting, "RANK": rank, "LOCAL_RANK": rank, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    try:
        first, second = [process.communicate(timeout=100) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], first + second
    assert json.loads(first[0])["epochs"] == 1
    assert second == ("", "")
    assert load_checkpoint(Path("runs/tiny/last.pth")).epoch == 1
