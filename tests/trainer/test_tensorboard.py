import logging
import sys

import pytest

from sketchy.config_file import load_config
from sketchy.errors import MissingExtraError
from sketchy.extras import is_installed
from sketchy.trainer.history import History
from sketchy.trainer.run import train

needs_tensorboard = pytest.mark.skipif(
    not is_installed("tensorboard"), reason="the extra `tensorboard` is not installed"
)


def shown(run):
    """What TensorBoard shows of a run: values by name and epoch, and the epochs with a picture."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(run / "tensorboard"), {"scalars": 0, "images": 0})
    board.Reload()
    scalars = {name: {event.step: event.value for event in board.Scalars(name)} for name in board.Tags()["scalars"]}
    return scalars, [event.step for event in board.Images("retrievals")]


@needs_tensorboard
def test_tensorboard_shows_every_column_of_the_history_and_the_retrievals_of_the_best_epochs(tiny_config, tmp_path):
    config = load_config(tiny_config, ["train.epochs=2", "train.tensorboard=true"])
    train(config, tmp_path / "run")
    scalars, pictured = shown(tmp_path / "run")
    rows = History.read(tmp_path / "run" / "history.csv").rows
    for name in rows[0].columns:
        group = "validation" if name.startswith("val_") else "training"
        assert scalars[f"{group}/{name}"] == pytest.approx({row.epoch: row.columns[name] for row in rows})
    best = [row.columns["val_map_all"] for row in rows]
    assert pictured == ([1, 2] if best[1] > best[0] else [1])

    train(load_config(tiny_config, ["train.epochs=3", "train.tensorboard=true"]), tmp_path / "run", resume=True)
    assert list(shown(tmp_path / "run")[0]["training/loss"]) == [1, 2, 3]
    train(load_config(tiny_config, ["train.epochs=1"]), tmp_path / "run", force=True)
    assert not list((tmp_path / "run" / "tensorboard").iterdir())


def test_a_missing_tensorboard_is_named_before_the_training(tiny_config, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(
        MissingExtraError, match=r"^train.tensorboard needs tensorboard, .*'sketchy-search\[tensorboard\]'"
    ):
        train(load_config(tiny_config, ["train.tensorboard=true"]), tmp_path / "run")
    assert not (tmp_path / "run").exists()
