from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sketchy.config_file import parse_config
from sketchy.dataset.pack import Pack, Subset
from sketchy.dataset.records import Record
from sketchy.evaluation.evaluate import evaluate_subset
from sketchy.evaluation.protocol import Queries, score
from sketchy.inference.torch_engine import embed_pixels
from sketchy.model.encoder import build_encoder

SKETCH_PHOTO = (0, 0, 3, -1, 5, 5)
"""The photo that each of six sketches traces; the fourth traces one that is missing."""


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return build_encoder(parse_config({"image": {"size": 16}, "model": {"embedding_size": 8}}, "test"))


@pytest.fixture(scope="module")
def data():
    """Six photos of noise, two of each of three categories, and six sketches."""
    draw = np.random.default_rng(0)
    records = {
        kind: tuple(Record(kind, "abc"[row // 2], str(row), f"{kind}/{row}.png") for row in range(6))
        for kind in ("photo", "sketch")
    }
    pack = Pack(
        photos=draw.integers(0, 256, (6, 1, 16, 16), dtype=np.uint8),
        sketches=draw.integers(0, 256, (6, 1, 16, 16), dtype=np.uint8),
        photo_records=records["photo"],
        sketch_records=records["sketch"],
        categories=("a", "b", "c"),
        photo_category=np.arange(6) // 2,
        sketch_category=np.array([0, 0, 1, 1, 2, 2]),
        sketch_photo=np.array(SKETCH_PHOTO),
        skipped=(),
    )
    return SimpleNamespace(pack=pack)


def part(photos, sketches):
    return Subset(np.array(photos, np.int64), np.array(sketches, np.int64))


def test_all_of_a_dataset_is_evaluated_as_its_embeddings_are_scored(encoder, data):
    found = evaluate_subset(encoder, data, part(range(6), range(6)))
    pack = data.pack
    queries = Queries(
        embed_pixels(encoder, pack.sketches, "sketch"), torch.tensor(pack.sketch_category), torch.tensor(SKETCH_PHOTO)
    )
    expected = score(queries, embed_pixels(encoder, pack.photos, "photo"), torch.tensor(pack.photo_category))
    for key, values in expected.metrics.items():
        assert torch.equal(found.scores.metrics[key], values), key
    for name in ("relevant", "instance_rank", "nearest", "curve"):
        assert torch.equal(getattr(found.scores, name), getattr(expected, name)), name
    assert found.evaluation.protocol["instance_queries"] == 5


def test_the_traced_photo_is_looked_for_where_it_stands_in_the_part(encoder, data):
    found = evaluate_subset(encoder, data, part([1, 3, 5], [0, 2, 3, 5]))
    # sketch 0 traces photo 0, which is of another part; 2 traces photo 3, the second of this one; 5 photo 5, the third
    assert found.queries.instances.tolist() == [-1, 1, -1, 2]
    assert found.gallery_categories.tolist() == [0, 1, 2]
    assert found.evaluation.protocol["gallery"] == 3
    assert found.evaluation.protocol["instance_queries"] == 2
    for query, place in ((1, 1), (3, 2)):
        assert found.scores.nearest[query].tolist().index(place) + 1 == found.scores.instance_rank[query]


def test_a_photo_finds_itself(encoder, data):
    """With each sketch the very picture of its photo, all that can be found is found first."""
    pixels = data.pack.photos
    twin = SimpleNamespace(pack=replace(data.pack, sketches=pixels[[0, 0, 3, 2, 5, 5]]))
    found = evaluate_subset(encoder, twin, part(range(6), range(6)))
    assert found.scores.instance_rank.tolist() == [1, 1, 1, 0, 1, 1]
    assert found.evaluation.metrics["instance_r_at_1"] == found.evaluation.metrics["p_at_1"] == 1


@pytest.mark.parametrize("protocol", ["category", "instance"])
def test_the_protocol_is_handed_on(encoder, data, protocol):
    assert evaluate_subset(encoder, data, part(range(6), range(6)), protocol).evaluation.protocol["name"] == protocol


@pytest.mark.parametrize(("photos", "sketches"), [([], [0]), ([0], [])])
def test_nothing_to_evaluate_is_refused(encoder, data, photos, sketches):
    with pytest.raises(ValueError, match="no queries or no gallery"):
        evaluate_subset(encoder, data, part(photos, sketches))
