"""Requirements on every store, run on each implementation."""

import hashlib
import os
import unicodedata
from collections.abc import Callable, Iterator
from datetime import date

import numpy as np
import pytest

from sketchy.results import Hit
from sketchy.retrieval.dates import first_second, iso, local_seconds
from sketchy.retrieval.store.base import Identity, Photo, Where, WritableStore
from sketchy.retrieval.store.folder import open_to_write
from sketchy.retrieval.store.milvus import Address, open_milvus

SIZE = 8
IDENTITY = Identity("a" * 64, SIZE, "runs/a/best.pth")
ODD = "/photos/caf\udce9/x y'\"%_*.jpg"  # a name in Latin-1, with special characters of SQL, globs and expressions

MTIME = 1_700_000_000_123_456_789


def photo(
    path: str, content: object = None, category: str | None = None, size: int = 1, taken: int | None = None
) -> Photo:
    name = path if content is None else content
    digest = hashlib.sha256(str(name).encode("utf-8", "surrogateescape")).hexdigest()
    return Photo(path, size, MTIME, digest, category, taken)


def vectors(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, SIZE), dtype=np.float32)


def paths(photos) -> set[str]:
    return {item.path for item in photos}


@pytest.fixture(scope="module")
def lite(tmp_path_factory) -> Address:
    """A file of Milvus Lite; MILVUS names a real server instead, as host:port (see scripts/test-milvus)."""
    if server := os.environ.get("MILVUS"):
        pytest.importorskip("pymilvus", reason="needs pip install 'sketchy-search[milvus]'")
        return Address(f"http://{server}", "sketchy_conformance")
    pytest.importorskip("milvus_lite", reason="needs pip install milvus-lite 'sketchy-search[milvus]'")
    return Address(str(tmp_path_factory.mktemp("lite") / "lite.db"), "photos")


@pytest.fixture(params=["embedded", "milvus"])
def opened(request, tmp_path) -> Callable[[], WritableStore]:
    """Open the same store repeatedly."""
    if request.param == "embedded":
        return lambda: open_to_write(tmp_path / "index", IDENTITY)
    address = request.getfixturevalue("lite")
    open_milvus(address, IDENTITY, write=True, force=True).close()
    return lambda: open_milvus(address, IDENTITY, write=True)


@pytest.fixture
def store(opened) -> Iterator[WritableStore]:
    store = opened()
    yield store
    store.close()


def test_a_new_store_is_empty(store):
    assert store.count() == 0
    assert list(store.scan()) == []
    assert store.get(["/a.jpg"]) == {}
    assert store.embeddings([photo("/a.jpg").content]) == {}
    assert store.search(np.zeros(SIZE, np.float32), 3) == []
    assert (store.identity.model, store.identity.size) == (IDENTITY.model, SIZE)


def test_what_was_added_is_found_after_opening_again(store, opened):
    added, embedded = [photo("/a.jpg", category="cat"), photo("/b.jpg")], vectors(2)
    store.upsert(added, embedded)
    store.close()
    again = opened()
    assert again.count() == 2
    assert again.get(["/b.jpg", "/c.jpg"]) == {"/b.jpg": added[1]}
    np.testing.assert_array_equal(again.embeddings([added[0].content])[added[0].content], embedded[0])
    assert sorted(item for batch in again.scan() for item in batch) == added
    again.close()


def test_search_finds_what_a_slow_loop_finds(store):
    photos, embedded = [photo(f"/{n:03}.jpg") for n in range(300)], vectors(300)
    for start in range(0, 300, 70):
        store.upsert(photos[start : start + 70], embedded[start : start + 70])
    query = vectors(1, seed=1)[0]
    slow = sorted((float(np.linalg.norm(row - query)), n) for n, row in enumerate(embedded))
    for k in (1, 10, 300, 1000):
        found = store.search(query, k)
        assert [hit.path for hit in found] == [f"/{n:03}.jpg" for _, n in slow[:k]]
        assert [hit.distance for hit in found] == pytest.approx([distance for distance, _ in slow[:k]], abs=1e-5)


def test_a_photo_equal_to_the_query_is_at_distance_0(store):
    embedded = vectors(20) * 30
    store.upsert([photo(f"/{n}.jpg") for n in range(20)], embedded)
    assert store.search(embedded[7], 1) == [
        Hit("/7.jpg", 0.0, None, ("/7.jpg",), missing=True, taken=iso(local_seconds(MTIME)))
    ]


def test_copies_come_back_once_with_all_their_paths(store):
    embedded = vectors(3)
    copies = [photo("/a.jpg", "same", "x"), photo("/b/a.jpg", "same", "y"), photo("/c.jpg")]
    store.upsert(copies[:1], embedded[:1])
    store.upsert(copies[1:], embedded[[0, 1]])
    found = store.search(embedded[0], 5)
    assert [hit.paths for hit in found] == [("/a.jpg", "/b/a.jpg"), ("/c.jpg",)]
    assert store.count() == 3
    store.delete(["/a.jpg"])
    assert [hit.paths for hit in store.search(embedded[0], 5)] == [("/b/a.jpg",), ("/c.jpg",)]


def test_many_copies_do_not_crowd_out_other_pictures(store):
    embedded = vectors(2)
    store.upsert([photo(f"/{n:03}.jpg", "same") for n in range(60)], embedded[[0] * 60])
    store.upsert([photo("/other.jpg")], embedded[1:])
    found = store.search(embedded[0], 2)
    assert [len(hit.paths) for hit in found] == [60, 1]


def test_a_photo_of_a_known_path_replaces_it(store):
    embedded = vectors(2)
    store.upsert([photo("/a.jpg", "old")], embedded[:1])
    store.upsert([photo("/a.jpg", "new")], embedded[1:])
    assert store.count() == 1
    assert store.embeddings([photo("", "old").content]) == {}
    (hit,) = store.search(embedded[0], 5)
    assert (hit.path, hit.distance) == ("/a.jpg", pytest.approx(np.linalg.norm(embedded[0] - embedded[1])))


def test_the_last_of_two_photos_with_one_path_wins(store):
    store.upsert([photo("/a.jpg", "1"), photo("/a.jpg", "2")], vectors(2))
    assert store.count() == 1
    assert store.get(["/a.jpg"])["/a.jpg"] == photo("/a.jpg", "2")


def test_deleted_photos_are_not_found(store):
    embedded = vectors(5)
    store.upsert([photo(f"/{n}.jpg") for n in range(5)], embedded)
    store.delete(["/0.jpg", "/3.jpg", "/unknown.jpg"])
    assert store.count() == 3
    assert paths(hit for hit in store.search(embedded[0], 5)) == {"/1.jpg", "/2.jpg", "/4.jpg"}
    assert store.get(["/3.jpg"]) == {}
    store.upsert([photo("/3.jpg")], embedded[3:4])
    assert store.search(embedded[3], 1)[0].path == "/3.jpg"


def test_odd_names_come_back_as_they_were(store):
    embedded = vectors(2)
    store.upsert([photo(ODD, category="caf\ufffd"), photo("/photos/cafx/b.jpg", category="x")], embedded)
    assert store.get([ODD])[ODD] == photo(ODD, category="caf\ufffd")
    assert store.search(embedded[0], 1)[0].path == ODD
    assert store.search(embedded[1], 1, Where(categories=("caf\ufffd",)))[0].path == ODD
    store.delete([ODD])
    assert store.count() == 1


def test_a_scan_can_be_of_one_folder(store):
    names = ["/a/1.jpg", "/a/b/2.jpg", "/a%/3.jpg", "/ab/4.jpg", ODD]
    store.upsert([photo(name) for name in names], vectors(5))
    assert paths(item for batch in store.scan("/a/") for item in batch) == {"/a/1.jpg", "/a/b/2.jpg"}
    assert paths(item for batch in store.scan("/photos/caf\udce9/") for item in batch) == {ODD}
    assert paths(item for batch in store.scan() for item in batch) == set(names)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Where(categories=("cat",)), {"/p/cat/1.jpg", "/p/cat/2.png"}),
        (Where(categories=("cat", "dog")), {"/p/cat/1.jpg", "/p/cat/2.png", "/p/dog/3.jpg"}),
        (Where(categories=("bee",)), set()),
        (Where(categories=("' OR 1=1 --",)), set()),
        (Where(path_glob="*.png"), {"/p/cat/2.png"}),
        (Where(path_glob="cat/*.jpg"), {"/p/cat/1.jpg"}),
        (Where(path_glob="/p/dog/*"), {"/p/dog/3.jpg"}),
        (Where(path_glob="at/*"), set()),
        (Where(path_glob="?.jpg"), {"/p/cat/1.jpg", "/p/dog/3.jpg", "/p/4.jpg"}),
        (Where(path_glob="[34].jpg"), {"/p/dog/3.jpg", "/p/4.jpg"}),
        (Where(path_glob="[!34].jpg"), {"/p/cat/1.jpg"}),
        (Where(categories=("dog",), path_glob="*.png"), set()),
        (Where(folders=("/p",)), {"/p/cat/1.jpg", "/p/cat/2.png", "/p/dog/3.jpg", "/p/4.jpg"}),
        (Where(folders=("/p/cat", "/p/dog")), {"/p/cat/1.jpg", "/p/cat/2.png", "/p/dog/3.jpg"}),
        (Where(folders=("/p/ca", "/p/cat/1.jpg")), set()),
        (Where(folders=("/",), name="?.JPG"), {"/p/cat/1.jpg", "/p/dog/3.jpg", "/p/4.jpg"}),
        (Where(name="cat*"), set()),
        (Where(name="[!34].*"), {"/p/cat/1.jpg", "/p/cat/2.png"}),
        (Where(since=date(2023, 7, 14)), {"/p/cat/1.jpg", "/p/cat/2.png", "/p/4.jpg"}),
        (Where(until=date(2023, 7, 14)), {"/p/cat/1.jpg", "/p/dog/3.jpg"}),
        (Where(since=date(2023, 7, 14), until=date(2023, 7, 14)), {"/p/cat/1.jpg"}),
        (Where(since=date(2023, 11, 13), until=date(2023, 11, 16), folders=("/p",)), {"/p/4.jpg"}),
    ],
)
def test_a_search_can_be_narrowed(store, where, expected):
    photos = [
        photo("/p/cat/1.jpg", category="cat", taken=first_second(date(2023, 7, 15)) - 1),
        photo("/p/cat/2.png", category="cat", taken=first_second(date(2023, 7, 15))),
        photo("/p/dog/3.jpg", category="dog", taken=-1),
        photo("/p/4.jpg"),  # the time of the file is in November 2023
    ]
    store.upsert(photos, vectors(4))
    assert paths(hit for hit in store.search(vectors(1)[0], 10, where)) == expected
    counted = store.count(where)
    assert counted == len(expected) or (store.shared and counted > len(expected))  # a server does not know all globs


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_unicode_forms_make_no_difference_to_a_search(store, form):
    """Indexes of earlier versions have categories in the Unicode form of the file system."""
    names = [unicodedata.normalize(written, "café") for written in ("NFC", "NFD")]
    own = [f"/p/{number}/{name}/x.jpg" for number, name in enumerate(names)]
    photos = [photo(path, category=name) for path, name in zip(own, names, strict=True)]
    store.upsert([*photos, photo("/p/cafe/y.jpg", category="cafe")], vectors(3))
    asked = unicodedata.normalize(form, "café")
    for where in (Where(categories=(asked,)), Where(path_glob=f"{asked}/*"), Where(path_glob=f"/p/?/{asked}/x.jpg")):
        assert paths(hit for hit in store.search(vectors(1)[0], 10, where)) == set(own)
    assert store.search(vectors(3)[2], 10, Where(path_glob="cafe/*"))[0].paths == ("/p/cafe/y.jpg",)


def test_copies_returns_all_files_of_a_content(store):
    store.upsert([photo("/a.jpg", 1), photo("/b.jpg", 1), photo("/c.jpg", 2), photo("/d.jpg", 3)], vectors(4))
    asked = [photo("", content).content for content in (1, 2, 4)]
    assert paths(store.copies(asked)) == {"/a.jpg", "/b.jpg", "/c.jpg"}
    assert store.copies([]) == []


def test_a_change_with_vectors_of_another_shape_is_refused(store):
    with pytest.raises(ValueError, match="2 photos with embeddings of shape"):
        store.upsert([photo("/a.jpg"), photo("/b.jpg")], vectors(3))
    assert store.count() == 0


def test_empty_changes_are_allowed(store):
    store.upsert([], vectors(0))
    store.delete([])
    assert store.count() == 0
