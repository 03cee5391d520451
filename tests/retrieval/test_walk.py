import os

import pytest

from sketchy.errors import GalleryError
from sketchy.retrieval.walk import Found, absolute_sources, walk


def touch(path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def found(*sources):
    """What is found, and what is reported, with paths relative to the current folder."""
    reported = []
    files = [(os.path.relpath(file.path), file.category) for file in walk(absolute_sources(sources), reported.append)]
    return files, [(os.path.relpath(item.path), item.reason) for item in reported]


def test_a_folder_is_walked_in_order_with_the_last_folder_as_category(tmp_path):
    for name in ("b.JPG", "a.png", "cats/x.jpeg", "cats/old/y.webp", "2023/z.gif", "notes.txt", "cats/raw.cr2"):
        touch(tmp_path / name)
    assert found(tmp_path) == (
        [("a.png", None), ("b.JPG", None), ("2023/z.gif", None), ("cats/x.jpeg", "cats"), ("cats/old/y.webp", "old")],
        [],
    )


def test_hidden_files_and_folders_are_left_out(tmp_path):
    for name in (".a.jpg", ".thumbnails/b.jpg", "c.jpg"):
        touch(tmp_path / name)
    assert found(tmp_path)[0] == [("c.jpg", None)]


def test_links_go_round_in_circles_once_and_photos_keep_their_real_paths(tmp_path):
    touch(tmp_path / "photos" / "z real" / "x.jpg")
    touch(tmp_path / "elsewhere" / "y.jpg")
    (tmp_path / "photos" / "a link").symlink_to("z real")
    (tmp_path / "photos" / "z real" / "up").symlink_to("..")
    (tmp_path / "photos" / "out").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos" / "broken.jpg").symlink_to("nowhere")
    files, reported = found(tmp_path / "photos")
    assert files == [("photos/broken.jpg", None), ("photos/z real/x.jpg", "z real"), ("photos/out/y.jpg", "out")]
    assert reported == []


def test_names_that_are_no_utf8_are_kept(tmp_path):
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(folder)  # noqa: PTH102 - bytes
    with open(folder + b"/\xff.jpg", "w"):  # noqa: PTH123
        pass
    (file,) = walk([tmp_path], lambda skipped: None)
    assert file == Found(f"{tmp_path}/caf\udce9/\udcff.jpg", "caf\ufffd")


def test_the_sketches_of_a_dataset_are_not_photos(dataset):
    files = list(walk([dataset], lambda skipped: None))
    assert len(files) == 40
    assert {file.category for file in files} == {"disc", "square", "bar", "cross"}


def test_a_folder_given_as_sketches_is_walked(dataset):
    assert len(list(walk([dataset / "256x256" / "sketch"], lambda skipped: None))) == 80


def test_a_folder_that_cannot_be_listed_is_reported(tmp_path, monkeypatch):
    touch(tmp_path / "a.jpg")
    touch(tmp_path / "closed" / "b.jpg")
    scandir = os.scandir

    def refuse(folder):
        if str(folder).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert found(tmp_path) == ([("a.jpg", None)], [("closed", "permission denied")])


def test_sources_in_one_another_count_once(tmp_path):
    touch(tmp_path / "a" / "b" / "x.jpg")
    touch(tmp_path / "c.txt")
    assert found(tmp_path / "a" / "b", tmp_path / "a", tmp_path / "a" / "b" / "x.jpg")[0] == [("a/b/x.jpg", "b")]
    assert found(tmp_path / "c.txt")[0] == [("c.txt", None)]  # named by hand, so it is meant


def test_a_source_must_be_there(tmp_path):
    with pytest.raises(GalleryError, match=r"no such folder of photos: .*nowhere; name one"):
        absolute_sources([tmp_path / "nowhere"])
