"""Edge cases of the Python interface of an index."""

import math
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sketchy.errors import CheckpointError, GalleryError, ImageError, StorageError
from sketchy.results import Advice
from sketchy.retrieval.model import load_model


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SKETCHY_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(photos, tmp_path) -> Path:
    """Twenty photos of two categories."""
    for category in ("disc", "bar"):
        shutil.copytree(photos / category, tmp_path / "photo" / "tx_000000000000" / category)
    return tmp_path / "photo" / "tx_000000000000"


@pytest.fixture
def sketch(dataset) -> Path:
    return dataset / "256x256" / "sketch" / "tx_000000000000" / "disc" / "p1-1.png"


def test_hits_have_all_fields(index, sketch):
    hits = index.search(sketch, k=3)
    assert [hit.distance for hit in hits] == sorted(hit.distance for hit in hits)
    for hit in hits:
        assert hit.paths == (hit.path,)
        assert hit.category == Path(hit.path).parent.name
        assert 0 < hit.score < 1
        assert not hit.missing


LINE = Image.new("L", (200, 200), 255)
ImageDraw.Draw(LINE).line((20, 100, 180, 104), fill=0, width=5)


@pytest.mark.parametrize(("threshold", "advice"), [(0.6, Advice.NOTHING_FITS), (0.4, None)])
def test_a_search_that_probably_found_nothing_says_so(index, sketch, monkeypatch, threshold, advice):
    plain = replace(index.model.calibration, weights=())
    monkeypatch.setattr(index.model, "calibration", plain)
    closed = index.search(sketch)
    monkeypatch.setattr(index.model, "calibration", replace(plain, weights=(0.0, 0.0), threshold=threshold))
    hits = index.search(sketch)
    assert (closed.advice, hits.advice) == (None, advice)
    assert [hit.path for hit in hits] == [hit.path for hit in closed]
    assert [hit.score for hit in hits] == pytest.approx([hit.score / 2 for hit in closed])


def test_how_well_a_search_fits_depends_on_the_number_of_photos(index, sketch, monkeypatch):
    borderline = replace(index.model.calibration, weights=(math.log(1000), 0.0, -1.0), threshold=0.5)
    monkeypatch.setattr(index.model, "calibration", borderline)  # 0.5 at 1,000 photos
    for photos, advice in ((999, None), (1001, Advice.NOTHING_FITS)):
        monkeypatch.setattr(index._store, "count", lambda where, photos=photos: photos if where.everything else 999)
        assert index.search(sketch).advice == advice
    assert index.search(sketch, categories=["disc"]).advice is None  # only what the filter leaves is counted


def test_a_score_does_not_depend_on_how_many_photos_are_asked_for(index, sketch):
    assert index.search(sketch, k=1)[0].score == index.search(sketch, k=20)[0].score


def test_a_line_is_answered_with_keep_drawing_and_a_photo_with_nothing(index, sketch, photos):
    assert index.search(LINE).advice == Advice.KEEP_DRAWING
    assert index.search([LINE, sketch]).advice != Advice.KEEP_DRAWING
    assert index.search(LINE.convert("RGB"), kind="photo").advice is None


def test_all_forms_of_a_query_find_the_same(index, sketch):
    expected = index.search(sketch)
    pixels = np.asarray(Image.open(sketch))
    for form in (str(sketch), sketch.read_bytes(), pixels, Image.open(sketch), [sketch], (pixels, sketch)):
        hits = index.search(form)
        assert [hit.path for hit in hits] == [hit.path for hit in expected]
        assert [hit.distance for hit in hits] == pytest.approx([hit.distance for hit in expected], abs=1e-4)


def test_a_search_can_be_narrowed(index, sketch):
    every = index.search(sketch, k=40)
    assert len(every) == len(index) == 40
    assert {hit.category for hit in index.search(sketch, categories=["bar", "disc"], k=40)} == {"bar", "disc"}
    assert {hit.category for hit in index.search(sketch, categories="bar", k=40)} == {"bar"}
    assert {hit.category for hit in index.search(sketch, path_glob="bar/*", k=40)} == {"bar"}
    assert index.search(sketch, k=40, max_distance=every[4].distance) == every[:5]
    assert index.search(sketch, k=40, min_score=every[4].score) == [x for x in every if x.score >= every[4].score]
    assert index.search(sketch, k=40, exact=True) == every
    assert index.search(sketch, categories=["zebra"]) == []


def test_a_search_can_be_narrowed_to_folders_dates_and_names(index, sketch):
    def folders(**filters):
        return {Path(hit.path).parent.name for hit in index.search(sketch, k=40, **filters)}

    assert folders(folder="bar") == {"bar"}
    assert folders(folder=["bar", "disc"], name="P3.*") == {"bar", "disc"}
    taken = index.search(sketch, k=1)[0].taken
    assert len(index.search(sketch, k=40, since=taken[:4], until=taken[:4])) == 40
    assert folders(since=date(2999, 1, 1)) == folders(until="1970-01-02") == folders(name="*.tif") == set()
    with pytest.raises(GalleryError, match=r"^no photo is in a folder 'discs'; try disc$"):
        folders(folder="discs")
    with pytest.raises(ValueError, match="'spring' is no date"):
        folders(since="spring")


def test_a_folder_that_is_new_is_found(folder, sketch, trained):
    with load_model(trained / "tiny" / "best.pth", "cpu").index(folder) as index:
        assert index.search(sketch, folder="bar", k=1)[0].category == "bar"
        shutil.copytree(folder / "bar", folder / "later")
        index.update()
        assert len(index.search(sketch, folder="later", k=40)) == 10


def test_invalid_searches_raise_clear_errors(index, sketch, trained, photos):
    with pytest.raises(ValueError, match="k is 0; give at least 1"):
        index.search(sketch, k=0)
    with pytest.raises(ValueError, match="nothing to search for; give an image, words, or a photo to be like"):
        index.search([])
    with pytest.raises(ImageError, match=r"cannot use nowhere.png as a query: no such file"):
        index.search("nowhere.png")
    with pytest.raises(CheckpointError, match="only a drawing as query has one"):
        index.search(sketch, kind="photo", min_score=0.5)
    with pytest.raises(CheckpointError, match="no spatial embedding to weigh"):
        index.search(sketch, spatial_share=0.5)
    with pytest.raises(CheckpointError, match="distances with a chosen spatial share have none"):
        index.search(sketch, spatial_share=0.5, min_score=0.5)
    last = load_model(trained / "tiny" / "last.pth", "cpu")
    with last.index(photos / "disc") as other, pytest.raises(CheckpointError, match=r"last\.pth has none"):
        other.search(sketch, min_score=0.5)
    with pytest.raises(GalleryError, match="was made with another model"):
        last.index(index.name)


def test_copies_are_one_hit_with_all_their_paths(model, folder):
    copy = Path(shutil.copy(folder / "disc" / "p3.jpg", folder / "copy.jpg"))
    with model.index(folder) as index:
        query = np.asarray(Image.open(copy))  # pixels, as the file is no hit of itself
        (hit,) = index.search(query, k=1, kind="photo")
        assert hit.paths == (str(copy), str(folder / "disc" / "p3.jpg"))
        assert len(index) == 21
        assert len(index.search(query, k=40, kind="photo")) == 20


def test_photos_are_listed_and_shown(index, photos):
    listed = dict(index.photos())
    assert len(listed) == 40
    assert listed[str(photos / "disc" / "p1.jpg")] == "disc"
    assert index.image(str(photos / "disc" / "p1.jpg")) == photos / "disc" / "p1.jpg"
    with pytest.raises(GalleryError, match="/etc/passwd is not in"):
        index.image("/etc/passwd")


def test_an_index_is_created_at_its_address_and_updated(model, folder, tmp_path):
    with model.index(folder, tmp_path / "own.index") as index:
        assert len(index) == 20
        (folder / "disc" / "p1.jpg").unlink()
        (folder / "broken.jpg").write_bytes(b"x")
        (folder / "a.psd").write_bytes(b"x")
        changes = index.update()
        assert (changes.unchanged, changes.removed, len(index)) == (19, 1, 19)
        assert ([item.reason for item in index.skipped], index.left_out) == (
            ["not an image in a known format"],
            {".psd": 1},
        )
    with model.index(str(tmp_path / "own.index")) as again:
        assert len(again) == 19
        with pytest.raises(GalleryError, match=r"no photos named to update .* with; name the folders"):
            again.update()
        assert again.update([folder]).unchanged == 19


def test_several_folders_have_one_index_in_the_cache(model, folder, tmp_path):
    parts = [folder / "disc", str(folder / "bar")]
    with model.index(parts) as index:
        assert len(index) == 20
    (folder / "bar" / "p1.jpg").unlink()
    with model.index(reversed(parts)) as index:
        assert len(index) == 19
    assert len(list((tmp_path / "cache" / "galleries").glob("*/index.sqlite"))) == 1


def test_excluded_photos_stay_left_out_in_later_updates(model, folder):
    with model.index(folder, exclude=["bar"]) as index:
        assert len(index) == 10
        assert index.update().left_out == {"excluded": 10}


@pytest.mark.parametrize("photos", ["nowhere", ["nowhere"], [], ["nowhere", "."]])
def test_missing_photos_raise_an_error(model, photos):
    with pytest.raises((GalleryError, ValueError), match=r"no such folder of photos|no photos to index; give at least"):
        model.index(photos)


def test_a_file_at_the_address_of_an_index_raises_an_error(model, folder, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises((GalleryError, StorageError), match="it is a file, and an index is a folder"):
        model.index(folder, tmp_path / "file")


def test_using_a_closed_index_raises_an_error(model, folder, sketch):
    with model.index(folder) as index:
        pass
    index.close()
    for use in (lambda: index.search(sketch), lambda: len(index), lambda: index.image("x"), index.update, index.photos):
        with pytest.raises(ValueError, match=r"the index .*tx_000000000000 is closed"):
            use()


def test_threads_may_search_while_it_is_updated(model, folder, sketch):
    with model.index(folder) as index, ThreadPoolExecutor(4) as pool:
        expected = index.search(sketch, k=3)
        searches = [pool.submit(index.search, sketch, 3) for _ in range(20)]
        for number in range(5):
            Image.new("RGB", (20, 20), (0, 50 * number, 0)).save(folder / f"{number}.png")
            index.update()
        assert all({hit.path for hit in expected} & {hit.path for hit in search.result()} for search in searches)
        assert len(index) == 25
