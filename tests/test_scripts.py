"""The scripts that measure run, in their smallest form."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the scripts read /proc")


def run(*words: object) -> str:
    """What a script writes to stdout."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_benchmark_measures_a_section(tmp_path):
    table = json.loads(run("scripts/bench", "search", "--quick", "--turns", 1, "--data", tmp_path, "--json"))["search"]
    assert table["exact search"]["ours beside it"] == 1
    assert table["matrix product and partial sort"]["a second"] > 0


def test_the_benchmark_of_a_gpu_runs_without_one(dataset, tmp_path):
    out = tmp_path / "gpu.json"
    printed = run("scripts/bench", "gpu", "--quick", "--turns", 1, "--data", dataset, "--out", out)
    tables = json.loads(out.read_text())
    steps = tables["training steps"]
    for config in ("default", "recommended"):
        assert f"| {config}, plain, float32 |" in printed
        assert steps[f"{config}, plain, float32"]["our epoch, ms a step"] > 0
        assert steps[f"{config}, plain, float32"]["floor by bytes and operations"] > 0
        assert 0 < len(tables[f"the most expensive kernels of {config}"]) <= 10
    assert tables["a notebook's loop on the same device"]["default"]["pairs a second"] > 0
    assert 0 < tables["a whole epoch of the full database"]["default"]["share that is no step"] < 1
    assert tables["embedding photos"]["embedding files"]["a second"] > 0
    assert [name for name in tables if name.startswith("ceilings of ")]


def test_the_stress_test_finds_nothing_lost(tmp_path):
    names = ["kills", "damage", "writers", "readers"]
    lines = run("scripts/stress_test.py", "--quick", *names, "--work", tmp_path).splitlines()
    assert [line.partition(":")[0] for line in lines] == names
    assert not [line for line in lines if "FAILED" in line]
    assert not list(tmp_path.iterdir())


def test_the_index_benchmark_measures_the_store(tmp_path):
    printed = run("scripts/benchmark_index.py", "store", "--rows", 1000, "--work", tmp_path)
    assert "1,000 x 256" in printed
    assert "ratio in turns" in printed


def test_the_index_benchmark_measures_the_approximate_index(tmp_path):
    pytest.importorskip("faiss")
    printed = run("scripts/benchmark_index.py", "ann", "--rows", 1000, "--work", tmp_path)
    assert "256 cells: recall@10 1.0000" in printed


def test_weights_of_examples_are_measured_on_the_validation_split(trained, dataset):
    lines = run("scripts/choose_weights.py", trained / "tiny" / "best.pth", "--data", dataset).splitlines()
    assert lines[0].endswith("8 photos, 2 of each")
    rows = [[float(cell) for cell in line.strip("|").split("|")] for line in lines[4:]]
    assert [row[0] for row in rows] == [0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3]
    assert all(0 < cell <= 1 for row in rows for cell in row[1:])
