import pytest
import torch

from sketchy.config_file import parse_config
from sketchy.errors import CheckpointError, DataError, RunError
from sketchy.model.checkpoint import Checkpoint, save_checkpoint
from sketchy.trainer.resume import load_run, restore

TREE = {"data": {"root": "/"}, "image": {"size": 16}, "loss": {"name": "infonce"}, "sampler": {"name": "pk"}}


def config(**changes):
    """TREE with some settings changed, `section__name=value`."""
    tree = {name: dict(section) for name, section in TREE.items()}
    for dotted, value in changes.items():
        section, name = dotted.split("__")
        tree.setdefault(section, {})[name] = value
    return parse_config(tree, "test")


@pytest.fixture
def run(tmp_path):
    save_checkpoint(tmp_path / "last.pth", Checkpoint(config(), ("ant",), 3, {}, {}, training={"epoch": 3}))
    return tmp_path


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"train__epochs": 5, "train__learning_rate": 0.1, "train__schedule": "cosine", "train__device": "cpu"},
        {"sampler__categories": 4, "augment__flip": 0.5},
        {"data__root": "/tmp", "data__cache": "/elsewhere"},
    ],
)
def test_a_run_goes_on_with_what_may_change(run, changes):
    assert load_run(run, config(**changes)).epoch == 3


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"image__size": 32}, "image.size was 16, is 32"),
        ({"model__embedding_size": 4}, "model.embedding_size was 128, is 4"),
        ({"data__split_seed": 1}, "data.split_seed was 0, is 1"),
        ({"data__zero_shot": "zero-shot-25"}, "data.zero_shot was None, is zero-shot-25"),
        ({"data__test_fraction": 0.5}, "data.test_fraction was 0.2, is 0.5"),
        ({"loss__temperature": 0.5}, "loss.temperature was"),
        (
            {"loss__name": "triplet"},
            "loss.learn_temperature was False, is not set, .*loss.name was infonce, is triplet",
        ),
        ({"train__precision": "bfloat16"}, "train.precision was float32, is bfloat16"),
        ({"train__optimizer": "adamw"}, "train.optimizer was adam, is adamw"),
    ],
)
def test_what_the_saved_state_is_of_must_stay(run, changes, told):
    with pytest.raises(RunError, match=rf"cannot resume .* with another config; {told}.*; start a new run"):
        load_run(run, config(**changes))


def test_a_dataset_that_moved_is_asked_for(run):
    with pytest.raises(DataError, match=r"is not at /moved; give its new path with --set data.root=PATH"):
        load_run(run, config(data__root="/moved"))


def test_weights_alone_cannot_be_continued(tmp_path):
    save_checkpoint(tmp_path / "last.pth", Checkpoint(config(), ("ant",), 3, {}, {}))
    with pytest.raises(CheckpointError, match=r"last.pth holds no training state"):
        load_run(tmp_path, config())


class Picky:
    """A trainer that meets a damaged state."""

    def __init__(self, error):
        self.error = error

    def restore(self, state):
        raise self.error


@pytest.mark.parametrize(
    "error", [KeyError("sums"), TypeError("a"), ValueError("b"), AttributeError("c"), RuntimeError("many\nlines")]
)
def test_a_damaged_state_is_one_line(run, error):
    saved = load_run(run, config())
    with pytest.raises(CheckpointError, match=r"cannot resume .*; its last.pth is damaged: .*; start a") as caught:
        restore(Picky(error), saved, run)
    assert "\n" not in str(caught.value)


def test_a_state_of_another_shape_is_told_by_the_trainer(run):
    with pytest.raises(CheckpointError, match=r"head.weight is wrong"):
        restore(Picky(CheckpointError("head.weight is wrong")), load_run(run, config()), run)


def test_the_state_that_is_restored_is_the_saved_one(run):
    class Trainer:
        def restore(self, state):
            self.state = state

    trainer = Trainer()
    restore(trainer, load_run(run, config()), run)
    assert trainer.state == {"epoch": 3}
    assert not any(isinstance(value, torch.Tensor) for value in trainer.state.values())
