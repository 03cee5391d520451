import csv
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from functools import partialmethod
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from sketchy.commands import train
from sketchy.config_file import load_config
from sketchy.errors import CheckpointError, ConfigError, DataError, Interrupted, RunError, StorageError, TrainingError
from sketchy.loss.infonce import InfoNCELoss
from sketchy.loss.objective import Objective
from sketchy.model.checkpoint import load_checkpoint
from sketchy.talk import Silent
from sketchy.trainer.history import PANELS


class SignalWhen(Silent):
    """Sends this process a signal when a line, or the n-th step of an epoch's bar, comes by."""

    def __init__(self, number: int, line: str) -> None:
        self.number, self.line, self.lines = number, line, []

    def say(self, message):
        self.lines.append(message)
        if self.line in message:
            os.kill(os.getpid(), self.number)


class NotANumber(InfoNCELoss):
    """A loss whose training has blown up."""

    def __init__(self):
        super().__init__(0.1, learn=False)

    def forward(self, *batch):
        outcome = super().forward(*batch)
        return outcome._replace(loss=outcome.loss * float("nan"))


def history(run):
    return list(csv.DictReader((run / "history.csv").read_text().splitlines()))


def settings(config, *more):
    return load_config(config, ["train.epochs=3", *more])


def test_a_run_leaves_all_its_files(trained):
    run = trained / "tiny"
    assert {path.name for path in run.iterdir()} == {
        "config.yaml",
        "history.csv",
        "curves.png",
        "retrievals.png",
        "best.pth",
        "last.pth",
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


def test_best_is_the_epoch_with_the_highest_validation_map(trained):
    rows = history(trained / "tiny")
    best = max(rows, key=lambda row: float(row["val_map_all"]))
    checkpoint = load_checkpoint(trained / "tiny" / "best.pth")
    assert checkpoint.epoch == int(best["epoch"])
    assert checkpoint.training is None
    assert load_checkpoint(trained / "tiny" / "last.pth").epoch == 8


def test_every_curve_has_its_column(trained):
    drawn = {name for lines in PANELS.values() for name in lines}
    assert drawn <= history(trained / "tiny")[0].keys()


def test_a_relative_root_is_saved_as_absolute(tiny_config, dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(dataset.parent)
    train.run(settings(tiny_config, "train.epochs=1", f"data.root={dataset.name}"), tmp_path / "run")
    assert load_config(tmp_path / "run" / "config.yaml").data.root == str(dataset)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_killed_after_epoch_1_and_resumed_is_never_stopped(number, tiny_config, tmp_path):
    config = settings(tiny_config, "model.dropout=0.2", "train.ema=0.9", "train.schedule=cosine")
    train.run(config, tmp_path / "unbroken")
    with pytest.raises(Interrupted, match=r"epoch 2; .* continue with `sketchy train --resume"):
        train.run(config, tmp_path / "stopped", talk=SignalWhen(number, "epoch 1/"))
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    torch.manual_seed(123)
    train.run(load_config(tmp_path / "stopped" / "config.yaml"), tmp_path / "stopped", resume=True)

    ours, theirs = (load_checkpoint(tmp_path / run / "last.pth") for run in ("stopped", "unbroken"))
    for name, value in theirs.weights.items():
        assert torch.equal(ours.weights[name], value), name
    columns = ("epoch", "loss", "positive_distance", "val_map_all")
    histories = [
        [[row[name] for name in columns] for row in history(tmp_path / run)] for run in ("stopped", "unbroken")
    ]
    assert histories[0] == histories[1]


def test_a_kill_between_history_and_checkpoint_repeats_the_epoch(tiny_config, tmp_path, monkeypatch):
    """The row is on disk, the checkpoint is not: the epoch is trained again and its row written once."""
    config = settings(tiny_config)
    save = train.save_checkpoint

    def power_cut(path, checkpoint):
        if checkpoint.epoch == 2:
            raise KeyboardInterrupt
        save(path, checkpoint)

    monkeypatch.setattr(train, "save_checkpoint", power_cut)
    with pytest.raises(KeyboardInterrupt):
        train.run(config, tmp_path / "run")
    monkeypatch.setattr(train, "save_checkpoint", save)
    train.run(config, tmp_path / "run", resume=True)
    rows = history(tmp_path / "run")
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]


def test_a_kill_between_the_best_and_the_last_checkpoint_leaves_the_best_right(tiny_config, tmp_path, monkeypatch):
    config = settings(tiny_config, "data.val_fraction=0")  # every epoch is the best
    save = train.save_checkpoint

    def power_cut(path, checkpoint):
        save(path, checkpoint)
        if checkpoint.epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(train, "save_checkpoint", power_cut)
    with pytest.raises(KeyboardInterrupt):
        train.run(config, tmp_path / "run")
    monkeypatch.setattr(train, "save_checkpoint", save)
    train.run(settings(tiny_config, "data.val_fraction=0", "train.epochs=2"), tmp_path / "run", resume=True)
    assert [load_checkpoint(tmp_path / "run" / name).epoch for name in ("best.pth", "last.pth")] == [2, 2]


def test_a_signal_in_the_last_epoch_lets_the_run_finish(tiny_config, tmp_path):
    result = train.run(settings(tiny_config), tmp_path / "run", talk=SignalWhen(signal.SIGTERM, "epoch 3/3"))
    assert result.epochs == 3
    assert (tmp_path / "run" / "curves.png").exists()


def test_more_epochs_can_be_added_to_a_finished_run(tiny_config, tmp_path):
    assert train.run(settings(tiny_config, "train.epochs=1"), tmp_path / "run").epochs == 1
    assert train.run(settings(tiny_config, "train.epochs=2"), tmp_path / "run", resume=True).epochs == 2


def test_resuming_a_finished_run_changes_nothing(tiny_config, tmp_path):
    config = settings(tiny_config, "train.epochs=1")
    train.run(config, tmp_path / "run")
    before = (tmp_path / "run" / "last.pth").read_bytes()
    assert train.run(config, tmp_path / "run", resume=True).epochs == 1
    assert (tmp_path / "run" / "last.pth").read_bytes() == before


def test_a_mistake_under_force_keeps_the_run_that_was_to_be_replaced(tiny_config, tmp_path):
    train.run(settings(tiny_config, "train.epochs=1"), tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    for mistake in ("data.root=/nowhere", "sampler.categories=40"):
        with pytest.raises(DataError):
            train.run(settings(tiny_config, mistake), tmp_path / "run", force=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_a_missing_compiler_under_force_keeps_the_run_that_was_to_be_replaced(tiny_config, tmp_path, monkeypatch):
    def no_compiler(graph, inputs):
        raise RuntimeError("no compiler")

    train.run(settings(tiny_config, "train.epochs=1"), tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    monkeypatch.setattr(torch.nn.Module, "compile", partialmethod(torch.nn.Module.compile, backend=no_compiler))
    with pytest.raises(TrainingError, match=r"train\.compile: .*no compiler; install"):
        train.run(settings(tiny_config, "train.compile=true"), tmp_path / "run", force=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_a_dataset_that_grew_is_told_when_a_run_goes_on(tiny_config, dataset, tmp_path, logged):
    grown = shutil.copytree(dataset, tmp_path / "grown")
    config = settings(tiny_config, "train.epochs=1", f"data.root={grown}")
    train.run(config, tmp_path / "run")
    photos = grown / "256x256" / "photo" / "tx_000000000000" / "disc"
    shutil.copy(photos / "p1.jpg", photos / "p99.jpg")
    train.run(config, tmp_path / "run", resume=True)
    assert any(f"{grown} holds other images than the run was trained with" in line for line in logged.messages)


def test_a_run_is_not_replaced_unless_forced(tiny_config, tmp_path):
    config = settings(tiny_config, "train.epochs=1")
    train.run(config, tmp_path / "run")
    with pytest.raises(RunError, match=r"exists; continue it with --resume .*, replace it with --force"):
        train.run(config, tmp_path / "run")
    train.run(config, tmp_path / "run", force=True)


def test_without_a_validation_split_the_newest_epoch_is_kept(tiny_config, tmp_path):
    result = train.run(settings(tiny_config, "data.val_fraction=0", "train.epochs=2"), tmp_path / "run")
    assert result.best_epoch == 2
    assert not any(name.startswith("val_") for name in result.best)
    assert load_checkpoint(tmp_path / "run" / "best.pth").epoch == 2


def test_a_loss_that_is_not_a_number_keeps_the_last_good_checkpoint(tiny_config, tmp_path, monkeypatch):
    config = settings(tiny_config, "train.epochs=1")
    train.run(config, tmp_path / "run")
    before = (tmp_path / "run" / "last.pth").read_bytes()
    monkeypatch.setattr(train, "build_objective", lambda *_, **__: Objective(NotANumber(), {}))
    with pytest.raises(TrainingError, match="the loss is not a number; epoch 2, step"):
        train.run(settings(tiny_config), tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "last.pth").read_bytes() == before


def test_a_full_disk_while_saving_keeps_the_last_good_checkpoint(tiny_config, tmp_path, monkeypatch):
    def full(content, path):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    config = settings(tiny_config, "train.epochs=1")
    train.run(config, tmp_path / "run")
    before = (tmp_path / "run" / "last.pth").read_bytes()
    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(StorageError, match=r"cannot write .*(best|last).pth: No space left on device; free some space"):
        train.run(settings(tiny_config, "train.epochs=2"), tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "last.pth").read_bytes() == before
    assert not list((tmp_path / "run").glob("*.part"))


def test_a_contrastive_run_that_learns_nothing_is_warned_about(tiny_config, tmp_path):
    talk = SignalWhen(0, "no such line")
    config = load_config(
        tiny_config,
        [
            "train.epochs=3",
            "train.learning_rate=1e-12",
            "loss={name: contrastive, margin: 1.0e+4}",
            "sampler={name: pairs, batch_size: 16}",
            "model.normalize=true",
        ],
    )
    train.run(config, tmp_path / "run", talk=talk)
    assert any("nothing is learnt yet" in line for line in talk.lines)


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
        train.run(settings(tiny_config, *changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_resuming_with_another_network_is_refused(trained, tiny_config, tmp_path):
    config = settings(tiny_config, "train.epochs=1")
    train.run(config, tmp_path / "run")
    with pytest.raises(RunError, match=r"model.embedding_size was 16, is 4; start a new run"):
        train.run(settings(tiny_config, "model.embedding_size=4"), tmp_path / "run", resume=True)


def test_there_is_nothing_to_resume_in_an_empty_folder(tiny_config, tmp_path):
    with pytest.raises(RunError, match="nothing to resume"):
        train.run(settings(tiny_config), tmp_path, resume=True)


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


def test_further_sketches_of_held_out_categories_are_not_trained_on(zero_shot_config, zero_shot_dataset, tmp_path):
    talk = SignalWhen(0, "no such line")
    extra = zero_shot_dataset / "256x256" / "sketch" / "tx_000000000000"  # 20 sketches of each of 4 categories
    train.run(load_config(zero_shot_config, [f"data.extra_sketches={extra}"]), tmp_path / "run", talk=talk)
    assert "32 further sketches of 2 of the categories" in talk.lines
    assert any("held out 20 photos and 40 sketches" in line for line in talk.lines)
    assert load_checkpoint(tmp_path / "run" / "best.pth").categories == ("bar", "cross", "saw", "tree")


def test_with_a_layout_the_best_checkpoint_also_knows_where_things_lie(tiny_config, tmp_path):
    layout = ["model.backbone=mobilenet_v2", "model.normalize=true", "model.layout.size=8", "model.layout.share=0.3"]
    config = settings(tiny_config, *layout, "train.epochs=1", "image.color=rgb")
    talk = Silent()
    result = train.run(config, tmp_path / "run", talk=talk)
    best, last = (load_checkpoint(tmp_path / "run" / name) for name in ("best.pth", "last.pth"))
    assert float(best.weights["head.share"]) == pytest.approx(0.3)
    assert float(last.weights["head.share"]) == 0
    assert best.calibration is not None
    assert result.best["val_map_all"] == best.metrics["val_map_all"]
    again = train.run(config, tmp_path / "run", resume=True)
    assert again.best == result.best
    assert load_checkpoint(tmp_path / "run" / "best.pth").fingerprint() == best.fingerprint()
