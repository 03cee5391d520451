"""The front door: `import sketchy`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import sketchy
from sketchy.errors import CheckpointError, ConfigError, DataError
from sketchy.inference.bundled import BUNDLED

LIGHT = """
import sys
import sketchy
assert sketchy.SketchyError and sketchy.__version__ and "load" in dir(sketchy)
assert not {"torch", "numpy", "PIL", "pydantic"} & set(sys.modules), sorted(sys.modules)
assert sketchy.Hit.__name__ == "Hit"
assert not {"torch", "numpy"} & set(sys.modules)
"""


def test_import_sketchy_loads_nothing_heavy():
    environment = {**os.environ, "PYTHONPATH": str(Path(sketchy.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", LIGHT], check=True, env=environment)


def test_every_public_name_is_there_and_no_other():
    assert all(getattr(sketchy, name) for name in sketchy.__all__)
    with pytest.raises(AttributeError, match="module 'sketchy' has no attribute 'lode'"):
        sketchy.lode  # noqa: B018


def test_a_model_is_loaded_from_a_run_a_file_or_the_package(trained):
    best = trained / "tiny" / "best.pth"
    models = [sketchy.load(source, device="cpu") for source in (trained / "tiny", str(best))]
    assert [model.source for model in models] == [best, best]
    assert models[0].categories == ("bar", "cross", "disc", "square")
    assert models[0].fingerprint == models[1].fingerprint
    assert sketchy.load().source == BUNDLED


@pytest.mark.parametrize("source", ["nowhere.pth", "."])
def test_a_model_that_is_not_there_is_told(source):
    with pytest.raises(CheckpointError, match="no such checkpoint: "):
        sketchy.load(source)


def test_a_device_that_is_not_there_is_told(trained):
    with pytest.raises(ConfigError, match="device 'tpu' is unknown"):
        sketchy.load(trained / "tiny", device="tpu")


def test_a_run_is_trained_from_a_file_and_evaluated(dataset, tiny_config, tmp_path):
    file = tmp_path / "one.yaml"
    file.write_text(tiny_config.read_text().replace("epochs: 8", "epochs: 1"))
    run = sketchy.train(file, tmp_path / "run")
    assert run.epochs == 1
    evaluation = sketchy.evaluate(run.run, protocol="category")
    assert evaluation.protocol["name"] == "category"
    assert sketchy.evaluate(tmp_path / "run", data=dataset, protocol="category") == evaluation


def test_what_is_wrong_with_settings_or_data_is_told(tmp_path):
    with pytest.raises(ConfigError, match="2 problems in the settings"):
        sketchy.train({"train": {"epoch": 1}, "loss": 3}, tmp_path / "run")
    with pytest.raises(DataError, match="give its path with --data"):
        sketchy.evaluate()
