import shutil
from pathlib import Path

import pytest

from sketchy.commands import data_check
from sketchy.errors import DataError
from sketchy.results import CategoryCount, Skipped

SAMPLE = Path(__file__).parents[3] / "shared" / "sketchy-sample"


@pytest.fixture
def copy(dataset: Path, tmp_path: Path) -> Path:
    """A copy of the dataset that a test may change."""
    return Path(shutil.copytree(dataset, tmp_path / "copy"))


def test_a_whole_dataset_is_counted_and_has_no_problems(dataset: Path) -> None:
    report = data_check.run(dataset)
    assert report.source == str(dataset)
    assert report.layout == "official: 256x256/photo/tx_000000000000 and 256x256/sketch/tx_000000000000"
    assert report.counts == tuple(CategoryCount(name, 10, 20) for name in ("bar", "cross", "disc", "square"))
    assert (report.photos, report.sketches) == (40, 80)
    assert report.problems == ()
    assert report.skipped == ()


@pytest.mark.parametrize("archive_format", ["zip", "tar", "gztar"])
def test_an_archive_is_counted_as_its_folder(dataset: Path, tmp_path: Path, archive_format: str) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "data"), archive_format, dataset))
    assert data_check.run(archive).counts == data_check.run(dataset).counts


def test_flat_folders_are_counted_too(dataset: Path, tmp_path: Path) -> None:
    for kind in ("photo", "sketch"):
        shutil.copytree(dataset / "256x256" / kind / "tx_000000000000", tmp_path / "flat" / kind)
    report = data_check.run(tmp_path / "flat")
    assert report.layout == "flat: photo and sketch"
    assert (report.photos, report.sketches) == (40, 80)


def test_unreadable_images_are_named_and_not_counted(copy: Path) -> None:
    photos = sorted(copy.glob("256x256/photo/*/bar/*"))
    sketches = sorted(copy.glob("256x256/sketch/*/cross/*"))
    photos[0].write_bytes(b"")
    sketches[1].write_bytes(b"<svg/>")
    sketches[2].unlink()
    sketches[2].symlink_to("gone.png")
    report = data_check.run(copy)
    assert report.skipped == (
        Skipped(str(photos[0]), "empty file"),
        Skipped(str(sketches[1]), "is SVG; export it as PNG first"),
        Skipped(str(sketches[2]), "no such file"),
    )
    assert report.counts[:2] == (CategoryCount("bar", 9, 20), CategoryCount("cross", 10, 18))
    assert (report.photos, report.sketches) == (39, 78)


def test_a_category_without_a_readable_image_keeps_its_row(copy: Path) -> None:
    for path in copy.glob("256x256/*/*/bar/*"):
        path.write_bytes(b"hello")
    report = data_check.run(copy)
    assert report.counts[0] == CategoryCount("bar", 0, 0)
    assert len(report.skipped) == 30


def test_what_is_missing_or_odd_is_a_problem_by_name(copy: Path) -> None:
    shutil.rmtree(copy / "256x256" / "sketch" / "tx_000000000000" / "disc")
    (copy / "256x256" / "photo" / "tx_000000000000" / "bar" / "p3.jpg").unlink()
    (copy / "256x256" / "photo" / "tx_000000000000" / "cross" / "notes.txt").write_text("")
    report = data_check.run(copy)
    assert report.problems == (
        "256x256/photo/tx_000000000000: files in category folders that are not images (1): cross/notes.txt",
        "bar: sketches of missing photos (2), such as 256x256/sketch/tx_000000000000/bar/p3-1.png",
        "categories with photos but no sketches (1): disc",
    )
    assert report.counts[2] == CategoryCount("disc", 10, 0)


def test_renderings_are_chosen_and_an_unknown_one_is_an_error(copy: Path) -> None:
    folder = copy / "256x256" / "photo"
    shutil.copytree(folder / "tx_000000000000" / "bar", folder / "tx_000100000000" / "bar")
    assert data_check.run(copy, photo_rendering="tx_000100000000").photos == 10
    with pytest.raises(DataError, match=r"no rendering 'tx_9' in .*; there are tx_000000000000"):
        data_check.run(copy, sketch_rendering="tx_9")


def test_nothing_is_written_where_all_is_read_only(copy: Path) -> None:
    paths = sorted(copy.rglob("*"))
    before = [(path, path.stat().st_mtime_ns) for path in paths]
    for path in [copy, *paths]:
        path.chmod(0o555)
    try:
        assert data_check.run(copy).photos == 40
    finally:
        for path in [copy, *paths]:
            path.chmod(0o755)
    assert [(path, path.stat().st_mtime_ns) for path in sorted(copy.rglob("*"))] == before


@pytest.mark.parametrize("name", ["gone", "empty"])
def test_a_folder_that_is_no_dataset_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no dataset at .*gone|no photo/ .*empty"):
        data_check.run(tmp_path / name)


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="no ../shared/sketchy-sample")
def test_some_categories_of_the_real_database_are_whole(tmp_path: Path) -> None:
    for kind in ("photo", "sketch"):
        for category in ("airplane", "zebra"):
            link = tmp_path / kind / category
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(SAMPLE / "256x256" / kind / "tx_000000000000" / category)
    report = data_check.run(tmp_path)
    assert report.counts == (CategoryCount("airplane", 25, 25), CategoryCount("zebra", 25, 25))
    assert report.problems == report.skipped == ()
