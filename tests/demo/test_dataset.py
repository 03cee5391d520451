"""The demo data on disk: what is there, that it comes out the same, and that it is whole or not there."""

import errno
import os
from contextlib import nullcontext
from io import BytesIO

import pytest
from PIL import Image

from sketchy.dataset.reader import find_records
from sketchy.dataset.source import open_source
from sketchy.demo import CATEGORIES, draw_dataset, draw_pair
from sketchy.demo.dataset import PHOTOS_EACH
from sketchy.errors import ConfigError, DataError, StorageError


def files(folder):
    """Content of every file below the folder, by relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def drawn(out, *, photos=1, sketches=1, categories=1, **options):
    draw_dataset(out, photos=photos, sketches=sketches, categories=categories, **options)
    return files(out)


def test_the_folders_are_those_of_the_sketchy_database(tmp_path):
    made = draw_dataset(tmp_path / "demo", photos=1, sketches=2, categories=2)
    assert (made.path, made.photos, made.sketches, made.categories) == (str(tmp_path / "demo"), 2, 4, 2)
    assert sorted(files(tmp_path / "demo")) == [
        "256x256/photo/tx_000000000000/apple/apple_00001.jpg",
        "256x256/photo/tx_000000000000/bicycle/bicycle_00001.jpg",
        "256x256/sketch/tx_000000000000/apple/apple_00001-1.png",
        "256x256/sketch/tx_000000000000/apple/apple_00001-2.png",
        "256x256/sketch/tx_000000000000/bicycle/bicycle_00001-1.png",
        "256x256/sketch/tx_000000000000/bicycle/bicycle_00001-2.png",
    ]


def test_photos_are_colour_jpegs_and_sketches_grey_pngs(tmp_path):
    drawn(tmp_path)
    looks = {}
    for path in tmp_path.rglob("*_*-*.png"), tmp_path.rglob("*.jpg"):
        with Image.open(next(path)) as image:
            looks[image.format] = (image.mode, image.size)
    assert looks == {"PNG": ("L", (256, 256)), "JPEG": ("RGB", (256, 256))}


def test_the_reader_finds_every_sketch_with_its_photo(tmp_path):
    drawn(tmp_path, photos=2, sketches=2, categories=2)
    listing = find_records(open_source(tmp_path))
    photos = {(r.category, r.photo_id) for r in listing.records if r.kind == "photo"}
    sketches = [(r.category, r.photo_id) for r in listing.records if r.kind == "sketch"]
    assert listing.problems == ()
    assert len(photos) == 4
    assert sorted(sketches) == sorted([*photos, *photos])


def test_the_same_seed_draws_the_same_bytes(tmp_path):
    assert drawn(tmp_path / "a", seed=3) == drawn(tmp_path / "b", seed=3)


def test_another_seed_draws_other_pictures(tmp_path):
    first, second = drawn(tmp_path / "a", seed=3), drawn(tmp_path / "b", seed=4)
    assert first.keys() == second.keys()
    assert all(first[name] != second[name] for name in first)


def test_a_picture_does_not_depend_on_how_many_others_there_are(tmp_path):
    few, many = drawn(tmp_path / "few"), drawn(tmp_path / "many", photos=2, sketches=2, categories=2)
    assert few.items() <= many.items()
    assert len(set(many.values())) == len(many)


def test_several_processes_draw_the_same_as_one(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    one = drawn(tmp_path / "one", photos=2 * PHOTOS_EACH)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert drawn(tmp_path / "two", photos=2 * PHOTOS_EACH) == one


def test_a_pair_has_the_same_images_as_the_dataset(tmp_path):
    made = drawn(tmp_path, sketches=2)
    _, sketches = draw_pair("apple", 1, 2)
    assert len(sketches) == 2
    for number, sketch in enumerate(sketches, 1):
        with Image.open(BytesIO(made[f"256x256/sketch/tx_000000000000/apple/apple_00001-{number}.png"])) as saved:
            assert saved.tobytes() == sketch.tobytes()


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "demo").mkdir()
    assert drawn(tmp_path / "demo")


@pytest.mark.parametrize("count", [0, -1, len(CATEGORIES) + 1])
def test_an_impossible_number_of_categories_is_refused(tmp_path, count):
    with pytest.raises(ConfigError, match=f"cannot draw {count} categories; the demo data has {len(CATEGORIES)}"):
        draw_dataset(tmp_path / "demo", categories=count)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_empty_stays_unchanged(tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(DataError, match="name a new or empty folder"):
        drawn(tmp_path)
    with pytest.raises(DataError, match="name a new or empty folder"):
        drawn(tmp_path / "mine")
    assert files(tmp_path) == {"mine": b"mine"}


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="choose a place"):
        drawn(tmp_path / "file" / "demo")


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(StorageError, match="No space left on device; free some space"):
        drawn(tmp_path / "demo")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cores", [1, 2])
def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch, cores):
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    seen = []

    def stop(done):
        seen.extend(path.name for path in tmp_path.iterdir())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drawn(tmp_path / "demo", photos=2 * PHOTOS_EACH, progress=lambda label, total, unit: nullcontext(stop))
    assert seen == [".demo.part"]
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_killed_run_are_removed(tmp_path):
    (tmp_path / ".demo.part" / "256x256" / "photo").mkdir(parents=True)
    (tmp_path / ".demo.part" / "256x256" / "old.jpg").touch()
    assert not any("old" in name for name in drawn(tmp_path / "demo"))
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
