import os
import shutil

import pytest

from sketchy.errors import CheckpointError, RunError
from sketchy.inference.bundled import BUNDLED
from sketchy.trainer.choose import choose_checkpoint


@pytest.fixture
def runs(tmp_path):
    """Runs of which `old` and `new` are finished; `stopped` and `killed`, with 3 and 9 of 9 epochs, are newer.

    `killed` was stopped after its last epoch: best.pth was not completed after last.pth was written.
    """
    runs = tmp_path / "runs"
    for age, (name, done) in enumerate({"stopped": 3, "killed": 9, "new": 9, "old": 9}.items()):
        (runs / name).mkdir(parents=True)
        (runs / name / "config.yaml").write_text("train: {epochs: 9}")
        (runs / name / "history.csv").write_text("epoch\n" + "1\n" * done)
        (runs / name / "best.pth").write_text(name)
        os.utime(runs / name / "best.pth", (1e9 - age, 1e9 - age))
        if name in ("old", "new"):
            (runs / name / "result.json").write_text("{}")
    (runs / "killed" / "last.pth").touch()
    return runs


def test_without_a_name_the_bundled_model_is_used_whatever_runs_there_are(runs, logged):
    assert choose_checkpoint(None, runs) == BUNDLED
    assert logged.messages == ["using the bundled model"]


def test_where_a_run_is_wanted_it_is_the_newest_finished_one(runs, logged):
    assert choose_checkpoint(None, runs, without_run="train one") == runs / "new" / "best.pth"
    assert logged.messages == [f"using {runs / 'new' / 'best.pth'}, the newest finished run"]


def test_a_run_without_a_best_epoch_offers_its_last(runs):
    (runs / "new" / "best.pth").rename(runs / "new" / "last.pth")
    assert choose_checkpoint(None, runs, without_run="train one") == runs / "new" / "last.pth"


@pytest.mark.parametrize("kept", [True, False])
def test_a_run_of_an_earlier_version_is_finished_once_its_best_epoch_was_completed(runs, kept):
    (runs / "new" / "result.json").unlink()
    if kept:
        (runs / "new" / "last.pth").touch()
        os.utime(runs / "new" / "last.pth", (1e9 - 10, 1e9 - 10))
    assert choose_checkpoint(None, runs, without_run="train one") == runs / "new" / "best.pth"


def test_unfinished_runs_alone_are_refused_with_how_to_finish_one(runs):
    for name in ("old", "new"):
        shutil.rmtree(runs / name)
    unfinished = "stopped has 3 of 9 epochs, killed was stopped after its last epoch"
    wanted = f"no run under {runs} is finished: {unfinished}; .*--resume {runs}/stopped`.*or train one"
    with pytest.raises(RunError, match=wanted):
        choose_checkpoint(None, runs, without_run="train one")


@pytest.mark.parametrize("name", ["gone", "empty", "file.txt", "other"])
def test_no_run_at_all_is_refused_with_what_to_do(name, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "other" / "notes").mkdir(parents=True)
    (tmp_path / "file.txt").write_text("mine")
    with pytest.raises(RunError, match=f"there is no run under {tmp_path / name}; train one"):
        choose_checkpoint(None, tmp_path / name, without_run="train one")


@pytest.mark.parametrize("named", ["old", "{runs}/old", "{runs}/old/best.pth"])
def test_a_run_is_named_by_its_name_its_folder_or_its_file(named, runs, logged):
    assert choose_checkpoint(named.format(runs=runs), runs, without_run="train one") == runs / "old" / "best.pth"
    assert not logged.messages


def test_the_bundled_model_is_taken_by_its_name(runs):
    assert choose_checkpoint("bundled", runs, without_run="train one") == BUNDLED


def test_the_run_of_a_name_precedes_a_folder_of_that_name(runs, tmp_path):
    for name in ("old", "elsewhere"):
        shutil.copytree(runs / "new", tmp_path / name)
    assert choose_checkpoint("old", runs) == runs / "old" / "best.pth"
    assert str(choose_checkpoint("elsewhere", runs)) == "elsewhere/best.pth"


@pytest.mark.parametrize(
    ("named", "remedy"),
    [
        ("stoped", "did you mean stopped"),
        ("bundeld", "did you mean bundled"),
        ("xyz", "known are killed, new, old, stopped"),
    ],
)
def test_a_typo_names_the_nearest_runs(named, remedy, runs):
    with pytest.raises(CheckpointError, match=f"no run called {named} under {runs}; {remedy}"):
        choose_checkpoint(named, runs)


def test_a_missing_file_is_named(runs):
    with pytest.raises(CheckpointError, match=r"no such checkpoint: nowhere\.pth"):
        choose_checkpoint("nowhere.pth", runs)


def test_an_index_is_used_with_the_model_that_it_was_made_with(index, trained, runs, logged):
    made = trained / "tiny" / "best.pth"
    assert choose_checkpoint(None, runs, gallery=index.name) == made
    assert logged.messages == [f"using {made}, with which {index.name} was made"]
    assert choose_checkpoint("bundled", runs, gallery=index.name) == BUNDLED


@pytest.mark.parametrize("gallery", ["milvus://localhost:1/photos", "gone", "runs"])
def test_any_other_gallery_is_searched_with_the_bundled_model(gallery, runs):
    assert choose_checkpoint(None, runs, gallery=gallery) == BUNDLED


def test_an_index_whose_model_is_gone_is_left_to_the_bundled_model(model, photos, trained, runs, tmp_path):
    from sketchy.retrieval.model import load_model

    moved = tmp_path / "moved.pth"
    shutil.copy(trained / "tiny" / "best.pth", moved)
    with load_model(moved, "cpu").index(photos / "disc", tmp_path / "photos.index"):
        moved.unlink()
    assert choose_checkpoint(None, runs, gallery=str(tmp_path / "photos.index")) == BUNDLED
