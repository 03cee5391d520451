"""Waiting for changes below folders."""

import threading
from contextlib import closing

import pytest

from sketchy.retrieval import watch
from sketchy.retrieval.watch import rounds


@pytest.fixture
def stop():
    return threading.Event()


def test_a_change_during_a_scan_or_after_it_gives_another_round(tmp_path, stop):
    with closing(rounds([tmp_path], None, stop)) as given:
        next(given)
        (tmp_path / "during.jpg").touch()
        next(given)
        timer = threading.Timer(0.1, (tmp_path / "after.jpg").touch)
        timer.start()
        next(given)
        timer.join()


def test_changes_of_hidden_files_and_of_the_index_are_none(tmp_path, stop, monkeypatch):
    index = tmp_path / "own.index"
    index.mkdir()
    seen = []
    counts = watch._counts

    def note(path, ignored):
        seen.append((path.name, counts(path, ignored)))
        return counts(path, ignored)

    monkeypatch.setattr(watch, "_counts", note)
    with closing(rounds([tmp_path], index, stop)) as given:
        next(given)
        (index / "index.sqlite-wal").touch()
        (tmp_path / ".photo.jpg.part").touch()
        threading.Timer(1, (tmp_path / "photo.jpg").touch).start()
        next(given)
    assert set(seen) <= {
        ("own.index", False),
        ("index.sqlite-wal", False),
        (".photo.jpg.part", False),
        ("photo.jpg", True),
    }
    assert ("photo.jpg", True) in seen


def test_folders_are_scanned_now_and_then_without_an_event(tmp_path, stop, monkeypatch):
    monkeypatch.setattr(watch, "RESCAN_SECONDS", 0.01)
    monkeypatch.setattr(watch, "IDLE_SHARE", 0)
    with closing(rounds([tmp_path], None, stop)) as given:
        for _ in range(3):
            next(given)


@pytest.mark.parametrize("error", [OSError(28, "OS file watch limit reached"), FileNotFoundError(2, "gone")])
def test_folders_that_cannot_be_watched_are_scanned_now_and_then(tmp_path, stop, monkeypatch, error):
    def refuse(*arguments):
        raise error

    monkeypatch.setattr(watch, "RustNotify", refuse)
    monkeypatch.setattr(watch, "RESCAN_SECONDS", 0.01)
    with closing(rounds([tmp_path], None, stop)) as given:
        for _ in range(3):
            next(given)


def test_a_folder_that_comes_back_is_watched_again(tmp_path, stop, monkeypatch):
    monkeypatch.setattr(watch, "RETRY_SECONDS", 0.01)
    folder = tmp_path / "photos"
    with closing(rounds([folder], None, stop)) as given:
        next(given)
        folder.mkdir()
        next(given)
        (folder / "new.jpg").touch()
        next(given)


def test_no_round_comes_after_the_stop(tmp_path, stop):
    with closing(rounds([tmp_path], None, stop)) as given:
        next(given)
        stop.set()
        assert list(given) == []
