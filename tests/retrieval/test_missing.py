"""What happens to photos of an index whose files cannot be found."""

import os
import re
import shutil

import pytest
import torch
from PIL import Image

from sketchy.errors import GalleryError
from sketchy.retrieval import missing as module
from sketchy.retrieval.scan import Scan
from sketchy.retrieval.update import preview, update

DROP = Scan(drop_missing=True)


@pytest.fixture(scope="module")
def model(untrained):
    return untrained


@pytest.fixture
def folder(tmp_path):
    """Six photos: two at the top, two in `cats`, two in `usb/deep`."""
    for number, name in enumerate(("a", "b", "cats/a", "cats/b", "usb/deep/a", "usb/deep/b")):
        path = tmp_path / "photos" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 12), (40 * number, 90, 200)).save(path)
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return tmp_path / "photos"


def paths(store, below) -> set[str]:
    return {os.path.relpath(photo.path, below) for batch in store.scan() for photo in batch}


def kept(changes, below) -> list[tuple[str, int, str]]:
    return [(os.path.relpath(item.path, below), item.photos, item.reason) for item in changes.kept]


def empty(folder) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (empty, "is empty"),
        (lambda folder: (empty(folder), (folder / "lost+found").mkdir(), (folder / ".Trash").mkdir()), "is empty"),
        (lambda folder: (empty(folder), (folder / "not mounted.txt").touch()), "has no photos"),
        (shutil.rmtree, "is missing"),
        (lambda folder: (shutil.rmtree(folder), shutil.rmtree(folder.parent / "above", True)), "is missing"),
    ],
)
def test_photos_of_a_source_without_any_photo_are_kept_until_dropped_explicitly(store, folder, model, spoil, reason):
    update(store, [folder], model)
    spoil(folder)
    changes = update(store, [folder], model)
    assert kept(changes, folder) == [(".", 6, reason)]
    assert (changes.removed, store.count()) == (0, 6)
    changes = update(store, [folder], model, scan=DROP)
    assert (changes.removed, changes.kept, store.count()) == (6, (), 0)


def test_when_the_drive_is_back_nothing_is_embedded_again(store, folder, model, tmp_path):
    update(store, [folder], model)
    folder.rename(tmp_path / "away")
    folder.mkdir()
    update(store, [folder], model)
    folder.rmdir()
    (tmp_path / "away").rename(folder)
    changes = update(store, [folder], model)
    assert (changes.unchanged, changes.embedded, changes.reused, changes.kept) == (6, 0, 0, ())


def test_a_missing_source_keeps_its_photos_beside_an_existing_one(store, folder, model, tmp_path):
    (folder / "usb").rename(tmp_path / "usb")
    update(store, [folder, tmp_path / "usb"], model)
    shutil.rmtree(tmp_path / "usb")
    (folder / "a.png").unlink()
    changes = update(store, [folder, tmp_path / "usb"], model)
    assert (changes.removed, changes.unchanged) == (1, 3)
    assert kept(changes, tmp_path) == [("usb", 2, "is missing")]


def test_a_mount_point_in_a_source_that_is_empty_keeps_its_photos(store, folder, model):
    update(store, [folder], model)
    empty(folder / "usb")
    for changes in (preview(store, [folder]), update(store, [folder], model)):
        assert kept(changes, folder) == [("usb", 2, "is empty")]
        assert (changes.removed, changes.unchanged) == (0, 4)
    assert update(store, [folder], model, scan=DROP).removed == 2


def test_deleted_photos_and_folders_are_removed(store, folder, model):
    update(store, [folder], model)
    (folder / "a.png").unlink()
    shutil.rmtree(folder / "usb")
    changes = update(store, [folder], model)
    assert (changes.removed, changes.kept) == (3, ())
    assert paths(store, folder) == {"b.png", "cats/a.png", "cats/b.png"}


def test_photos_moved_out_of_a_folder_are_removed_though_it_is_empty_now(store, folder, model):
    update(store, [folder], model)
    for path in (folder / "cats").iterdir():
        path.rename(folder / f"moved {path.name}")
    for changes in (preview(store, [folder]), update(store, [folder], model)):
        assert (changes.removed, changes.reused, changes.kept) == (2, 2, ())
    assert "cats/a.png" not in paths(store, folder)


def test_renaming_a_source_moves_its_photos(store, folder, model, tmp_path):
    update(store, [folder], model)
    folder.rename(tmp_path / "photos2")
    for changes in (preview(store, [tmp_path / "photos2"]), update(store, [tmp_path / "photos2"], model)):
        assert (changes.reused, changes.removed) == (6, 6)
    assert not any(path.startswith("..") for path in paths(store, tmp_path / "photos2"))
    with pytest.raises(GalleryError, match="no such folder of photos"):  # nothing is known of it now
        update(store, [folder], model)


def test_stale_paths_of_an_earlier_version_are_removed_by_the_next_update(store, folder, model, tmp_path):
    update(store, [folder], model)
    stale = [photo._replace(path=photo.path.replace("photos", "0ld")) for batch in store.scan() for photo in batch]
    store.upsert(stale, torch.zeros(6, 8).numpy())
    changes = update(store, [folder], model)
    assert (changes.unchanged, changes.removed, store.count()) == (6, 6, 6)


def test_copies_outside_the_sources_are_kept_while_their_files_exist(store, folder, model, tmp_path):
    shutil.copytree(folder, tmp_path / "backup")
    update(store, [folder, tmp_path / "backup"], model)
    assert update(store, [folder], model).removed == 0
    assert store.count() == 12


def test_a_shared_store_keeps_paths_that_exist_on_other_machines_only(store, folder, model, tmp_path):
    update(store, [folder], model)
    folder.rename(tmp_path / "elsewhere")
    store.shared = True
    assert update(store, [tmp_path / "elsewhere"], model).removed == 0


def test_photos_of_an_unreadable_folder_are_kept(store, folder, model, monkeypatch):
    update(store, [folder], model)
    listdir, stat = os.listdir, module.Path.stat

    def refused_list(path):
        if str(path).endswith("cats"):
            raise PermissionError(13, "Permission denied")
        return listdir(path)

    def refused_stat(self, **words):
        if self.parent.name == "cats":
            raise OSError(5, "Input/output error")
        return stat(self, **words)

    monkeypatch.setattr(os, "listdir", refused_list)
    monkeypatch.setattr(module.Path, "stat", refused_stat)
    changes = update(store, [folder], model, scan=DROP)
    monkeypatch.undo()
    assert kept(changes, folder) == [("cats", 2, "cannot be listed (permission denied)")]
    assert store.count() == 6


def test_photos_that_are_left_out_now_are_removed_from_the_index(store, folder, model):
    update(store, [folder], model)
    changes = update(store, [folder], model, scan=Scan(exclude=("usb", "b.png")))
    assert (changes.removed, changes.unchanged, changes.left_out) == (4, 2, {"excluded": 4})
    (folder / "cats").rename(folder / "#recycle")
    update(store, [folder / "#recycle"], model)
    assert update(store, [folder], model).left_out == {"in #recycle": 2}
    assert paths(store, folder) == {"a.png", "b.png", "usb/deep/a.png", "usb/deep/b.png"}


def test_a_missing_photo_that_is_itself_a_source_is_kept(store, folder, model):
    update(store, [folder / "a.png", folder / "b.png"], model)
    (folder / "a.png").unlink()
    changes = update(store, [folder / "a.png", folder / "b.png"], model)
    assert (changes.unchanged, kept(changes, folder)) == (1, [("a.png", 1, "is missing")])


def test_a_link_to_an_unmounted_drive_keeps_its_photos(store, folder, model, tmp_path):
    (folder / "usb").rename(tmp_path / "drive")
    (folder / "usb").symlink_to(tmp_path / "drive")
    update(store, [folder], model)
    shutil.rmtree(tmp_path / "drive")
    assert kept(update(store, [folder], model), folder) == [("usb", 2, "is missing")]


def test_a_mount_point_removed_with_its_drive_keeps_its_photos(store, folder, model, monkeypatch):
    monkeypatch.setattr(module, "DRIVES", re.compile(rf"{re.escape(str(folder))}/usb"))
    update(store, [folder], model)
    shutil.rmtree(folder / "usb")
    shutil.rmtree(folder / "cats")
    changes = update(store, [folder], model)
    assert (changes.removed, kept(changes, folder)) == (2, [("usb", 2, "is missing")])


@pytest.mark.parametrize(
    ("path", "is_drive"),
    [("/media/usb", True), ("/media/ann/usb", True), ("/run/media/ann/usb", True), ("/Volumes/Photos", True),
     ("/mnt/nas", True), ("/mnt/nas/2023", False), ("/home/ann/usb", False), ("/media/ann/usb/cats", False)],
)  # fmt: skip
def test_systems_mount_drives_in_known_folders(path, is_drive):
    assert bool(module.DRIVES.fullmatch(path)) is is_drive
