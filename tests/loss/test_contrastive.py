import pytest
import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import ContrastiveLoss as PublicContrastiveLoss
from pytorch_metric_learning.reducers import DoNothingReducer

from sketchy.loss.batch import EmbeddedBatch
from sketchy.loss.contrastive import ContrastiveLoss, contrastive_loss


def batch(count: int = 12, size: int = 5, seed: int = 0):
    """Embeddings and labels of random pairs, in float64."""
    generator = torch.Generator().manual_seed(seed)
    sketch, photo = torch.randn(2, count, size, generator=generator, dtype=torch.float64)
    sketch_label, photo_label = torch.randint(0, 3, (2, count), generator=generator)
    return sketch, photo, sketch_label, photo_label


def at_distance(distance: float, matching: int, different: int):
    """Pairs that all lie at one distance, the matching ones first."""
    count = matching + different
    sketch, photo = torch.zeros(count, 2), torch.tensor([[distance, 0.0]]).repeat(count, 1)
    label = torch.zeros(count, dtype=torch.int64)
    return sketch, photo, label, (torch.arange(count) >= matching).long()


def test_four_pairs_by_hand():
    # m = 2: a match at 1 costs 1/2, a match at 3 costs 9/2, others at 0.5 cost 2.25/2, at 2.5 nothing
    distance, label = torch.tensor([1.0, 3.0, 0.5, 2.5]), torch.tensor([0, 0, 1, 1])
    assert contrastive_loss(distance, label, 2.0).mean().item() == pytest.approx((0.5 + 4.5 + 1.125 + 0) / 4)


def test_the_loss_agrees_with_a_loop():
    sketch, photo, sketch_label, photo_label = batch()
    terms = []
    for i in range(len(sketch)):
        distance = (sketch[i] - photo[i]).norm().item()
        same = sketch_label[i] == photo_label[i]
        terms.append(distance**2 / 2 if same else max(0.0, 2.5 - distance) ** 2 / 2)
    found = ContrastiveLoss(2.5)(EmbeddedBatch(sketch, photo, sketch_label, photo_label))
    assert found.loss.item() == pytest.approx(sum(terms) / len(terms))


def test_the_loss_agrees_with_pytorch_metric_learning():
    sketch, photo, sketch_label, photo_label = batch(seed=4)
    match = (sketch_label == photo_label).nonzero()[:, 0]
    other = (sketch_label != photo_label).nonzero()[:, 0]
    public = PublicContrastiveLoss(
        pos_margin=0, neg_margin=2.5, distance=LpDistance(normalize_embeddings=False), reducer=DoNothingReducer()
    )
    found = public(sketch, indices_tuple=(match, match, other, other), ref_emb=photo, ref_labels=photo_label)
    # Theirs leaves the hinges unsquared; the report squares and halves them.
    hinges = torch.cat([found[name]["losses"] for name in ("pos_loss", "neg_loss")])
    assert len(hinges) == len(sketch)
    ours = ContrastiveLoss(2.5)(EmbeddedBatch(sketch, photo, sketch_label, photo_label))
    assert ours.loss.item() == pytest.approx((hinges**2 / 2).mean().item())


@pytest.mark.parametrize("label_shape", [(6, 1), (1, 6), (5,), ()])
def test_labels_that_would_broadcast_are_refused(label_shape):
    with pytest.raises(ValueError, match=r"need \(B,\) twice"):
        contrastive_loss(torch.rand(6), torch.ones(label_shape), 1.0)


def test_two_columns_are_refused_even_where_they_agree():
    with pytest.raises(ValueError, match=r"need \(B,\) twice"):
        contrastive_loss(torch.rand(6, 1), torch.ones(6, 1), 1.0)


def test_as_many_sketches_as_photos_are_needed():
    with pytest.raises(ValueError, match="shapes"):
        ContrastiveLoss(1.0)(EmbeddedBatch(torch.rand(4, 3), torch.rand(5, 3), torch.zeros(4), torch.zeros(5)))


@pytest.mark.parametrize(("matching", "different"), [(4, 4), (6, 2), (1, 3), (5, 3)])
@pytest.mark.parametrize("margin", [0.5, 2.0])
def test_the_plateau_ratio_is_one_where_all_pairs_lie_at_the_best_single_distance(matching, different, margin):
    share = different / (matching + different)
    found = ContrastiveLoss(margin)(EmbeddedBatch(*at_distance(share * margin, matching, different)))
    assert found.stats["plateau_ratio"].item() == pytest.approx(1, abs=1e-6)
    assert found.loss.item() == pytest.approx(share * (1 - share) * margin**2 / 2)


def test_half_and_half_the_plateau_is_an_eighth_of_the_squared_margin():
    found = ContrastiveLoss(2.0)(EmbeddedBatch(*at_distance(1.0, 4, 4)))
    assert found.loss.item() == 2.0**2 / 8
    assert found.stats["plateau_ratio"].item() == 1


@pytest.mark.parametrize("distance", [0.0, 0.7, 1.3, 3.0])
def test_no_single_distance_beats_the_plateau(distance):
    assert ContrastiveLoss(2.0)(EmbeddedBatch(*at_distance(distance, 4, 4))).stats["plateau_ratio"] > 1


def test_a_network_that_tells_pairs_apart_is_below_the_plateau():
    sketch, photo, sketch_label, photo_label = at_distance(2.0, 4, 4)
    photo[:4] = 0
    found = ContrastiveLoss(2.0)(EmbeddedBatch(sketch, photo, sketch_label, photo_label))
    assert found.loss == 0
    assert found.stats["plateau_ratio"] == 0


def test_the_statistics_are_means_over_each_kind_of_pair():
    sketch, photo = torch.zeros(5, 1), torch.tensor([[1.0], [3.0], [0.5], [1.5], [4.0]])
    found = ContrastiveLoss(2.0)(EmbeddedBatch(sketch, photo, torch.zeros(5), torch.tensor([0, 0, 1, 1, 1])))
    assert found.stats["positive_distance"].item() == 2.0
    assert found.stats["negative_distance"].item() == 2.0
    assert found.stats["active_fraction"].item() == pytest.approx(2 / 3)


def test_a_batch_of_one_kind_has_finite_statistics_of_the_other():
    found = ContrastiveLoss(2.0)(EmbeddedBatch(*at_distance(1.0, 4, 0)))
    assert found.stats["negative_distance"] == 0
    assert found.stats["active_fraction"] == 0
    assert found.loss.item() == 0.5


def test_a_broken_embedding_makes_the_loss_no_number():
    sketch, photo, sketch_label, photo_label = batch()
    sketch[2, 1] = float("nan")
    assert ContrastiveLoss(2.0)(EmbeddedBatch(sketch, photo, sketch_label, photo_label)).loss.isnan()
