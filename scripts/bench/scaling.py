"""Training by several processes, and on machines with GPUs by 1 to all of them, with DataParallel and torchrun."""

import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import torch

from options import Options
from timing import Table


class Plan(NamedTuple):
    """A way to train: its name, the number of processes, and variables of their environment."""

    name: str
    processes: int
    environment: dict[str, str]


def measure(options: Options) -> Table:
    """Measure images per second, in the second of two epochs."""
    with tempfile.TemporaryDirectory() as work:
        speeds = {plan.name: _train(options, plan, Path(work, str(number))) for number, plan in enumerate(_plans())}
    first = next(iter(speeds.values()))
    return {name: {"images a second": speed, "times the first": speed / first} for name, speed in speeds.items()}


def _plans() -> list[Plan]:
    plans, cores = [], len(os.sched_getaffinity(0))
    for count in range(1, torch.cuda.device_count() + 1):
        visible = {"CUDA_VISIBLE_DEVICES": ",".join(map(str, range(count)))}
        plans += [
            Plan(f"{count} GPUs, DataParallel", 1, visible),
            Plan(f"{count} GPUs, torchrun", count, visible),
        ]
    return plans or [
        Plan(f"{count} processes, {cores // count} cores each", count, {"OMP_NUM_THREADS": str(cores // count)})
        for count in (1, 2)
    ]


def _train(options: Options, plan: Plan, run: Path) -> float:
    """Train for two epochs, and return the images per second of the second one."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(plan.processes)]
    train = ["-m", "sketchy", "train", "--config", str(options.config), "--runs", str(run.parent), "--name", run.name]
    for setting in (f"data.root={options.data}", "train.epochs=2", "model.pretrained=false", *options.settings):
        train += ["--set", setting]
    command = [sys.executable, *(launch if plan.processes > 1 else []), *train]
    subprocess.run(command, env=os.environ | plan.environment, stdout=subprocess.DEVNULL, check=True)
    with (run / "history.csv").open(newline="") as file:
        return float(list(csv.DictReader(file))[-1]["images_per_second"])
