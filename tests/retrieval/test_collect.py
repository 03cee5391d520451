"""Photos that were found are put into a folder, where nothing is replaced."""

import os
import re
from pathlib import Path

import pytest

from sketchy.errors import GalleryError, StorageError
from sketchy.results import Hit
from sketchy.retrieval.collect import collect, refuse_folder


class Shelf:
    """An index of files by path; a photo of an archive is its content."""

    def __init__(self, archive: dict[str, bytes] | None = None) -> None:
        self.archive = archive or {}

    def image(self, path: str) -> Path | bytes:
        if path.endswith("left.jpg"):
            raise GalleryError(f"{path} is not in the index")
        return self.archive.get(path, Path(path))


def hits(*paths: object) -> list[Hit]:
    return [Hit(str(path), 0.5, None, (str(path),)) for path in paths]


@pytest.fixture
def cats(tmp_path: Path) -> list[Path]:
    """Two photos of one name and different contents."""
    made = [tmp_path / "a" / "cat.jpg", tmp_path / "b" / "cat.jpg"]
    for number, path in enumerate(made):
        path.parent.mkdir()
        path.write_bytes(f"photo {number}".encode())
        os.utime(path, (1e9, 1e9))
    return made


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_photos_of_one_name_are_copied_beside_one_another_with_their_times(cats, tmp_path, logged):
    collect(Shelf(), hits(*cats), tmp_path / "new" / "folder", "copy")
    assert contents(tmp_path / "new" / "folder") == {"cat.jpg": b"photo 0", "cat (2).jpg": b"photo 1"}
    assert (tmp_path / "new" / "folder" / "cat.jpg").stat().st_mtime == 1e9
    assert logged.messages == [f"copied 2 photos to {tmp_path / 'new' / 'folder'}"]


@pytest.mark.parametrize("how", ["copy", "link"])
def test_a_second_time_nothing_is_written_and_a_file_of_the_user_stays(cats, tmp_path, logged, how):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "cat.jpg").write_bytes(b"mine")
    collect(Shelf(), hits(*cats), folder, how)
    collect(Shelf(), hits(*cats), folder, how)
    assert contents(folder) == {"cat.jpg": b"mine", "cat (2).jpg": b"photo 0", "cat (3).jpg": b"photo 1"}
    assert re.search(f"(copied|linked) 0 photos to {folder}; 2 were there already", logged.messages[-1])


def test_links_lead_to_the_photos(cats, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    collect(Shelf(), hits("a/cat.jpg"), Path("out"), "link")
    assert (tmp_path / "out" / "cat.jpg").readlink() == cats[0]


def test_a_photo_of_an_archive_is_copied_but_not_linked(tmp_path, logged):
    shelf = Shelf({"/a.zip/cat.jpg": b"inside"})
    collect(shelf, hits("/a.zip/cat.jpg"), tmp_path / "copies", "copy")
    assert contents(tmp_path / "copies") == {"cat.jpg": b"inside"}
    collect(shelf, hits("/a.zip/cat.jpg"), tmp_path / "links", "link")
    assert contents(tmp_path / "links") == {}
    assert "cannot link /a.zip/cat.jpg: it is in an archive; use --copy-to" in logged.messages


def test_photos_that_are_gone_are_named_and_the_others_copied(cats, tmp_path, logged):
    gone = tmp_path / "gone.jpg"
    collect(Shelf(), hits(gone, tmp_path / "left.jpg", cats[0]), tmp_path / "out", "copy")
    assert contents(tmp_path / "out") == {"cat.jpg": b"photo 0"}
    assert logged.messages[0] == f"cannot copy {gone}: no such file"
    assert logged.messages[-1] == f"copied 1 photo to {tmp_path / 'out'}"


def test_a_folder_that_cannot_be_written_is_named(cats, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"mine")
    with pytest.raises(StorageError, match="it is a file; name a folder"):
        refuse_folder(file)
    with pytest.raises(StorageError, match=re.escape(str(file))):
        collect(Shelf(), hits(*cats), file / "folder", "copy")
    assert file.read_bytes() == b"mine"
