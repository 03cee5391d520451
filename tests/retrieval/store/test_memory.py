import numpy as np
import pytest

from sketchy.retrieval.store.base import Identity, Photo, Where
from sketchy.retrieval.store.memory import MemoryStore

PHOTOS = [(f"/zip/{index % 3}/{index}.jpg", None if index % 3 == 0 else f"c{index % 3}") for index in range(30)]
VECTORS = np.random.default_rng(0).standard_normal((30, 4), np.float32)
QUERY = np.random.default_rng(1).standard_normal(4, np.float32)


@pytest.fixture
def store():
    return MemoryStore(Identity("a" * 64, 4, "a.pth"), PHOTOS, VECTORS)


@pytest.mark.parametrize("where", [Where(), Where(("c1",)), Where(("c1", "c2")), Where(path_glob="2/*7.jpg")])
@pytest.mark.parametrize("k", [1, 7, 99])
def test_search_finds_what_a_slow_loop_finds(store, where, k):
    slow = sorted(
        (float(np.linalg.norm(vector - QUERY)), path)
        for (path, category), vector in zip(PHOTOS, VECTORS, strict=True)
        if where.allows(Photo(path, 0, 0, "", category))
    )
    hits = store.search(QUERY, k, where)
    assert [hit.path for hit in hits] == [path for _, path in slow[:k]]
    assert [hit.distance for hit in hits] == pytest.approx([distance for distance, _ in slow[:k]], abs=1e-5)
    assert not any(hit.missing for hit in hits)  # though no such files are there


def test_photos_are_listed_counted_and_found_by_path(store):
    assert [photo.path for batch in store.scan("/zip/1/") for photo in batch] == [path for path, _ in PHOTOS[1::3]]
    assert (store.count(), store.count(Where(folders=("/zip/1",)))) == (30, 10)
    assert list(store.get(["/zip/0/0.jpg", "/nowhere.jpg"])) == ["/zip/0/0.jpg"]
