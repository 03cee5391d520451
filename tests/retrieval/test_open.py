import errno
import os
import shutil
import sqlite3
import zlib
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from sketchy.errors import DamagedError, GalleryError, StorageError
from sketchy.retrieval.cached import note_index
from sketchy.retrieval.open import open_index
from sketchy.retrieval.query import Query
from sketchy.retrieval.scan import Scan
from sketchy.retrieval.search import Request
from sketchy.retrieval.store.base import Where
from sketchy.retrieval.store.folder import open_to_write
from sketchy.retrieval.update import update


@pytest.fixture
def photos(dataset, tmp_path):
    """Copies of the dataset's photos, in the official layout."""
    copy = tmp_path / "photo" / "tx_000000000000"
    shutil.copytree(dataset / "256x256" / "photo" / "tx_000000000000", copy)
    return copy


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SKETCHY_CACHE", str(tmp_path / "cache"))


def opened(address, model):
    return open_index(model, None if address is None else str(address))


def nearest_to(gallery, path, k=1, **filters):
    """Search with the pixels of a photo, as a file would not be its own hit."""
    return gallery.search(np.asarray(Image.open(path)), k, "photo", **filters)


def test_a_folder_is_searched_by_an_index_in_the_cache(model, photos, tmp_path):
    gallery = opened(photos, model)
    (hit,) = nearest_to(gallery, photos / "disc" / "p3.jpg")
    assert (hit.path, hit.category) == (str(photos / "disc" / "p3.jpg"), "disc")
    assert hit.distance == pytest.approx(0, abs=1e-3)
    assert len(gallery) == 40
    assert gallery.image(hit.path) == photos / "disc" / "p3.jpg"
    gallery.close()
    assert not list(photos.glob("*.*"))
    assert len(list((tmp_path / "cache" / "galleries").glob("*/index.sqlite"))) == 1


def test_the_cached_index_follows_the_folder(model, photos):
    opened(photos, model).close()
    (photos / "disc" / "p3.jpg").rename(photos / "found.jpg")
    (photos / "bar" / "broken.jpg").write_bytes(b"no image")
    gallery = opened(photos, model)
    assert nearest_to(gallery, photos / "found.jpg")[0].path == str(photos / "found.jpg")
    assert [item.reason for item in gallery.skipped] == ["not an image in a known format"]
    gallery.close()


def test_a_damaged_cached_index_is_rebuilt(model, photos, tmp_path, logged):
    opened(photos, model).close()
    (vectors,) = (tmp_path / "cache" / "galleries").glob("*/vectors-1.f32")
    vectors.unlink()
    logged.clear()
    gallery = opened(photos, model)
    assert len(gallery) == 40
    assert "in the cache is damaged; rebuilding it" in logged.messages[0]
    gallery.close()


def test_a_cached_index_of_another_format_is_rebuilt(model, photos, tmp_path, logged):
    opened(photos, model).close()
    (database,) = (tmp_path / "cache" / "galleries").glob("*/index.sqlite")
    with closing(sqlite3.connect(database)) as db, db:
        content = db.execute("SELECT content FROM meta").fetchone()[0].replace('"format": 2', '"format": 9')
        db.execute("UPDATE meta SET content = ?, crc = ?", (content, zlib.crc32(content.encode())))
    logged.clear()
    with closing(opened(photos, model)) as gallery:
        assert len(gallery) == 40
    assert logged.messages == [
        f"the index of {photos} in the cache has another format than this version reads; rebuilding it"
    ]


@pytest.fixture
def roots(model, photos, open_folder, monkeypatch):
    """A cache that root has filled and photos, both of which others may only read."""
    monkeypatch.setenv("SKETCHY_CACHE", str(open_folder / "cache"))
    shutil.copytree(photos, open_folder / "photos")
    opened(open_folder / "photos", model).close()
    for path in open_folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return open_folder


def test_a_cache_of_another_user_is_searched_without_an_update(model, roots, as_nobody, logged):
    logged.clear()
    with as_nobody(), closing(opened(roots / "photos", model)) as gallery:
        assert len(gallery) == 40
        assert nearest_to(gallery, roots / "photos" / "disc" / "p3.jpg")[0].distance < 1e-3
    (line,) = logged.messages
    assert line.startswith("searching the photos indexed earlier: cannot write")
    assert "no permission to write in" in line
    assert "set SKETCHY_CACHE to a folder that can be written to" in line


@pytest.mark.parametrize("what", ["nothing", "damage", "another format"])
def test_an_unusable_cache_of_another_user_raises_an_error_that_names_the_setting(
    model, roots, as_nobody, monkeypatch, what
):
    (folder,) = (roots / "cache" / "galleries").iterdir()
    if what == "nothing":
        shutil.rmtree(folder)
    elif what == "damage":
        (folder / "vectors-1.f32").unlink()
    else:
        monkeypatch.setattr("sketchy.retrieval.store.meta.FORMAT", 1)
    with as_nobody(), pytest.raises(StorageError, match=r"no permission to write in .*; set SKETCHY_CACHE"):
        opened(roots / "photos", model)


def test_a_full_disk_leaves_the_photos_that_are_indexed(model, photos, monkeypatch, logged):
    def full(path, size, rows, vectors):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("sketchy.retrieval.store.embedded.append", full)
    with pytest.raises(StorageError, match=r"No space left on device; free some space .*, or set SKETCHY_CACHE"):
        opened(photos, model)  # not one photo fits
    monkeypatch.undo()
    monkeypatch.setenv("SKETCHY_CACHE", str(photos.parent / "cache"))
    opened(photos, model).close()
    monkeypatch.setattr("sketchy.retrieval.store.embedded.append", full)
    Image.new("RGB", (30, 30), "red").save(photos / "new.png")
    logged.clear()
    with closing(opened(photos, model)) as gallery:
        assert len(gallery) == 40
    assert "searching the photos indexed earlier" in logged.messages[0]


def test_the_index_that_was_made_of_a_folder_is_used_for_it(model, photos, tmp_path, logged):
    store = open_to_write(tmp_path / "index", model.identity)
    update(store, [photos], model)
    store.close()
    note_index([photos], model.identity, str(tmp_path / "index"), ())
    logged.clear()
    gallery = opened(photos, model)
    assert "using the index" in logged.messages[0]
    assert not list((tmp_path / "cache" / "galleries").glob("*/index.sqlite"))
    gallery.close()
    (tmp_path / "more").mkdir()
    Image.new("RGB", (30, 30), "red").save(tmp_path / "more" / "a.png")
    store = open_to_write(tmp_path / "index", model.identity)
    update(store, [tmp_path / "more"], model)  # now it holds photos of elsewhere
    store.close()
    gallery = opened(photos, model)
    assert len(gallery) == 40
    gallery.close()


def test_an_index_without_excluded_photos_says_so_and_is_not_used_for_other_globs(model, photos, tmp_path, logged):
    model.index(photos, tmp_path / "index", exclude=["disc", "bar"]).close()
    for exclude, expected in ((("bar", "disc"), 20), ((), 20), (("disc",), 30)):
        logged.clear()
        with closing(open_index(model, str(photos), scan=Scan(exclude))) as opened_index:
            assert len(opened_index) == expected
        told = [message for message in logged.messages if "using the index" in message]
        assert len(told) == (expected == 20)
        assert all(
            ", without 'disc', 'bar'; `" in message and "--exclude disc --exclude bar`" in message for message in told
        )


def test_a_cached_index_that_another_process_writes_is_searched_without_an_update(model, photos, tmp_path, logged):
    opened(photos, model).close()
    (folder,) = (tmp_path / "cache" / "galleries").glob("*")
    writer = open_to_write(folder, model.identity)
    logged.clear()
    gallery = opened(photos, model)
    assert "another process is indexing" in logged.messages[0]
    assert len(gallery) == 40
    gallery.close()
    writer.close()


def test_an_index_is_a_gallery(model, photos, tmp_path):
    store = open_to_write(tmp_path / "index", model.identity)
    update(store, [photos / "disc"], model)
    store.close()
    gallery = opened(tmp_path / "index", model)
    assert len(gallery) == 10
    with pytest.raises(GalleryError, match="is not in"):
        gallery.image("/etc/passwd")
    gallery.close()


def test_the_default_gallery_is_the_test_photos(model, dataset):
    gallery = opened(None, model)
    assert len(gallery) == 8
    hits = gallery.find(Query(np.zeros(16, np.float32), "sketch"), Request(5))
    assert [hit.distance for hit in hits] == sorted(hit.distance for hit in hits)
    assert isinstance(gallery.image(hits[0].path), bytes)
    with pytest.raises(GalleryError, match="is not in the test photos"):
        gallery.image("/etc/passwd")
    gallery.close()


@pytest.mark.parametrize("make", [lambda photos: photos, lambda photos: None], ids=["folder", "test photos"])
def test_a_search_is_narrowed_alike_in_all_galleries(model, photos, make):
    gallery = opened(make(photos), model)
    query = Query(np.zeros(16, np.float32), "sketch")
    assert {hit.category for hit in gallery.find(query, Request(99, Where(categories=("bar",))))} == {"bar"}
    assert {hit.category for hit in gallery.find(query, Request(99, Where(path_glob="disc/*.jpg")))} == {"disc"}
    assert gallery.find(query, Request(99, Where(categories=("bee",)))) == []
    gallery.close()


def test_the_copy_that_passes_the_filter_is_shown(model, photos):
    shutil.copy(photos / "disc" / "p3.jpg", photos / "bar" / "copy.jpg")
    gallery = opened(photos, model)
    (hit,) = nearest_to(gallery, photos / "disc" / "p3.jpg", categories=("disc",))
    assert (hit.path, hit.category) == (str(photos / "disc" / "p3.jpg"), "disc")
    assert hit.paths == (str(photos / "bar" / "copy.jpg"), str(photos / "disc" / "p3.jpg"))
    gallery.close()


def test_a_copy_that_exists_is_shown(model, photos, tmp_path):
    shutil.copytree(photos, tmp_path / "older")
    store = open_to_write(tmp_path / "index", model.identity)
    update(store, [photos, tmp_path / "older"], model)
    store.close()
    shutil.rmtree(tmp_path / "older")
    gallery = opened(tmp_path / "index", model)
    hits = nearest_to(gallery, photos / "disc" / "p3.jpg", k=40)
    assert all(hit.path.startswith(str(photos)) and not hit.missing for hit in hits)
    assert hits[0].paths == (str(tmp_path / "older" / "disc" / "p3.jpg"), str(photos / "disc" / "p3.jpg"))
    gallery.close()


def test_photos_with_missing_files_come_last(model, photos, tmp_path):
    (photos / "disc").rename(tmp_path / "disc")
    store = open_to_write(tmp_path / "index", model.identity)
    update(store, [photos, tmp_path / "disc"], model)
    store.close()
    query = photos.parent / "query.jpg"
    shutil.copy(tmp_path / "disc" / "p3.jpg", query)
    shutil.rmtree(tmp_path / "disc")
    gallery = opened(tmp_path / "index", model)
    assert not any(hit.missing for hit in nearest_to(gallery, query, k=3))
    hits = nearest_to(gallery, query, k=40)
    assert [hit.missing for hit in hits] == [False] * 30 + [True] * 10
    for part in (hits[:30], hits[30:]):
        assert [hit.distance for hit in part] == sorted(hit.distance for hit in part)
    shutil.rmtree(photos)
    hits = nearest_to(gallery, query, k=40)  # an index of another machine is searched as it is
    assert [hit.distance for hit in hits] == sorted(hit.distance for hit in hits)
    assert all(hit.missing for hit in hits)
    gallery.close()


def test_the_cached_index_keeps_the_photos_of_an_unmounted_drive(model, photos, tmp_path, logged):
    opened(photos, model).close()
    photos.rename(tmp_path / "away")
    photos.mkdir()
    with pytest.raises(GalleryError, match=r"no photos found; kept 40 photos of .*, which is empty now; mount"):
        opened(photos, model)
    (tmp_path / "away" / "disc").rename(photos / "disc")
    (photos / "bar").mkdir()
    logged.clear()
    gallery = opened(photos, model)
    assert len(gallery) == 20
    assert [line.split(",")[0] for line in logged.messages if "kept" in line] == [f"kept 10 photos of {photos / 'bar'}"]
    gallery.close()


def test_files_left_out_of_the_cached_index_are_reported(model, photos):
    (photos / "IMG_1.PSD").write_bytes(b"x")
    gallery = opened(photos, model)
    assert gallery.left_out == {".psd": 1}
    gallery.close()
    gallery = open_index(model, str(photos), scan=Scan(exclude=("disc",)))
    assert (len(gallery), gallery.left_out) == (30, {".psd": 1, "excluded": 10})
    gallery.close()
    gallery = opened(photos, model)  # the other index is as it was
    assert len(gallery) == 40
    gallery.close()


def test_a_folder_of_which_all_is_excluded_says_so(model, photos):
    with pytest.raises(GalleryError, match=r"no images below .*; left out: 40 excluded; exclude less of it$"):
        open_index(model, str(photos), scan=Scan(exclude=("*",)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            ["a.psd", "b.PSD", "c.pdf"],
            r"no images below .*; left out: 2 .psd, 1 .pdf; export them as JPEG first; known are JPEG, ",
        ),
        (["a.jpg", "b.psd"], r"no image below .* can be read; .*a.jpg: .*; left out: 1 .psd"),
        (["a.jpg", "b.jpg"], r"none of 2 images below .* can be read; .*a.jpg: not an image in a known format$"),
    ],
)
def test_a_folder_with_only_unreadable_formats_raises_an_error(model, tmp_path, make, message):
    (tmp_path / "phone").mkdir()
    for name in make:
        (tmp_path / "phone" / name).write_bytes(b"x")
    with pytest.raises(GalleryError, match=message):
        opened(tmp_path / "phone", model)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such folder of photos"),
        (lambda path: path.touch(), "photos is a file, and only folders are searched; name the folder of your photos"),
        (lambda path: path.symlink_to(path), "photos: Too many levels of symbolic links; correct the symbolic links"),
        (lambda path: path.mkdir(), "no images below"),
        (lambda path: (path.mkdir(), (path / "a.jpg").write_bytes(b"x")), "no image below .* can be read"),
    ],
)
def test_a_gallery_without_photos_is_an_error(model, tmp_path, make, message):
    make(tmp_path / "photos")
    with pytest.raises(GalleryError, match=message):
        opened(tmp_path / "photos", model)


def test_an_empty_or_damaged_index_is_an_error(model, tmp_path):
    open_to_write(tmp_path / "index", model.identity).close()
    with pytest.raises(GalleryError, match=r"index is empty; fill it with `sketchy index"):
        opened(tmp_path / "index", model)
    (tmp_path / "index" / "index.sqlite").write_bytes(b"x" * 5000)
    with pytest.raises(DamagedError, match="damaged"):
        opened(tmp_path / "index", model)
