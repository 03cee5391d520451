import csv
import dataclasses
import json
import logging
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partialmethod

import pytest
import torch
import yaml
from PIL import Image

from sketchy.config_file import load_config
from sketchy.errors import CheckpointError, ConfigError, DataError, Interrupted, RunError, TrainingError
from sketchy.loss.infonce import InfoNCELoss
from sketchy.loss.objective import Objective
from sketchy.model.checkpoint import load_checkpoint
from sketchy.trainer import record, run
from sketchy.trainer.run import train
from sketchy.trainer.run_dir import RunDir


@contextmanager
def signal_when(number: int, text: str) -> Iterator[None]:
    """Send this process a signal when a message that holds the text is logged."""

    class Sender(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if text in record.getMessage():
                os.kill(os.getpid(), number)

    log, sender = logging.getLogger("sketchy"), Sender()
    before = log.level
    log.addHandler(sender)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(sender)
        log.setLevel(before)


class NotANumber(InfoNCELoss):
    """A loss whose training has blown up."""

    def __init__(self):
        super().__init__(0.1, learn=False)

    def forward(self, *batch):
        output = super().forward(*batch)
        return output._replace(loss=output.loss * float("nan"))


def history(run):
    return list(csv.DictReader((run / "history.csv").read_text().splitlines()))


def settings(config, *more):
    return load_config(config, ["train.epochs=3", *more])


def test_a_run_leaves_all_its_files(trained):
    run = trained / "tiny"
    assert {path.name for path in run.iterdir()} - {"evaluation.json"} == {
        "config.yaml",
        "history.csv",
        "curves.png",
        "retrievals.png",
        "best.pth",
        "best.zip",
        "last.pth",
        "result.json",
    }
    rows = history(run)
    assert [row["epoch"] for row in rows] == [str(epoch) for epoch in range(1, 9)]
    assert {"loss", "positive_distance", "negative_distance", "learning_rate", "val_map_all"} <= rows[0].keys()
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    for picture in ("curves.png", "retrievals.png"):
        with Image.open(run / picture) as image:
            assert min(image.size) > 100


def test_the_saved_config_is_the_whole_config(trained, tiny_config):
    assert load_config(trained / "tiny" / "config.yaml") == load_config(tiny_config)
    assert yaml.safe_load((trained / "tiny" / "config.yaml").read_text())["train"]["optimizer"] == "adam"


def test_a_relative_root_is_saved_as_absolute(tiny_config, dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(dataset.parent)
    train(settings(tiny_config, "train.epochs=1", f"data.root={dataset.name}"), tmp_path / "run")
    assert load_config(tmp_path / "run" / "config.yaml").data.root == str(dataset)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_killed_after_epoch_1_and_resumed_is_never_stopped(number, tiny_config, tmp_path):
    config = settings(tiny_config, "model.dropout=0.2", "train.schedule=cosine")
    train(config, tmp_path / "unbroken")
    expected = pytest.raises(Interrupted, match=r"epoch 2; .* continue with `sketchy train --resume")
    with signal_when(number, "epoch 1/"), expected:
        train(config, tmp_path / "stopped")
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    torch.manual_seed(123)
    train(load_config(tmp_path / "stopped" / "config.yaml"), tmp_path / "stopped", resume=True)

    ours, theirs = (load_checkpoint(tmp_path / run / "last.pth") for run in ("stopped", "unbroken"))
    for name, value in theirs.weights.items():
        assert torch.equal(ours.weights[name], value), name
    columns = ("epoch", "loss", "positive_distance", "val_map_all")
    histories = [
        [[row[name] for name in columns] for row in history(tmp_path / run)] for run in ("stopped", "unbroken")
    ]
    assert histories[0] == histories[1]


def test_one_bar_covers_the_epochs_that_are_left(tiny_config, tmp_path):
    bars = []

    @contextmanager
    def progress(label, total, unit):
        bars.append([label, total, unit, 0])
        yield lambda done: bars[-1].__setitem__(3, bars[-1][3] + done)

    train(settings(tiny_config, "train.epochs=1"), tmp_path / "run", progress=progress)
    (_, steps, *_), *_ = [bar for bar in bars if bar[0] == "training"]
    bars.clear()
    train(settings(tiny_config), tmp_path / "run", resume=True, progress=progress)
    assert [bar for bar in bars if bar[0] == "training"] == [["training", 2 * steps, "step", 2 * steps]]


def test_a_signal_in_the_last_epoch_lets_the_run_finish(tiny_config, tmp_path):
    with signal_when(signal.SIGTERM, "epoch 3/3"):
        result = train(settings(tiny_config), tmp_path / "run")
    assert result.epochs == 3
    assert (tmp_path / "run" / "curves.png").exists()


def test_a_run_whose_validation_no_longer_improves_is_finished_early(tiny_config, tmp_path, monkeypatch, logged):
    scores = iter([0.3, 0.5, 0.5, 0.4, 0.9])
    monkeypatch.setattr(record, "validate", lambda *_: {"val_map_all": next(scores)})
    config, path = settings(tiny_config, "train.epochs=9", "train.patience=2"), tmp_path / "run"
    result = train(config, path)
    assert (result.epochs, result.best_epoch) == (4, 2)
    assert "stopped early: 2 epochs without a better validation mAP" in logged.messages
    assert load_checkpoint(path / "best.pth").calibration is not None
    assert (path / "result.json").exists()
    assert train(config, path, resume=True).epochs == 4
    assert train(settings(tiny_config, "train.epochs=5"), path, resume=True).best_epoch == 5


def test_a_signal_in_the_epoch_that_ends_a_run_early_lets_it_finish(tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr(record, "validate", lambda *_: {"val_map_all": 0.5})
    with signal_when(signal.SIGTERM, "epoch 2/3"):
        assert train(settings(tiny_config, "train.patience=1"), tmp_path / "run").epochs == 2


def test_more_epochs_can_be_added_to_a_finished_run(tiny_config, trained_once):
    assert len(history(trained_once)) == 1
    assert train(settings(tiny_config, "train.epochs=2"), trained_once, resume=True).epochs == 2
    assert len(history(trained_once)) == 2


def test_resuming_a_finished_run_changes_nothing(tiny_config, trained_once):
    before = (trained_once / "last.pth").read_bytes()
    assert train(settings(tiny_config, "train.epochs=1"), trained_once, resume=True).epochs == 1
    assert (trained_once / "last.pth").read_bytes() == before


def test_a_run_killed_after_its_last_epoch_is_not_finished_until_it_is_resumed(tiny_config, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    config, run_dir = settings(tiny_config, "train.epochs=1"), RunDir(tmp_path / "run")
    calibrate = record.with_calibration
    monkeypatch.setattr(record, "with_calibration", killed)
    with pytest.raises(KeyboardInterrupt):
        train(config, run_dir.path)
    assert run_dir.epochs() == (1, 1)
    assert not run_dir.result.exists()
    monkeypatch.setattr(record, "with_calibration", calibrate)
    result = train(config, run_dir.path, resume=True)
    assert json.loads(run_dir.result.read_text()) == dataclasses.asdict(result)
    run_dir.evaluation.write_text("{}")
    monkeypatch.setattr(record, "with_calibration", killed)
    with pytest.raises(KeyboardInterrupt):
        train(settings(tiny_config, "train.epochs=2"), run_dir.path, resume=True)
    assert not run_dir.result.exists()
    assert not run_dir.evaluation.exists()


def test_a_mistake_under_force_keeps_the_run_that_was_to_be_replaced(tiny_config, trained_once):
    before = {path.name: path.read_bytes() for path in trained_once.iterdir()}
    for mistake in ("data.root=/nowhere", "sampler.categories=40"):
        with pytest.raises(DataError):
            train(settings(tiny_config, mistake), trained_once, force=True)
    assert {path.name: path.read_bytes() for path in trained_once.iterdir()} == before


def test_a_missing_compiler_under_force_keeps_the_run_that_was_to_be_replaced(tiny_config, trained_once, monkeypatch):
    def no_compiler(graph, inputs):
        raise RuntimeError("no compiler")

    before = {path.name: path.read_bytes() for path in trained_once.iterdir()}
    monkeypatch.setattr(torch.nn.Module, "compile", partialmethod(torch.nn.Module.compile, backend=no_compiler))
    with pytest.raises(TrainingError, match=r"train\.compile: .*no compiler; install"):
        train(settings(tiny_config, "train.compile=true"), trained_once, force=True)
    assert {path.name: path.read_bytes() for path in trained_once.iterdir()} == before


def test_a_dataset_that_grew_is_told_when_a_run_goes_on(tiny_config, dataset, tmp_path, logged):
    grown = shutil.copytree(dataset, tmp_path / "grown")
    config = settings(tiny_config, "train.epochs=1", f"data.root={grown}")
    train(config, tmp_path / "run")
    photos = grown / "256x256" / "photo" / "tx_000000000000" / "disc"
    shutil.copy(photos / "p1.jpg", photos / "p99.jpg")
    train(config, tmp_path / "run", resume=True)
    assert any(f"{grown} holds other images than the run was trained with" in line for line in logged.messages)


def test_a_run_is_not_replaced_unless_forced(tiny_config, trained_once):
    config = settings(tiny_config, "train.epochs=1", "train.seed=5")
    before = (trained_once / "last.pth").read_bytes()
    with pytest.raises(RunError, match=r"exists; continue it with --resume .*, replace it with --force"):
        train(config, trained_once)
    assert (trained_once / "last.pth").read_bytes() == before
    train(config, trained_once, force=True)
    assert load_config(trained_once / "config.yaml") == config


def test_a_loss_that_is_not_a_number_keeps_the_last_good_checkpoint(tiny_config, trained_once, monkeypatch):
    before = (trained_once / "last.pth").read_bytes()
    monkeypatch.setattr(run, "build_objective", lambda *_, **__: Objective(NotANumber(), {}))
    with pytest.raises(TrainingError, match="the loss is not a number; epoch 2, step"):
        train(settings(tiny_config), trained_once, resume=True)
    assert (trained_once / "last.pth").read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (["data.root=/nowhere"], DataError, "/nowhere"),
        (["sampler.categories=40"], DataError, "a batch needs 40; lower sampler.categories"),
        (["model.pretrained=/nowhere.pth", "model.backbone=resnet18"], CheckpointError, "no such file of weights"),
        (["model.pretrained=true"], ConfigError, "no weights exist for report_cnn"),
        (["train.device=cuda:99"], ConfigError, "cuda:99"),
        (["train.device=gpu"], ConfigError, "use auto, cpu, cuda or cuda:N"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_it_starts(changes, error, message, tiny_config, tmp_path):
    with pytest.raises(error, match=message):
        train(settings(tiny_config, *changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_resuming_with_another_network_is_refused(tiny_config, trained_once):
    with pytest.raises(RunError, match=r"model.embedding_size was 16, is 4; start a new run"):
        train(settings(tiny_config, "model.embedding_size=4"), trained_once, resume=True)


def test_there_is_nothing_to_resume_in_an_empty_folder(tiny_config, tmp_path):
    with pytest.raises(RunError, match="nothing to resume"):
        train(settings(tiny_config), tmp_path, resume=True)


def test_zero_shot_categories_are_not_trained_on(zero_shot_config, zero_shot_dataset, tmp_path, logged, monkeypatch):
    known = []  # whose proxies become anchors; those of the others are as they were drawn at random
    monkeypatch.setattr("sketchy.trainer.record.named_anchors", lambda loss, categories: known.append(categories))
    extra = zero_shot_dataset / "256x256" / "sketch" / "tx_000000000000"  # 20 sketches of each of 4 categories
    train(load_config(zero_shot_config, [f"data.sketches={extra}"]), tmp_path / "run")
    assert "32 sketches of 2 categories from tx_000000000000 (2 with photos)" in logged.messages
    assert any("zero shot 20 photos and 40 sketches" in line for line in logged.messages)
    assert load_checkpoint(tmp_path / "run" / "best.pth").categories == ("bar", "cross", "saw", "tree")
    assert known
    assert all(categories == {0: "bar", 1: "cross"} for categories in known)


def test_a_run_of_an_earlier_version_is_resumed_bit_for_bit(tiny_config, trained_once, tmp_path):
    """Its files name settings otherwise, and hold averaged weights; what was trained is in the training state."""
    train(settings(tiny_config, "train.epochs=2"), tmp_path / "unbroken")
    last = trained_once / "last.pth"
    content = torch.load(last, weights_only=True)
    tree = content["config"]
    tree["train"]["ema"], tree["data"]["held_out"] = 0.99, tree["data"].pop("zero_shot")
    tree["model"]["layout"] = tree["model"].pop("spatial")
    content["weights"] = {name: torch.zeros_like(value) for name, value in content["weights"].items()}
    content["training"]["average"] = {"n_averaged": torch.tensor(3)}
    torch.save(content | {"format": 1}, last)
    (trained_once / "config.yaml").write_text(yaml.safe_dump(tree))

    config = load_config(trained_once / "config.yaml", ["train.epochs=2"], of_run=True)
    train(config, trained_once, resume=True)
    ours, theirs = (load_checkpoint(tmp_path / run / "last.pth") for run in ("run", "unbroken"))
    assert all(torch.equal(ours.weights[name], value) for name, value in theirs.weights.items())
    assert load_config(trained_once / "config.yaml") == config
