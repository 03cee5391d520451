import pytest
import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner
from pytorch_metric_learning.reducers import MeanReducer

from sketchy.loss.batch import EmbeddedBatch
from sketchy.loss.triplet import MINERS, TripletLoss

MARGIN = 0.8


def batch(sketches: int = 9, photos: int = 11, seed: int = 0):
    """Embeddings of 3 categories in float64, not as many sketches as photos."""
    generator = torch.Generator().manual_seed(seed)
    sketch = torch.randn(sketches, 4, generator=generator, dtype=torch.float64)
    photo = torch.randn(photos, 4, generator=generator, dtype=torch.float64)
    return sketch, photo, torch.arange(sketches) % 3, torch.arange(photos) % 3


def loss(mining: str, seed: int = 0, margin: float = MARGIN) -> TripletLoss:
    return TripletLoss(margin, mining, torch.Generator().manual_seed(seed))


def split(sketch, photo, sketch_label, photo_label):
    """For each anchor, its distances to positives and to negatives, as lists."""
    for i in range(len(sketch)):
        distances = [(sketch[i] - other).norm().item() for other in photo]
        same = [bool(sketch_label[i] == label) for label in photo_label]
        yield (
            [d for d, s in zip(distances, same, strict=True) if s],
            [d for d, s in zip(distances, same, strict=True) if not s],
        )


def hinge_mean(triplets: list[tuple[float, float]]) -> float:
    return sum(max(0.0, p - n + MARGIN) for p, n in triplets) / len(triplets)


@pytest.mark.parametrize("seed", range(3))
def test_batch_hard_agrees_with_a_loop(seed):
    data = batch(seed=seed)
    triplets = [(max(positives), min(negatives)) for positives, negatives in split(*data)]
    assert loss("batch-hard")(EmbeddedBatch(*data)).loss.item() == pytest.approx(hinge_mean(triplets))


@pytest.mark.parametrize("seed", range(3))
def test_semi_hard_agrees_with_a_loop(seed):
    data = batch(seed=seed)
    triplets, fallbacks = [], 0
    for positives, negatives in split(*data):
        for positive in positives:
            farther = [n for n in negatives if n > positive]
            fallbacks += not farther
            triplets.append((positive, min(farther) if farther else max(negatives)))
    assert 0 < fallbacks < len(triplets)  # both kinds are in the data
    assert loss("semi-hard")(EmbeddedBatch(*data)).loss.item() == pytest.approx(hinge_mean(triplets))


def test_semi_hard_by_hand():
    sketch = torch.zeros(1, 1)
    photo = torch.tensor([[1.0], [5.0], [0.5], [1.5], [3.0]])  # two positives, three negatives
    found = TripletLoss(1.0, "semi-hard", torch.Generator())(
        EmbeddedBatch(sketch, photo, torch.tensor([0]), torch.tensor([0, 0, 1, 1, 1]))
    )
    # 1 meets 1.5: 1 - 1.5 + 1; 5 has no farther one and meets the farthest, 3: 5 - 3 + 1
    assert found.loss.item() == pytest.approx((0.5 + 3.0) / 2)


def test_batch_hard_agrees_with_pytorch_metric_learning():
    for seed in range(5):
        sketch, photo, sketch_label, photo_label = batch(seed=seed)
        distance = LpDistance(normalize_embeddings=False)
        mined = BatchHardMiner(distance=distance)(sketch, sketch_label, ref_emb=photo, ref_labels=photo_label)
        public = TripletMarginLoss(margin=MARGIN, distance=distance, reducer=MeanReducer())
        expected = public(sketch, sketch_label, indices_tuple=mined, ref_emb=photo, ref_labels=photo_label)
        assert loss("batch-hard")(EmbeddedBatch(sketch, photo, sketch_label, photo_label)).loss.item() == pytest.approx(
            expected.item()
        )


def test_random_picks_a_positive_and_a_negative_of_each_anchor():
    data = batch()
    distance = torch.cdist(data[0], data[1])
    same = data[2][:, None] == data[3][None, :]
    seen_positive, seen_negative = torch.zeros_like(same), torch.zeros_like(same)
    generator = torch.Generator().manual_seed(1)
    for _ in range(100):
        positive, negative, _ = MINERS["random"](distance, same, ~same, generator)
        assert positive.shape == negative.shape == (9,)
        is_positive = (distance == positive[:, None]) & same
        is_negative = (distance == negative[:, None]) & ~same
        assert (is_positive.sum(1) == 1).all()
        assert (is_negative.sum(1) == 1).all()
        seen_positive |= is_positive
        seen_negative |= is_negative
    assert torch.equal(seen_positive, same)  # every valid one turns up
    assert torch.equal(seen_negative, ~same)


def test_random_agrees_with_a_loop_over_what_it_drew():
    data = batch()
    same = data[2][:, None] == data[3][None, :]
    drawn = MINERS["random"](torch.cdist(data[0], data[1]), same, ~same, torch.Generator().manual_seed(3))
    triplets = list(zip(drawn[0].tolist(), drawn[1].tolist(), strict=True))
    assert loss("random", seed=3)(EmbeddedBatch(*data)).loss.item() == pytest.approx(hinge_mean(triplets))


def test_random_is_determined_by_its_generator():
    data = batch()
    one, other = loss("random", seed=5), loss("random", seed=5)
    first = [one(EmbeddedBatch(*data)).loss.item() for _ in range(4)]
    assert [other(EmbeddedBatch(*data)).loss.item() for _ in range(4)] == first
    assert len(set(first)) > 1
    torch.manual_seed(0)
    assert loss("random", seed=6)(EmbeddedBatch(*data)).loss.item() != first[0]


@pytest.mark.parametrize("mining", MINERS)
def test_a_batch_without_negatives_teaches_nothing(mining):
    sketch, photo, _, _ = batch()
    found = loss(mining)(EmbeddedBatch(sketch.requires_grad_(), photo, torch.zeros(9), torch.zeros(11))).loss
    found.backward()
    assert found == 0
    assert (sketch.grad == 0).all()


@pytest.mark.parametrize("mining", MINERS)
def test_a_batch_without_positives_teaches_nothing(mining):
    sketch, photo, _, _ = batch()
    found = loss(mining)(EmbeddedBatch(sketch.requires_grad_(), photo, torch.zeros(9), torch.ones(11))).loss
    found.backward()
    assert found == 0
    assert (sketch.grad == 0).all()


@pytest.mark.parametrize("mining", ["semi-hard", "batch-hard"])
def test_anchors_without_a_positive_or_a_negative_are_left_out(mining):
    sketch, photo, sketch_label, photo_label = batch()
    stranger = torch.full((1,), 7)
    with_stranger = loss(mining)(
        EmbeddedBatch(torch.cat([sketch, torch.ones(1, 4)]), photo, torch.cat([sketch_label, stranger]), photo_label)
    )
    torch.testing.assert_close(
        with_stranger.loss, loss(mining)(EmbeddedBatch(sketch, photo, sketch_label, photo_label)).loss
    )


def test_an_unknown_mining_names_the_known_ones():
    with pytest.raises(ValueError, match="random, semi-hard, batch-hard"):
        loss("hardest")


def test_the_statistics_are_means_over_all_pairs_and_the_share_of_active_triplets():
    sketch, photo = torch.zeros(2, 1), torch.tensor([[1.0], [2.0], [4.0]])
    found = TripletLoss(1.5, "batch-hard", torch.Generator())(
        EmbeddedBatch(sketch, photo, torch.tensor([0, 1]), torch.tensor([0, 1, 1]))
    )
    # the first anchor: positive 1, nearest negative 2, active; the second: farthest positive 4, negative 1, active
    assert found.stats["positive_distance"].item() == pytest.approx((1 + 2 + 4) / 3)
    assert found.stats["negative_distance"].item() == pytest.approx((2 + 4 + 1) / 3)
    assert found.stats["active_fraction"] == 1
    eased = TripletLoss(0.5, "batch-hard", torch.Generator())(
        EmbeddedBatch(sketch, photo, torch.tensor([0, 1]), torch.tensor([0, 1, 1]))
    )
    assert eased.stats["active_fraction"] == 0.5
    assert eased.loss.item() == pytest.approx((0 + 4 - 1 + 0.5) / 2)
