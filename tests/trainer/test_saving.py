import threading
from pathlib import Path

import pytest
import torch

from sketchy.config_file import parse_config
from sketchy.errors import StorageError
from sketchy.model.checkpoint import Checkpoint, load_checkpoint
from sketchy.trainer import saving
from sketchy.trainer.saving import Saver

WEIGHTS = 100_000


def checkpoint(epoch: int = 1) -> Checkpoint:
    """A checkpoint whose weights are also in its training state."""
    weights = {"weight": torch.full((WEIGHTS,), float(epoch))}
    return Checkpoint(parse_config({}, "test"), ("ant",), epoch, {}, weights, training={"encoder": weights})


@pytest.fixture
def saver():
    made = Saver(60)
    yield made
    made.close()


@pytest.fixture
def gate(monkeypatch) -> threading.Event:
    """Writing waits until it is set."""
    event, save = threading.Event(), saving.save_checkpoint

    def slow(path: Path, one: Checkpoint) -> None:
        assert event.wait(30)
        save(path, one)

    monkeypatch.setattr(saving, "save_checkpoint", slow)
    return event


def test_what_is_written_is_what_was_there_when_saving_began(saver, gate, tmp_path):
    best, last = checkpoint(1), checkpoint(2)
    saver.add(tmp_path / "best.pth", best)
    best.weights["weight"].zero_()
    saver.save(tmp_path / "last.pth", last)
    last.weights["weight"].zero_()  # training goes on
    gate.set()
    saver.wait()
    assert (load_checkpoint(tmp_path / "best.pth").weights["weight"] == 1).all()
    written = load_checkpoint(tmp_path / "last.pth")
    assert (written.weights["weight"] == 2).all()
    assert (written.training["encoder"]["weight"] == 2).all()


def test_a_checkpoint_that_was_added_is_not_copied_again_to_be_written(saver, tmp_path, monkeypatch):
    written = {}
    monkeypatch.setattr(saving, "save_checkpoint", lambda path, one: written.update({path.name: one.weights["weight"]}))
    best, last = checkpoint(1), checkpoint(2)
    saver.add(tmp_path / "best.pth", best)
    copy = saver._added[tmp_path / "best.pth"].weights["weight"].data_ptr()
    saver.save(tmp_path / "last.pth", last)
    saver.wait()
    assert list(written) == ["best.pth", "last.pth"]
    assert written["best.pth"].data_ptr() == copy != best.weights["weight"].data_ptr()
    assert written["last.pth"].data_ptr() != last.weights["weight"].data_ptr()


def test_weights_that_are_also_in_the_training_state_are_written_once(saver, tmp_path):
    saver.save(tmp_path / "last.pth", checkpoint())
    saver.wait()
    assert (tmp_path / "last.pth").stat().st_size < 1.1 * 4 * WEIGHTS


def test_it_is_due_at_once_and_then_when_the_time_has_passed_since_the_last_write(gate, tmp_path, monkeypatch):
    now = 100.0
    monkeypatch.setattr(saving.time, "monotonic", lambda: now)
    saver = Saver(60)
    assert saver.is_due()
    saver.save(tmp_path / "last.pth", checkpoint())
    now = 200.0
    assert not saver.is_due()  # it is still being written
    gate.set()
    saver.wait()
    now = 259.0
    assert not saver.is_due()
    now = 260.0
    assert saver.is_due()
    saver.close()


def test_an_error_is_raised_by_the_next_call_and_every_one_after_it(saver, tmp_path):
    saver.save(tmp_path / "file" / "last.pth", checkpoint())
    saver.wait()
    (tmp_path / "last.pth").mkdir()
    saver.save(tmp_path / "last.pth", checkpoint())
    for call in (saver.wait, saver.wait, lambda: saver.save(tmp_path / "other.pth", checkpoint())):
        with pytest.raises(StorageError, match=r"cannot write .*last.pth: it is a folder"):
            call()
    assert saver.has_failed()
    assert not (tmp_path / "other.pth").exists()


def test_closing_waits_for_the_write(gate, tmp_path):
    saver = Saver(60)
    saver.save(tmp_path / "last.pth", checkpoint())
    threading.Timer(0.1, gate.set).start()
    saver.close()
    assert load_checkpoint(tmp_path / "last.pth").epoch == 1
