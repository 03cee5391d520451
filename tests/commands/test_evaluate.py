import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from sketchy.commands import evaluate, train
from sketchy.config import load_config
from sketchy.errors import DataError, StorageError
from sketchy.model.checkpoint import load_checkpoint, save_checkpoint
from sketchy.talk import Silent


class Listener(Silent):
    def __init__(self):
        self.lines = []

    def say(self, message):
        self.lines.append(message)


def test_a_trained_model_beats_chance_on_the_test_split(trained):
    found = evaluate.run(trained / "tiny" / "best.pth")
    assert found.protocol["queries"] == 16
    assert found.protocol["gallery"] == 8
    assert found.metrics["map_all"] > 1.5 * found.chance["map_all"]
    assert found.metrics.keys() == found.chance.keys()
    assert found.per_category.keys() == {"bar", "cross", "disc", "square"}


def test_test_photos_were_never_trained_on(trained):
    from sketchy.dataset.loader import load_dataset

    data = load_dataset(load_config(trained / "tiny" / "config.yaml"))
    seen = {row for name in ("train", "val") for row in data.parts[name].photos.tolist()}
    held_out = set(data.parts["test"].photos.tolist())
    assert held_out
    assert not held_out & seen
    traced = data.pack.sketch_photo[data.parts["test"].sketches]
    assert set(traced.tolist()) <= held_out


@pytest.mark.parametrize(
    ("protocol", "keys"),
    [
        ("category", {"map_all", "p_at_1", "p_at_5", "p_at_10", "p_at_100"}),
        ("instance", {"instance_r_at_1", "instance_r_at_5", "instance_r_at_10"}),
    ],
)
def test_a_protocol_measures_its_own_metrics(trained, protocol, keys):
    assert evaluate.run(trained / "tiny" / "best.pth", protocol=protocol).metrics.keys() == keys


def test_the_report_is_one_page_that_needs_nothing_else(trained, tmp_path):
    evaluate.run(trained / "tiny" / "best.pth", report=tmp_path / "report")
    page = (tmp_path / "report" / "index.html").read_text()
    assert "mAP" in page
    assert "square" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page


def test_another_place_of_the_dataset_gives_the_same_figures(trained, dataset, tmp_path):
    moved = tmp_path / "moved"
    moved.symlink_to(dataset)
    assert evaluate.run(trained / "tiny" / "best.pth", data=moved) == evaluate.run(trained / "tiny" / "best.pth")


def test_a_dataset_that_changed_is_warned_about(trained, dataset, tmp_path):
    changed = shutil.copytree(dataset, tmp_path / "changed")
    next((changed / "256x256" / "photo").rglob("disc/p1.jpg")).unlink()
    talk = Listener()
    evaluate.run(trained / "tiny" / "best.pth", data=changed, talk=talk)
    assert any("holds other images than the run was trained with" in line for line in talk.lines)
    talk.lines.clear()
    evaluate.run(trained / "tiny" / "best.pth", talk=talk)
    assert not any("other images" in line for line in talk.lines)


def test_a_dataset_that_moved_is_asked_for(trained, tmp_path):
    checkpoint = load_checkpoint(trained / "tiny" / "best.pth")
    data = checkpoint.config.data.model_copy(update={"root": "/moved"})
    config = checkpoint.config.model_copy(update={"data": data})
    save_checkpoint(tmp_path / "moved.pth", replace(checkpoint, config=config))
    with pytest.raises(DataError, match=r"no longer at /moved; say where it lies now with --data PLACE"):
        evaluate.run(tmp_path / "moved.pth")
    assert evaluate.run(tmp_path / "moved.pth", data=Path(checkpoint.config.data.root)).metrics


def test_a_report_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"cannot write .*file/report/index.html: .*file is a file"):
        evaluate.run(tmp_path / "never-read.pth", report=tmp_path / "file" / "report")


def test_a_dataset_without_test_sketches_is_an_error(tiny_config, tmp_path):
    config = load_config(tiny_config, ["train.epochs=1", "data.test_fraction=0.01"])
    train.run(config, tmp_path / "run")
    with pytest.raises(DataError, match=r"has 0 photos and 0 sketches; use a larger dataset or data.test_fraction"):
        evaluate.run(tmp_path / "run" / "best.pth")
