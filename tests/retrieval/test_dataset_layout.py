import unicodedata
from pathlib import Path

import pytest

from sketchy.retrieval.dataset_layout import category_of


def made(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).mkdir(parents=True)


@pytest.mark.parametrize("photos", ["photo", "photos", "Photo"])
def test_photos_beside_sketches_have_the_name_of_their_folder_as_category(tmp_path: Path, photos: str) -> None:
    made(tmp_path, f"{photos}/cat/old", f"{photos}/dog", "sketch/cat")
    assert category_of(str(tmp_path / photos / "cat")) == "cat"
    assert category_of(str(tmp_path / photos / "dog")) == "dog"
    assert category_of(str(tmp_path / photos)) is None
    assert category_of(str(tmp_path / photos / "cat" / "old")) is None


def test_the_official_layout_needs_no_sketches(tmp_path: Path) -> None:
    assert category_of(str(tmp_path / "photo" / "tx_000000000000" / "cat")) == "cat"
    assert category_of(str(tmp_path / "photo" / "tx_000000000000")) is None


@pytest.mark.parametrize("folder", ["Photos/Holiday", "Pictures/cats", "Photos/2023", "tx_1/cat"])
def test_folders_of_a_person_are_no_categories(tmp_path: Path, folder: str) -> None:
    made(tmp_path, folder, "Sketches/portraits")
    assert category_of(str(tmp_path / folder)) is None


def test_a_category_is_the_same_in_both_unicode_forms_and_without_bytes_that_are_no_text(tmp_path: Path) -> None:
    rendering = tmp_path / "photo" / "tx_000000000000"
    assert {category_of(str(rendering / unicodedata.normalize(form, "café"))) for form in ("NFC", "NFD")} == {"café"}
    assert category_of(f"{rendering}/caf\udce9") == "caf\ufffd"
