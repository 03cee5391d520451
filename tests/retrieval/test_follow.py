"""An index that follows its folder while it is searched."""

import os
import shutil
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from sketchy.errors import LockedError
from sketchy.retrieval import follow
from sketchy.retrieval.follow import Follower
from sketchy.retrieval.model import Model
from sketchy.retrieval.open import open_index
from sketchy.retrieval.query import Query
from sketchy.retrieval.store.folder import open_to_write


@pytest.fixture
def folder(photos, tmp_path):
    """Twenty photos in two folders."""
    for category in ("disc", "bar"):
        shutil.copytree(photos / category, tmp_path / "photos" / category)
    return tmp_path / "photos"


@pytest.fixture
def index(model, folder):
    with open_index(model, str(folder), update=False) as opened:
        yield opened


def until(condition, seconds=60):
    """Wait for a condition, and return its value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "the condition was never met"
        time.sleep(0.02)
    return value


def paths(index):
    return {os.path.relpath(path, index.sources[0]) for path, _ in index.photos()}


def save(path, number):
    """Save a picture unique to the number, under its name only when it is complete."""
    Image.new("RGB", (20, 12), (number, 90, 200)).save(path.with_name(".part.png"))
    path.with_name(".part.png").rename(path)


def test_an_index_is_empty_first_and_holds_all_photos_after_the_first_update(index, logged):
    assert len(index) == 0
    with Follower(index) as follower:
        until(lambda: not follower.state.running)
        assert (len(index), follower.state.error, follower.state.updates) == (20, None, 1)
    assert logged.messages == [f"searching {index.name}: 20 photos"]


def test_photos_are_found_while_others_are_still_indexed(index, monkeypatch, photos):
    for number in range(60):
        save(index.sources[0] / f"{number}.png", number)
    go = threading.Event()
    embed = Model.embed_batch

    def wait_after_the_first_commit(self, *arguments):
        if len(index):
            assert go.wait(60)
        return embed(self, *arguments)

    monkeypatch.setattr(Model, "embed_batch", wait_after_the_first_commit)
    with Follower(index) as follower:
        until(lambda: len(index))
        state = until(lambda: follower.state.done and follower.state)
        assert (state.running, state.done, state.total) == (True, 32, 80)
        assert state.seconds_left > 0
        assert len(index.find(Query(index.model.probes[0], "sketch"), follow_request())) == 10
        go.set()
        until(lambda: not follower.state.running)
    assert len(index) == 80


def follow_request():
    from sketchy.retrieval.search import Request

    return Request(10)


def test_new_changed_renamed_and_deleted_photos_are_followed(index):
    folder = index.sources[0]
    with Follower(index) as follower:
        until(lambda: not follower.state.running)
        save(folder / "new.png", 1)
        until(lambda: "new.png" in paths(index))
        (folder / "disc" / "p1.jpg").unlink()
        until(lambda: "disc/p1.jpg" not in paths(index))
        (folder / "bar").rename(folder / "rod")
        until(lambda: {"rod/p1.jpg"} <= paths(index) and "bar/p1.jpg" not in paths(index))
        before = index._store.get([str(folder / "new.png")])[str(folder / "new.png")].content
        save(folder / "new.png", 2)
        until(lambda: index._store.get([str(folder / "new.png")])[str(folder / "new.png")].content != before)
        save(folder / "one.png", 3)
        save(folder / "two.png", 4)
        until(lambda: {"one.png", "two.png"} <= paths(index))
    assert len(index) == 22
    assert follower.state.error is None


def test_a_folder_that_is_emptied_or_vanishes_keeps_its_photos_and_says_so(index, tmp_path, monkeypatch, logged):
    folder = index.sources[0]
    monkeypatch.setattr(follow, "RETRY_SECONDS", 0.05)
    with Follower(index) as follower:
        until(lambda: not follower.state.running)
        folder.rename(tmp_path / "away")
        folder.mkdir()
        error = until(lambda: follower.state.error)
        assert "kept 20 photos" in error
        assert len(index) == 20
        folder.rmdir()
        (tmp_path / "away").rename(folder)
        until(lambda: follower.state.error is None and not follower.state.running)
        assert len(index) == 20
    assert any("kept 20 photos" in message for message in logged.messages)


def test_a_folder_without_photos_says_so_until_one_comes(index):
    folder = index.sources[0]
    shutil.rmtree(folder / "disc")
    shutil.rmtree(folder / "bar")
    with Follower(index) as follower:
        assert "no images below" in until(lambda: follower.state.error)
        save(folder / "new.png", 1)
        until(lambda: len(index) == 1 and follower.state.error is None)
        assert follower.state.unreadable == 0
        (folder / "cut.png").write_bytes((folder / "new.png").read_bytes()[:60])
        until(lambda: follower.state.unreadable == 1)


def test_an_index_that_another_process_writes_is_searched_and_updated_later(index, monkeypatch, logged):
    monkeypatch.setattr(follow, "RETRY_SECONDS", 0.05)
    other = open_to_write(Path(str(index.address)), index.model.identity)
    with Follower(index) as follower:
        assert "another process is writing the index" in until(lambda: follower.state.error)
        other.close()
        until(lambda: follower.state.error is None and not follower.state.running)
        assert len(index) == 20
    assert sum("another process" in message for message in logged.messages) == 1


def test_a_bug_is_told_and_the_photos_stay(index, monkeypatch):
    def fail(self, *arguments):
        raise RuntimeError("no memory")

    monkeypatch.setattr(Model, "embed_batch", fail)
    with Follower(index) as follower:
        assert until(lambda: follower.state.error) == "indexing failed: RuntimeError: no memory"


def test_a_stop_during_indexing_keeps_what_was_committed(index, monkeypatch):
    begun, go = threading.Event(), threading.Event()
    embed = Model.embed_batch

    def embed_slowly(self, *arguments):
        begun.set()
        assert go.wait(60)
        return embed(self, *arguments)

    monkeypatch.setattr(Model, "embed_batch", embed_slowly)
    with Follower(index) as follower:
        assert begun.wait(60)
        follower._stop.set()
        go.set()
    assert not follower._thread.is_alive()
    monkeypatch.undo()
    assert index.update().found == 20
    open_to_write(index._store.folder, index.model.identity).close()  # the lock is free


def test_a_search_goes_before_the_next_step(index, monkeypatch):
    embedded = []
    embed = Model.embed_batch
    monkeypatch.setattr(
        Model, "embed_batch", lambda self, images, *rest: embedded.append(len(images)) or embed(self, images, *rest)
    )
    monkeypatch.setattr(index.model.engine, "workers", 1)
    follower = Follower(index)
    with follower.first(), follower:
        until(lambda: follower.state.total)
        with pytest.raises(LockedError):  # the update is under way
            open_to_write(index._store.folder, index.model.identity)
        assert embedded == []
    with Follower(index) as other:
        until(lambda: not other.state.running)
    assert max(embedded) <= index.model.engine.batch_size
    assert len(index) == 20


def test_every_change_is_told_with_what_cannot_be_read(index, folder, logged):
    with Follower(index) as follower:
        until(lambda: follower.state.updates == 1)
        added = folder.parent / "added"
        shutil.copytree(folder / "bar", added)
        (added / "broken.jpg").write_bytes(b"no photo")
        save(added / "new.png", 7)
        added.rename(folder / "square")
        until(lambda: follower.state.updates == 2)
    told = f"{index.name} changed: 1 new or changed, 10 copied or renamed, 0 gone; 1 cannot be read"
    assert logged.messages[-1] == told
