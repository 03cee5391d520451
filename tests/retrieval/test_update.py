"""Updating an index, with the changes that real folders of photos undergo."""

import os
import shutil
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sketchy.errors import StorageError
from sketchy.retrieval import update as module
from sketchy.retrieval.dates import iso
from sketchy.retrieval.model import Model
from sketchy.retrieval.store.base import Identity
from sketchy.retrieval.store.folder import open_to_write
from sketchy.retrieval.update import Shard, preview, update


@pytest.fixture(scope="module")
def model(untrained):
    return untrained


@pytest.fixture
def folder(tmp_path):
    """Six photos in two folders."""
    for number in range(6):
        save(tmp_path / "photos" / ("cats" if number % 2 else "dogs") / f"{number}.png", number)
    return tmp_path / "photos"


def save(path, number: int, *, old: bool = True) -> None:
    """Save a picture unique to the number; `old` sets its time to long ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 12), (40 * number % 256, 90 + number // 16, 200)).save(path)
    if old:
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))


def counts(changes) -> tuple[int, int, int, int, int]:
    """Embedded, reused, unchanged, removed, skipped."""
    return changes.embedded, changes.reused, changes.unchanged, changes.removed, len(changes.skipped)


def paths(store) -> set[str]:
    return {photo.path for batch in store.scan() for photo in batch}


def test_a_second_update_reads_no_file(store, folder, model, monkeypatch):
    assert counts(update(store, [folder], model)) == (6, 0, 0, 0, 0)
    monkeypatch.setattr(module, "read_photo", None)
    assert counts(update(store, [folder], model)) == (0, 0, 6, 0, 0)


def test_the_date_of_a_photo_is_that_in_its_exif_data_else_that_of_the_file(store, folder, model):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2019:02:03 04:05:06"
    Image.new("RGB", (20, 12)).save(folder / "dated.jpg", exif=exif)
    update(store, [folder], model)
    dates = {Path(photo.path).name: iso(photo.date) for batch in store.scan() for photo in batch}
    assert dates["dated.jpg"] == "2019-02-03T04:05:06"
    assert dates["3.png"] == datetime.fromtimestamp(1_700_000_003).isoformat()


def test_photos_that_earlier_versions_gave_a_category_lose_it_without_a_new_embedding(
    store, folder, model, monkeypatch
):
    update(store, [folder], model)
    path = str(folder / "cats" / "1.png")
    photo, vector = store.get([path])[path], model.embed(path, "photo")
    store.upsert([photo._replace(category="cats", taken=None)], vector)
    monkeypatch.setattr(Model, "embed_batch", None)
    assert counts(update(store, [folder], model)) == (0, 0, 6, 0, 0)
    assert store.get([path])[path] == photo


def test_an_embedding_is_that_of_its_file(store, folder, model):
    update(store, [folder], model, batch_files=4)
    for path in sorted(folder.rglob("*.png")):
        (hit,) = store.search(model.embed(path, "photo")[0], 1)
        assert hit.path == str(path)
        assert hit.distance == pytest.approx(0, abs=1e-4)


def test_only_new_and_changed_photos_are_embedded_and_deleted_ones_removed(store, folder, model):
    update(store, [folder], model)
    save(folder / "cats" / "1.png", 6)
    save(folder / "new.png", 5 + 10)
    (folder / "dogs" / "0.png").unlink()
    assert counts(update(store, [folder], model)) == (2, 0, 4, 1, 0)
    assert str(folder / "dogs" / "0.png") not in paths(store)
    assert store.count() == 6


def test_renamed_and_copied_files_are_not_embedded_again(store, folder, model, monkeypatch):
    update(store, [folder], model)
    (folder / "cats").rename(folder / "lions")
    shutil.copy2(folder / "dogs" / "0.png", folder / "copy.png")
    monkeypatch.setattr(Model, "embed_batch", None)
    assert counts(update(store, [folder], model)) == (0, 4, 3, 3, 0)
    assert store.count() == 7
    assert {Path(path).parent.name for path in paths(store)} == {"dogs", "lions", folder.name}


def test_the_first_commits_are_small_and_each_file_is_read_once(store, tmp_path, model, monkeypatch):
    for number in range(100):
        save(tmp_path / "photos" / f"{number}.png", number)
    reads, commits = [], []
    read, upsert = module.read_photo, store.upsert
    monkeypatch.setattr(module, "read_photo", lambda file: reads.append(file.path) or read(file))
    monkeypatch.setattr(store, "upsert", lambda photos, vectors: commits.append(len(photos)) or upsert(photos, vectors))
    update(store, [tmp_path / "photos"], model)
    assert commits == [32, 64, 4]
    assert len(reads) == len(set(reads)) == 100


@pytest.mark.parametrize("batch", [2, 256])
def test_copies_in_the_first_run_are_embedded_once(store, tmp_path, model, batch):
    for number in range(7):
        save(tmp_path / "photos" / f"{number}.png", number % 2)
    assert counts(update(store, [tmp_path / "photos"], model, batch_files=batch)) == (2, 5, 0, 0, 0)
    assert [len(hit.paths) for hit in store.search(np.zeros(8, np.float32), 9)] in ([4, 3], [3, 4])


def test_a_photo_that_was_only_touched_is_unchanged(store, folder, model, monkeypatch):
    update(store, [folder], model)
    os.utime(folder / "cats" / "1.png", (1_800_000_000, 1_800_000_000))
    monkeypatch.setattr(Model, "embed_batch", None)
    assert counts(update(store, [folder], model)) == (0, 0, 6, 0, 0)
    monkeypatch.setattr(module, "read_photo", None)
    assert counts(update(store, [folder], model)) == (0, 0, 6, 0, 0)


def test_a_photo_written_a_moment_ago_is_read_again(store, folder, model):
    """It could be rewritten within the resolution of the clock, with the same size."""
    save(folder / "fresh.png", 6, old=False)
    update(store, [folder], model)
    time = (folder / "fresh.png").stat().st_mtime_ns
    save(folder / "fresh.png", 1)
    os.utime(folder / "fresh.png", ns=(time, time))
    assert counts(update(store, [folder], model))[:2] == (0, 1)


def test_broken_files_are_skipped_with_the_reason_and_tried_again(store, folder, model):
    (folder / "broken.jpg").write_bytes(b"no image")
    (folder / "empty.png").touch()
    (folder / "gone.png").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.png")
    changes = update(store, [folder], model)
    assert counts(changes) == (6, 0, 0, 0, 4)
    assert {os.path.basename(item.path): item.reason for item in changes.skipped} == {  # noqa: PTH119
        "broken.jpg": "not an image in a known format",
        "empty.png": "empty file",
        "gone.png": "no such file",
        "pipe.png": "is not a regular file",
    }
    save(folder / "empty.png", 6)
    assert counts(update(store, [folder], model)) == (1, 0, 6, 0, 3)


def test_a_photo_that_becomes_unreadable_or_a_folder_is_removed(store, folder, model):
    update(store, [folder], model)
    (folder / "cats" / "1.png").write_bytes(b"no image any more")
    (folder / "cats" / "3.png").unlink()
    (folder / "cats" / "3.png").mkdir()
    save(folder / "cats" / "3.png" / "inside.png", 6)
    changes = update(store, [folder], model)
    assert counts(changes) == (1, 0, 4, 1, 1)
    assert {os.path.relpath(path, folder) for path in paths(store)} == {
        "dogs/0.png", "dogs/2.png", "dogs/4.png", "cats/5.png", "cats/3.png/inside.png",
    }  # fmt: skip


def test_files_that_change_or_vanish_while_they_are_read_are_right_or_left_out(store, folder, model, monkeypatch):
    read = module.read_photo

    def meddle(file):
        if file.path.endswith("4.png"):
            (folder / "dogs" / "4.png").unlink()
        found = read(file)
        if file.path.endswith("2.png"):
            save(folder / "dogs" / "2.png", 6)
        return found

    monkeypatch.setattr(module, "read_photo", meddle)
    changes = update(store, [folder], model)
    assert counts(changes) == (5, 0, 0, 0, 1)
    monkeypatch.undo()
    assert counts(update(store, [folder], model)) == (1, 0, 4, 0, 0)
    (hit,) = store.search(model.embed(folder / "dogs" / "2.png", "photo")[0], 1)
    assert (hit.path, hit.distance) == (str(folder / "dogs" / "2.png"), pytest.approx(0, abs=1e-4))


def test_photos_outside_the_sources_are_kept(store, folder, model, tmp_path):
    update(store, [folder], model)
    save(tmp_path / "photos2" / "a.png", 6)
    save(tmp_path / "photos2" / "b.png", 5 + 10)
    update(store, [tmp_path / "photos2"], model)
    (tmp_path / "photos2" / "a.png").unlink()
    shutil.rmtree(folder)
    assert counts(update(store, [tmp_path / "photos2"], model)) == (0, 0, 1, 1, 0)
    assert store.count() == 7


def test_photos_of_a_folder_that_cannot_be_read_are_kept(store, folder, model, monkeypatch):
    update(store, [folder], model)
    stat = module.Path.stat

    def refuse(self, **words):
        if "cats" in self.parts:
            raise PermissionError(13, "Permission denied")
        return stat(self, **words)

    monkeypatch.setattr(module.Path, "stat", refuse)
    changes = update(store, [folder], model)
    monkeypatch.undo()
    assert changes.removed == 0
    assert store.count() == 6


def test_a_dry_run_counts_and_changes_nothing(store, folder, model):
    update(store, [folder], model)
    before = paths(store)
    (folder / "cats" / "1.png").rename(folder / "moved.png")
    (folder / "dogs" / "0.png").unlink()
    save(folder / "new.png", 6)
    assert counts(preview(store, [folder])) == (1, 1, 4, 2, 0)
    assert paths(store) == before


def test_an_interrupted_update_continues_where_it_stopped(store, tmp_path, model, monkeypatch):
    folder, load, calls = tmp_path / "photos", model.preprocess.load, []
    for number in range(40):
        save(folder / f"{number}.png", number)

    def stop(content, kind):
        calls.append(content)
        if len(calls) == 30:
            raise KeyboardInterrupt
        return load(content, kind)

    monkeypatch.setattr(type(model.preprocess), "load", lambda self, content, kind: stop(content, kind))
    with pytest.raises(KeyboardInterrupt):
        update(store, [folder], model, batch_files=2)
    done = store.count()
    assert 0 < done < 40
    monkeypatch.undo()
    assert counts(update(store, [folder], model)) == (40 - done, 0, done, 0, 0)


def test_an_error_of_the_writing_thread_ends_the_update_and_earlier_commits_remain(store, tmp_path, model, monkeypatch):
    for number in range(100):
        save(tmp_path / "photos" / f"{number}.png", number)
    upsert, commits = store.upsert, []

    def fail_at_the_second(photos, vectors):
        commits.append(len(photos))
        if len(commits) == 2:
            raise StorageError("the disk is full")
        upsert(photos, vectors)

    monkeypatch.setattr(store, "upsert", fail_at_the_second)
    with pytest.raises(StorageError, match="the disk is full"):
        update(store, [tmp_path / "photos"], model)
    assert (store.count(), commits) == (32, [32, 64])


def test_shards_divide_all_photos(tmp_path, folder, model):
    taken = []
    for rank in range(3):
        store = open_to_write(tmp_path / f"index{rank}", Identity("a" * 64, 8, "a.pth"))
        update(store, [folder], model, shard=Shard(rank, 3))
        taken += paths(store)
        store.close()
    assert sorted(taken) == sorted(str(path) for path in folder.rglob("*.png"))
