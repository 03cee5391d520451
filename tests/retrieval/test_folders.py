import re
import unicodedata

import pytest

from sketchy.errors import GalleryError
from sketchy.retrieval.folders import Folders

ROOT = "/home/me/Pictures"
NAMES = (
    "a.jpg",
    "Holiday/2023/b.jpg",
    "Holiday/2023/c.jpg",
    "Holiday/2022/sea/d.jpg",
    "Work/2023/e.jpg",
    "2023-x/f.jpg",
)


@pytest.fixture
def folders() -> Folders:
    return Folders.of(f"{ROOT}/{name}" for name in NAMES)


def test_the_folders_are_a_tree_with_the_photos_below_each(folders: Folders) -> None:
    assert folders.root == ROOT
    assert {folders.name(folder): count for folder, count in folders.photos.items()} == {
        "2023-x": 1, "Holiday": 3, "Holiday/2022": 1, "Holiday/2022/sea": 1, "Holiday/2023": 2,
        "Work": 1, "Work/2023": 1,
    }  # fmt: skip
    assert list(folders.photos)[:3] == [f"{ROOT}/2023-x", f"{ROOT}/Holiday", f"{ROOT}/Holiday/2022"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Holiday/2023", "/Holiday/2023"),
        ("./Holiday//2023/", "/Holiday/2023"),
        ("Work", "/Work"),
        (f"{ROOT}/Work", "/Work"),
        ("Pictures/Work", "/Work"),
        (".", ""),
        ("Pictures", ""),
        ("/home", ""),
        ("/", ""),
    ],
)
def test_a_folder_is_named_by_its_path_below_the_root_or_above_or_by_its_absolute_path(
    folders: Folders, name: str, found: str
) -> None:
    assert folders.find(name) == ROOT + found


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("2023", "try Work/2023, Holiday/2023"),
        ("holiday", "try Holiday"),
        ("Holyday/2023", "try Holiday/2023"),
        ("Hol", "try Holiday"),
        ("Holiday/2023/b.jpg", "try Holiday/2023"),
        ("xyz", f"below {ROOT} there are 2023-x, Holiday, Holiday/2022, Holiday/2022/sea, Holiday/2023 ..."),
    ],
)
def test_a_folder_without_photos_is_answered_with_the_nearest(folders: Folders, name: str, remedy: str) -> None:
    with pytest.raises(GalleryError, match=f"^no photo is in a folder '{name}'; {re.escape(remedy)}"):
        folders.find(name)


def test_photos_in_a_single_folder_have_no_tree() -> None:
    folders = Folders.of([f"{ROOT}/a.jpg"])
    assert folders.photos == {}
    assert folders.find("Pictures") == ROOT
    with pytest.raises(GalleryError, match=f"all are in {ROOT}"):
        folders.find("Work")


def test_photos_on_two_drives_have_the_root_of_the_file_system() -> None:
    folders = Folders.of(["/home/me/a.jpg", "/mnt/b.jpg", "/c.jpg"])
    assert [folders.name(folder) for folder in folders.photos] == ["home", "home/me", "mnt"]
    assert folders.find("mnt") == "/mnt"


def test_unicode_forms_make_no_difference() -> None:
    stored, asked = (unicodedata.normalize(form, "/p/Bücher/é") for form in ("NFD", "NFC"))
    folders = Folders.of([f"{stored}/a.jpg", "/p/b.jpg"])
    assert folders.find(asked) == folders.find("Bücher/é") == stored
