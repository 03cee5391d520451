import csv
import errno
import logging

import pytest
import torch

from sketchy.config_file import load_config
from sketchy.errors import StorageError
from sketchy.evaluation.learning_curves import PANELS
from sketchy.model.checkpoint import load_checkpoint
from sketchy.trainer import record, saving
from sketchy.trainer.run import train


def history(run):
    return list(csv.DictReader((run / "history.csv").read_text().splitlines()))


def settings(config, *more):
    return load_config(config, ["train.epochs=3", *more])


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


def test_a_kill_between_history_and_checkpoint_repeats_the_epoch(tiny_config, tmp_path, monkeypatch):
    """The row is on disk, the checkpoint is not: the epoch is trained again and its row written once."""
    config = settings(tiny_config, "train.keep_every=1")  # so that every epoch is saved
    save = saving.save_checkpoint

    def power_cut(path, checkpoint):
        if checkpoint.epoch == 2:
            raise KeyboardInterrupt
        save(path, checkpoint)

    monkeypatch.setattr(saving, "save_checkpoint", power_cut)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "run")
    monkeypatch.setattr(saving, "save_checkpoint", save)
    assert load_checkpoint(tmp_path / "run" / "last.pth").epoch == 1
    assert len(history(tmp_path / "run")) >= 2
    train(config, tmp_path / "run", resume=True)
    rows = history(tmp_path / "run")
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]


def test_a_kill_between_the_best_and_the_last_checkpoint_leaves_the_best_right(tiny_config, tmp_path, monkeypatch):
    more = "data.val_fraction=0", "train.keep_every=1"  # every epoch is the best, and saved
    save = saving.save_checkpoint

    def power_cut(path, checkpoint):
        save(path, checkpoint)
        if checkpoint.epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(saving, "save_checkpoint", power_cut)
    with pytest.raises(KeyboardInterrupt):
        train(settings(tiny_config, *more), tmp_path / "run")
    monkeypatch.setattr(saving, "save_checkpoint", save)
    assert [load_checkpoint(tmp_path / "run" / name).epoch for name in ("best.pth", "last.pth")] == [2, 1]
    train(settings(tiny_config, *more, "train.epochs=2"), tmp_path / "run", resume=True)
    assert [load_checkpoint(tmp_path / "run" / name).epoch for name in ("best.pth", "last.pth")] == [2, 2]


def test_every_nth_checkpoint_is_kept_when_asked(tiny_config, tmp_path):
    train(settings(tiny_config, "train.epochs=5", "train.keep_every=2"), tmp_path / "run")
    kept = sorted((tmp_path / "run").glob("epoch-*.pth"))
    assert [path.name for path in kept] == ["epoch-0002.pth", "epoch-0004.pth"]
    second = load_checkpoint(kept[0])
    assert (second.epoch, second.training) == (2, None)
    assert second.metrics["val_map_all"] == float(history(tmp_path / "run")[1]["val_map_all"])
    train(settings(tiny_config, "train.epochs=1"), tmp_path / "run", force=True)
    assert not list((tmp_path / "run").glob("epoch-*.pth"))


def test_without_a_validation_split_the_newest_epoch_is_kept(tiny_config, tmp_path):
    result = train(settings(tiny_config, "data.val_fraction=0", "train.epochs=2"), tmp_path / "run")
    assert result.best_epoch == 2
    assert not any(name.startswith("val_") for name in result.best)
    assert load_checkpoint(tmp_path / "run" / "best.pth").epoch == 2


def test_a_full_disk_while_saving_keeps_the_last_good_checkpoint(tiny_config, trained_once, monkeypatch):
    def full(content, path):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    before = (trained_once / "last.pth").read_bytes()
    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(StorageError, match=r"cannot write .*(best|last).pth: No space left on device; free some space"):
        train(settings(tiny_config, "train.epochs=2"), trained_once, resume=True)
    assert (trained_once / "last.pth").read_bytes() == before
    assert not list(trained_once.glob("*.part"))


def test_epochs_are_saved_by_time_and_the_last_one_at_the_end(tiny_config, tmp_path, monkeypatch):
    written = []
    save = saving.save_checkpoint
    monkeypatch.setattr(
        saving, "save_checkpoint", lambda path, one: (written.append((path.name, one.epoch)), save(path, one))
    )
    train(settings(tiny_config, "data.val_fraction=0", "train.epochs=4"), tmp_path / "run")
    # At once, which shows whether the disk takes it, and then a minute later or at the end.
    assert written == [("best.pth", 1), ("last.pth", 1), ("best.pth", 4), ("last.pth", 4)]


def test_a_kill_costs_the_epochs_since_the_last_save_and_no_more(tiny_config, tmp_path, monkeypatch):
    """history.csv is ahead of last.pth: what it holds of later epochs is trained, and written, again."""
    train(settings(tiny_config, "model.dropout=0.2"), tmp_path / "unbroken")
    validated = []

    def killed(*arguments):
        validated.append(None)
        if len(validated) == 3:
            raise KeyboardInterrupt
        return validate(*arguments)

    validate = record.validate
    monkeypatch.setattr(record, "validate", killed)
    with pytest.raises(KeyboardInterrupt):
        train(settings(tiny_config, "model.dropout=0.2"), tmp_path / "run")
    assert [load_checkpoint(tmp_path / "run" / name).epoch for name in ("best.pth", "last.pth")] == [1, 1]
    assert len(history(tmp_path / "run")) == 2
    monkeypatch.setattr(record, "validate", validate)
    train(settings(tiny_config, "model.dropout=0.2"), tmp_path / "run", resume=True)
    for name in ("best.pth", "last.pth"):
        ours, theirs = (load_checkpoint(tmp_path / run / name) for run in ("run", "unbroken"))
        assert ours.fingerprint() == theirs.fingerprint()
    columns = ("epoch", "loss", "val_map_all")
    ours, theirs = ([[row[name] for name in columns] for row in history(tmp_path / run)] for run in ("run", "unbroken"))
    assert ours == theirs


def test_a_contrastive_run_that_learns_nothing_is_warned_about(tiny_config, tmp_path, logged):
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
    train(config, tmp_path / "run")
    assert any("nothing has been learnt yet" in line for line in logged.messages)


def test_with_a_spatial_embedding_the_best_checkpoint_has_a_fitted_spatial_head(tiny_config, tmp_path):
    spatial = ["model.backbone=mobilenet_v2", "model.normalize=true", "model.spatial.size=8", "model.spatial.share=0.3"]
    config = settings(tiny_config, *spatial, "train.epochs=1", "image.color=rgb")
    result = train(config, tmp_path / "run")
    best, last = (load_checkpoint(tmp_path / "run" / name) for name in ("best.pth", "last.pth"))
    assert float(best.weights["head.share"]) == pytest.approx(0.3)
    assert float(last.weights["head.share"]) == 0
    assert best.calibration is not None
    assert result.best["val_map_all"] == best.metrics["val_map_all"]
    again = train(config, tmp_path / "run", resume=True)
    assert again.best == result.best
    assert load_checkpoint(tmp_path / "run" / "best.pth").fingerprint() == best.fingerprint()


def test_a_picture_that_cannot_be_drawn_is_a_warning_and_the_run_finishes(tiny_config, tmp_path, monkeypatch, logged):
    def full(*_):
        raise StorageError("no space")

    monkeypatch.setattr(record, "retrievals_sheet", full)
    assert train(settings(tiny_config, "train.epochs=1"), tmp_path / "run").epochs == 1
    assert (
        "sketchy.trainer.record",
        logging.WARNING,
        "the retrievals were not drawn: no space",
    ) in logged.record_tuples
