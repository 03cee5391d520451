import gc
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from sketchy.config import Config, DataConfig, ImageConfig
from sketchy.dataset.loader import load_dataset
from sketchy.errors import DataError, ImageError


def config(root: Path, **data: object) -> Config:
    return Config(data=DataConfig(root=str(root), **data), image=ImageConfig(size=16))  # type: ignore[arg-type]


def test_a_dataset_is_packed_and_split_as_the_config_says(dataset: Path, tmp_path: Path) -> None:
    cache = tmp_path / "own cache"
    loaded = load_dataset(config(dataset, test_fraction=0.3, val_fraction=0.0, cache=str(cache)))
    assert loaded.pack.photos.shape == (40, 1, 16, 16)
    assert {part: len(subset.photos) for part, subset in loaded.parts.items()} == {"train": 28, "val": 0, "test": 12}
    assert {part: len(subset.sketches) for part, subset in loaded.parts.items()} == {"train": 56, "val": 0, "test": 24}
    assert any(cache.iterdir())


def test_the_split_seed_decides_what_is_held_out(dataset: Path) -> None:
    held_out = [load_dataset(config(dataset, split_seed=seed)).parts["test"].photos.tolist() for seed in (0, 0, 1)]
    assert held_out[0] == held_out[1] != held_out[2]


def test_rows_lead_back_to_the_files(dataset: Path) -> None:
    loaded = load_dataset(config(dataset))
    for row in (0, 17, 39):
        assert Path(loaded.photo_path(row)).read_bytes() == loaded.photo_file(row)
        assert loaded.pack.photo_records[row].photo_id == Path(loaded.photo_path(row)).stem
    for row in (0, 33, 79):
        assert Path(loaded.sketch_path(row)).read_bytes() == loaded.sketch_file(row)
        assert loaded.pack.sketch_records[row].photo_id == Path(loaded.sketch_path(row)).stem.rpartition("-")[0]


def test_a_file_that_is_gone_is_an_image_error(dataset: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(dataset, tmp_path / "copy"))
    loaded = load_dataset(config(copy))
    Path(loaded.photo_path(0)).unlink()
    with pytest.raises(ImageError, match="no such file"):
        loaded.photo_file(0)


def test_a_dataset_that_has_moved_is_read_at_its_new_place(dataset: Path) -> None:
    loaded = load_dataset(config(Path("gone")), root=dataset)
    assert loaded.source.path == dataset
    with pytest.raises(DataError, match="no dataset at gone"):
        load_dataset(config(Path("gone")))


def test_renderings_are_chosen_by_the_config(dataset: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(dataset, tmp_path / "copy"))
    for kind, rendering in (("photo", "tx_000100000000"), ("sketch", "tx_000000000010")):
        folder = copy / "256x256" / kind
        shutil.copytree(folder / "tx_000000000000" / "bar", folder / rendering / "bar")
    loaded = load_dataset(config(copy, photo_rendering="tx_000100000000", sketch_rendering="tx_000000000010"))
    assert loaded.pack.categories == ("bar",)
    assert "photo/tx_000100000000" in loaded.photo_path(0)
    assert "sketch/tx_000000000010" in loaded.sketch_path(0)


def test_skipped_images_are_counted_in_a_warning_each_time(
    dataset: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy = Path(shutil.copytree(dataset, tmp_path / "copy"))
    photos = sorted(copy.glob("256x256/photo/*/bar/*"))
    for photo in photos[:2]:
        photo.write_bytes(b"")
    for _ in range(2):
        caplog.clear()
        load_dataset(config(copy))
        assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
            (
                "WARNING",
                f"skipped 2 unreadable images of {copy}, the first: {photos[0]}: empty file; "
                "`sketchy data check` names them all",
            )
        ]


def test_nothing_is_said_about_a_whole_dataset(dataset: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "sketchy")
    load_dataset(config(dataset))
    assert caplog.messages == []


def test_an_archive_without_a_dataset_is_not_left_open(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no images")
    with tarfile.open(tmp_path / "data.tar", "w") as packed:
        packed.add(tmp_path / "notes.txt", "notes.txt")
    with pytest.raises(DataError, match="no photo/"):
        load_dataset(config(tmp_path / "data.tar"))
    gc.collect()  # a file that is still open now warns, and warnings are errors here


def test_an_archive_is_read_after_it_is_packed(dataset: Path, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "data"), "zip", dataset))
    loaded, from_folder = load_dataset(config(archive)), load_dataset(config(dataset))
    assert loaded.photo_file(3) == from_folder.photo_file(3)
    assert loaded.photo_path(3) == f"{archive}/{loaded.pack.photo_records[3].name}"
    assert np.array_equal(loaded.parts["test"].photos, from_folder.parts["test"].photos)
    loaded.source.close()
