"""The approximate index: what it may miss, and what it may never get wrong."""

import resource
import signal
import sys
from dataclasses import replace

import numpy as np
import pytest

from sketchy.errors import StorageError
from sketchy.retrieval.store import search
from sketchy.retrieval.store.base import Identity, Photo, Where
from sketchy.retrieval.store.embedded import Tuning
from sketchy.retrieval.store.folder import open_to_read, open_to_write

pytest.importorskip("faiss", reason="needs pip install 'sketchy-search[ann]'")

SIZE = 16
ROWS = 4000
IDENTITY = Identity("a" * 64, SIZE, "a.pth")


def photos(start: int, stop: int) -> list[Photo]:
    return [Photo(f"/{n % 10}/{n:05}.jpg", n, 1, f"{n:064x}", f"c{n % 10}") for n in range(start, stop)]


def vectors(rows: int, seed: int) -> np.ndarray:
    """Points in clusters, as photos are."""
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((40, SIZE))
    return (centres[generator.integers(0, 40, rows)] + 0.3 * generator.standard_normal((rows, SIZE))).astype(np.float32)


QUERIES = vectors(30, seed=9)
SMALL = Tuning(approximate_from=1000, few_rows=50)
"""Makes it pay, and be used, for a few thousand photos."""


@pytest.fixture
def folder(tmp_path):
    store = open_to_write(tmp_path / "index", IDENTITY, tuning=SMALL)
    store.upsert(photos(0, ROWS), vectors(ROWS, seed=1))
    store.improve()
    store.close()
    return tmp_path / "index"


def paths(hits) -> list[str]:
    return [hit.path for hit in hits]


def content_of(hit) -> str:
    return f"{int(hit.path[3:8]):064x}"


def recall(folder, k=10, where=Where()) -> float:  # noqa: B008 - frozen
    near, exact = open_to_read(folder, tuning=SMALL), open_to_read(folder, tuning=SMALL)
    shares = []
    for query in QUERIES:
        truth = exact.search(query, k, where, exact=True)
        found = near.search(query, k, where)
        assert [hit.distance for hit in found] == sorted(hit.distance for hit in found)
        contents = [content_of(hit) for hit in found]
        embedded = exact.embeddings(contents)
        lengths = [np.linalg.norm(embedded[content] - query) for content in contents]
        assert [hit.distance for hit in found] == pytest.approx(
            lengths, abs=1e-5
        )  # whatever is missed, no hit is wrong
        shares.append(len(set(truth) & set(found)) / len(truth))
    near.close()
    exact.close()
    return float(np.mean(shares))


def test_it_finds_nearly_all_of_the_nearest(folder):
    assert (folder / "ann-1.faiss").is_file()
    assert recall(folder) >= 0.99


@pytest.fixture
def no_scan(monkeypatch):
    """Notes from which row on photos are measured one by one."""
    firsts = []
    scan = search._near_rows

    def noted(state, query, k, allowed, first):
        firsts.append(first)
        return scan(state, query, k, allowed, first)

    monkeypatch.setattr(search, "_near_rows", noted)
    return firsts


def test_it_is_used_unless_exact_is_asked_for(folder, no_scan):
    store = open_to_read(folder, tuning=SMALL)
    store.search(QUERIES[0], 5)
    store.search(QUERIES[0], 5, exact=True)
    store.close()
    assert no_scan == [ROWS, 0]


def test_rows_added_since_are_measured_and_deleted_ones_never_found(folder, no_scan):
    store = open_to_write(folder, IDENTITY, tuning=SMALL)
    store.upsert(photos(ROWS, ROWS + 100), vectors(100, seed=5))
    store.improve()  # too few to build it anew
    assert no_scan == []
    store.delete(paths(store.search(QUERIES[0], 20)))
    new = store.search(vectors(100, seed=5)[7], 1)
    assert (paths(new), new[0].distance) == ([f"/{(ROWS + 7) % 10}/{ROWS + 7:05}.jpg"], 0)
    store.close()
    assert set(no_scan) == {ROWS}
    assert recall(folder) >= 0.99


def test_a_narrowed_search_finds_what_fits(folder):
    assert recall(folder, where=Where(categories=("c3",))) >= 0.95
    assert recall(folder, where=Where(path_glob="/7/*97.jpg")) == 1  # few photos are measured directly


def test_it_is_built_anew_when_many_were_added_and_after_compaction(folder):
    store = open_to_write(folder, IDENTITY, tuning=replace(SMALL, waste_rows=10))
    store.upsert(photos(ROWS, ROWS + 600), vectors(600, seed=5))
    assert store.meta().ann_rows == ROWS
    store.improve()
    assert store.meta().ann_rows == ROWS + 600
    store.delete([photo.path for photo in photos(0, 2000)])
    assert store.meta().ann_rows == 0
    assert not list(folder.glob("ann-*"))
    store.improve()
    assert (folder / "ann-2.faiss").is_file()
    store.close()
    assert recall(folder) >= 0.99


@pytest.mark.parametrize("damage", ["gone", "cut", "flipped head"])
def test_a_damaged_one_is_not_used_is_told_and_is_built_anew(folder, no_scan, damage):
    file = folder / "ann-1.faiss"
    content = bytearray(file.read_bytes())
    if damage == "flipped head":
        content[200] ^= 1
    file.write_bytes(content[: len(content) // 2] if damage == "cut" else content)
    if damage == "gone":
        file.unlink()
    store = open_to_read(folder, tuning=SMALL)
    assert len(store.search(QUERIES[0], 5)) == 5
    assert no_scan == [0]
    assert "ann-1.faiss" in store.problems()[0]
    store.close()
    store = open_to_write(folder, IDENTITY, tuning=SMALL)
    store.improve()
    assert store.problems() == []
    store.close()


def test_flipped_bits_in_its_codes_never_make_a_wrong_hit(folder):
    content = np.fromfile(folder / "ann-1.faiss", np.uint8)
    places = np.random.default_rng(0).integers(len(content) - ROWS * (SIZE + 8), len(content), 500)
    content[places] ^= 64
    content.tofile(folder / "ann-1.faiss")
    assert recall(folder) > 0.3  # which looks at every hit


def test_it_looks_as_far_as_the_queries_that_it_is_tried_with_need(folder):
    def cells(queries) -> int:
        store = open_to_write(folder, IDENTITY, tuning=SMALL)
        (folder / "ann-1.faiss").unlink()
        store.improve(queries)
        found = store._approximations.get(store.meta())._index.nprobe
        store.close()
        return found

    assert cells(vectors(100, seed=1)) < cells(np.random.default_rng(0).standard_normal((100, SIZE), np.float32))


def test_a_disk_without_room_for_it_is_told_and_leaves_nothing(folder):
    (folder / "ann-1.faiss").unlink()
    store = open_to_write(folder, IDENTITY, tuning=SMALL)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(StorageError, match=r"cannot write .*ann-1.faiss: File too large; choose a disk"):
            store.improve()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert not list(folder.glob("*ann*"))
    assert store.count() == ROWS
    store.close()


def test_small_stores_have_none(tmp_path):
    store = open_to_write(tmp_path / "index", IDENTITY, tuning=SMALL)
    store.upsert(photos(0, 900), vectors(900, seed=1))
    store.improve()
    assert not list((tmp_path / "index").glob("ann-*"))
    store.close()


def test_without_faiss_every_photo_is_measured(folder, monkeypatch, no_scan):
    monkeypatch.setitem(sys.modules, "faiss", None)
    store = open_to_read(folder, tuning=SMALL)
    assert len(store.search(QUERIES[0], 5)) == 5
    assert store.problems() == []
    store.close()
    assert no_scan == [0]
