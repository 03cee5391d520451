import numpy as np
import pytest

from sketchy.config import SpatialConfig
from sketchy.errors import CheckpointError
from sketchy.retrieval.search import Request, search
from sketchy.retrieval.spatial_share import reweighted
from sketchy.retrieval.store.base import Identity
from sketchy.retrieval.store.memory import MemoryStore

SIZE, PARTS = 12, SpatialConfig(size=4, share=0.15)
SHARES = [0.0, 0.15, 0.4, 1.0]


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def parts(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return unit(generator.normal(size=(count, SIZE - 4))), unit(generator.normal(size=(count, 4)))


def joined(whole: np.ndarray, cells: np.ndarray) -> np.ndarray:
    return np.concatenate([whole * 0.85**0.5, cells * 0.15**0.5], 1).astype(np.float32)


def store_of(vectors: np.ndarray) -> MemoryStore:
    return MemoryStore(Identity("m", SIZE, ""), [(str(row), None) for row in range(len(vectors))], vectors)


@pytest.mark.parametrize("share", SHARES)
def test_photos_are_ranked_by_the_weighted_distances_of_the_two_parts(share):
    (whole, cells), (drawn_whole, drawn_cells) = parts(50, 0), parts(1, 1)
    hits = search(store_of(joined(whole, cells)), joined(drawn_whole, drawn_cells)[0], Request(50, spatial_share=share),
                  spatial=PARTS)  # fmt: skip
    squared = (1 - share) * np.square(whole - drawn_whole).sum(1) + share * np.square(cells - drawn_cells).sum(1)
    assert [int(hit.path) for hit in hits] == list(np.argsort(squared))
    assert [hit.distance for hit in hits] == pytest.approx(np.sqrt(np.sort(squared)), abs=1e-5)


def test_the_share_of_the_model_changes_nothing():
    store, query = store_of(joined(*parts(50, 0))), joined(*parts(1, 1))[0]
    plain, chosen = (search(store, query, Request(9, spatial_share=share), spatial=PARTS) for share in (None, 0.15))
    assert [hit.path for hit in plain] == [hit.path for hit in chosen]
    assert [hit.distance for hit in plain] == pytest.approx([hit.distance for hit in chosen], abs=1e-6)


def test_a_greatest_distance_is_compared_with_the_weighted_distance():
    store, query = store_of(joined(*parts(50, 0))), joined(*parts(1, 1))[0]
    every = search(store, query, Request(50, spatial_share=1.0), spatial=PARTS)
    limited = search(store, query, Request(50, spatial_share=1.0, max_distance=every[6].distance), spatial=PARTS)
    assert limited == every[:7]


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_share_outside_0_to_1_is_refused(share):
    with pytest.raises(ValueError, match="give 0 to 1"):
        reweighted(joined(*parts(1, 1))[0], PARTS, share)


@pytest.mark.parametrize("spatial", [None, PARTS], ids=["none", "not fitted"])
def test_a_model_without_a_fitted_spatial_part_cannot_weigh_it(spatial):
    query = joined(*parts(1, 1))[0]
    query[-4:] = 0
    with pytest.raises(CheckpointError, match="no spatial embedding to weigh"):
        reweighted(query, spatial, 0.5)
