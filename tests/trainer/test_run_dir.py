import os
from pathlib import Path

import pytest

from sketchy.config_file import load_config
from sketchy.errors import RunError
from sketchy.trainer.run_dir import (
    RunDir,
    create_run,
    existing_run,
    refuse_taken,
    with_absolute_paths,
)

FILES = ("config.yaml", "history.csv", "curves.png", "retrievals.png", "best.pth", "last.pth")


def make_run(path: Path, *names: str, age: float = 0) -> Path:
    """A run folder with files of an age in seconds."""
    path.mkdir(parents=True)
    for name in names:
        (path / name).write_text(name)
        os.utime(path / name, (1e9 - age, 1e9 - age))
    return path


def test_the_files_of_a_run_have_their_names():
    run = RunDir(Path("runs/a"))
    found = (run.config, run.history, run.curves, run.retrievals, run.best, run.last)
    assert tuple(str(path) for path in found) == tuple(f"runs/a/{name}" for name in FILES)


def test_a_fresh_run_gets_its_folder(tmp_path):
    create_run(tmp_path / "runs" / "a", force=False)
    assert (tmp_path / "runs" / "a").is_dir()


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "a").mkdir()
    create_run(tmp_path / "a", force=False)
    assert (tmp_path / "a").is_dir()


@pytest.mark.parametrize("name", [*FILES, "notes.txt"])
def test_a_folder_with_anything_in_it_is_refused_and_left_alone(tmp_path, name):
    path = make_run(tmp_path / "a", name)
    with pytest.raises(RunError, match=rf"the run {path} exists; .*--force.*--name") as caught:
        create_run(path, force=False)
    assert (f"--resume {path}" in str(caught.value)) == (name == "last.pth")
    assert (path / name).read_text() == name


@pytest.mark.parametrize("force", [False, True])
def test_asking_whether_a_place_is_free_changes_nothing(tmp_path, force):
    refuse_taken(tmp_path / "a", force=force)
    assert not (tmp_path / "a").exists()
    path = make_run(tmp_path / "b", *FILES)
    if force:
        refuse_taken(path, force=True)
    else:
        with pytest.raises(RunError, match=rf"the run {path} exists"):
            refuse_taken(path, force=False)
    assert len(list(path.iterdir())) == len(FILES)


def test_force_removes_the_files_of_the_run_and_no_others(tmp_path):
    path = make_run(tmp_path / "a", *FILES, "notes.txt")
    create_run(path, force=True)
    assert [file.name for file in path.iterdir()] == ["notes.txt"]


def test_force_on_a_fresh_place_makes_the_folder(tmp_path):
    create_run(tmp_path / "a", force=True)
    assert (tmp_path / "a").is_dir()


@pytest.mark.parametrize("force", [False, True])
def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path, force):
    (tmp_path / "a").write_text("mine")
    with pytest.raises(RunError, match="is a file, not a folder"):
        create_run(tmp_path / "a", force=force)
    with pytest.raises(RunError, match=r"cannot write .*; choose another --runs"):
        create_run(tmp_path / "a" / "b", force=force)
    assert (tmp_path / "a").read_text() == "mine"


def test_a_folder_in_the_place_of_a_file_is_not_removed(tmp_path):
    (tmp_path / "a" / "best.pth" / "inside").mkdir(parents=True)
    with pytest.raises(RunError, match=r"cannot write .*best.pth: is a folder; choose another name"):
        create_run(tmp_path / "a", force=True)
    assert (tmp_path / "a" / "best.pth" / "inside").is_dir()


def test_a_run_is_resumed_from_its_last_checkpoint(tmp_path):
    path = make_run(tmp_path / "a", "last.pth")
    assert existing_run(path).path == path


@pytest.mark.parametrize("files", [(), ("best.pth", "config.yaml")])
def test_a_run_without_one_cannot_be_resumed(tmp_path, files):
    path = make_run(tmp_path / "a", *files)
    with pytest.raises(RunError, match=r"nothing to resume: no .*last.pth"):
        existing_run(path)
    with pytest.raises(RunError, match="nothing to resume"):
        existing_run(tmp_path / "gone")


@pytest.mark.parametrize(
    ("history", "config", "epochs"),
    [
        ("epoch\n1\n2\n3\n", "train: {epochs: 5}", (3, 5)),
        ("epoch\n1\n", "train: {epochs: 1}\nmodel: {layout: null}", (1, 1)),
        ("epoch\n1\n", "nonsense", (0, 1)),
        ("epoch\n1\n", None, (0, 1)),
        (None, "train: {epochs: 5}", (0, 1)),
    ],
)
def test_a_run_knows_how_many_of_its_epochs_are_done(history, config, epochs, tmp_path):
    run = RunDir(tmp_path)
    for file, text in ((run.history, history), (run.config, config)):
        if text is not None:
            file.write_text(text)
    assert run.epochs() == epochs


@pytest.mark.parametrize(
    ("place", "saved"),
    [("a", "{here}/a"), ("../b", "{above}/b"), ("/c", "/c"), ("~/d", "{home}/d"), ("~e", "{here}/~e")],
)
def test_a_place_is_saved_as_it_is_from_anywhere(place, saved, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", "/somebody")
    absolute = with_absolute_paths(load_config(None, [f"data.root={place}", f"data.cache={place}"])).data
    expected = saved.format(here=tmp_path / "here", above=tmp_path, home="/somebody")
    assert (absolute.root, absolute.cache) == (expected, expected)
    assert with_absolute_paths(load_config(None)).data.cache is None
