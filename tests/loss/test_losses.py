"""What holds for every loss."""

import pytest
import torch

from sketchy.choices import ContrastiveConfig, InfoNCEConfig, TermsConfig, TripletConfig
from sketchy.loss import build_objective
from sketchy.loss.batch import EmbeddedBatch, checked, masked_mean
from sketchy.loss.contrastive import ContrastiveLoss
from sketchy.loss.infonce import InfoNCELoss
from sketchy.loss.proxy import ProxyLoss
from sketchy.loss.triplet import TripletLoss

CONFIGS = [
    ContrastiveConfig(),
    TripletConfig(mining="random"),
    TripletConfig(mining="semi-hard"),
    TripletConfig(mining="batch-hard"),
    InfoNCEConfig(),
    InfoNCEConfig(learn_temperature=True),
]
every_loss = pytest.mark.parametrize("config", CONFIGS, ids=lambda c: "-".join(map(str, c.model_dump().values())))


def made(config):
    generator = torch.Generator().manual_seed(0)
    return build_objective(config, TermsConfig(), categories=4, photos=9, embedding_size=5, generator=generator).main


def batch(dtype=torch.float32):
    """8 sketches, 8 photos, 4 categories; row by row half of the pairs match."""
    embeddings = torch.randn(2, 8, 5, generator=torch.Generator().manual_seed(3)).to(dtype)
    sketch_label = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    photo_label = torch.tensor([0, 1, 1, 0, 2, 3, 3, 2])
    return embeddings[0], embeddings[1], sketch_label, photo_label


def test_a_config_becomes_its_loss_with_its_settings():
    contrastive = made(ContrastiveConfig(margin=1.5))
    assert isinstance(contrastive, ContrastiveLoss)
    assert contrastive.margin == 1.5
    triplet = made(TripletConfig(margin=0.7, mining="random"))
    assert isinstance(triplet, TripletLoss)
    assert (triplet.margin, triplet.mining) == (0.7, "random")
    infonce = made(InfoNCEConfig(temperature=0.2, learn_temperature=True))
    assert isinstance(infonce, InfoNCELoss)
    assert infonce.log_temperature.exp().item() == pytest.approx(0.2)
    assert infonce.log_temperature.requires_grad


@every_loss
@pytest.mark.parametrize(
    ("position", "shape", "message"),
    [
        (2, (8, 1), r"sketch embeddings \(8, 5\) and labels \(8, 1\)"),
        (3, (8, 1), r"photo embeddings \(8, 5\) and labels \(8, 1\)"),
        (2, (1,), r"sketch embeddings \(8, 5\) and labels \(1,\)"),
        (3, (), r"photo embeddings \(8, 5\) and labels \(\)"),
        (0, (8,), r"sketch embeddings \(8,\)"),
        (1, (8, 5, 1), r"photo embeddings \(8, 5, 1\)"),
        (1, (8, 4), "differ in size: 5 and 4"),
        (0, (8, 1), "differ in size: 1 and 5"),
    ],
)
def test_shapes_that_would_broadcast_are_refused(config, position, shape, message):
    data = list(batch())
    data[position] = torch.zeros(shape, dtype=data[position].dtype)
    with pytest.raises(ValueError, match=message):
        made(config)(EmbeddedBatch(*data))


def test_a_batch_that_fits_is_let_through():
    checked(EmbeddedBatch(torch.zeros(3, 2), torch.zeros(4, 2), torch.zeros(3), torch.zeros(4)))
    with pytest.raises(ValueError, match="labels"):
        checked(EmbeddedBatch(torch.zeros(3, 2), torch.zeros(4, 2), torch.zeros(4), torch.zeros(4)))


@every_loss
@pytest.mark.parametrize("value", [0.0, 1.0, 0.1])
def test_gradients_are_finite_where_all_embeddings_are_equal(config, value):
    _, _, sketch_label, photo_label = batch()
    sketch, photo = torch.full((2, 8, 5), value).unbind()
    sketch, photo = sketch.clone().requires_grad_(), photo.clone().requires_grad_()
    found = made(config)(EmbeddedBatch(sketch, photo, sketch_label, photo_label))
    found.loss.backward()
    assert found.loss.isfinite()
    assert sketch.grad.isfinite().all()
    assert photo.grad.isfinite().all()


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_output_is_a_scalar_with_detached_finite_statistics(config, dtype):
    sketch, photo, sketch_label, photo_label = batch(dtype)
    found = made(config)(EmbeddedBatch(sketch.requires_grad_(), photo, sketch_label, photo_label))
    assert found.loss.shape == ()
    assert found.loss.dtype == dtype
    assert found.loss.requires_grad
    assert {"positive_distance", "negative_distance", "active_fraction"} <= set(found.stats)
    for value in found.stats.values():
        assert value.shape == ()
        assert value.isfinite()
        assert not value.requires_grad
    assert 0 <= found.stats["active_fraction"] <= 1


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradient_descent_on_the_embeddings_lowers_the_loss(config, dtype):
    sketch, photo, sketch_label, photo_label = batch(dtype)
    sketch, photo = sketch.requires_grad_(), photo.requires_grad_()
    loss = made(config)
    optimizer = torch.optim.SGD([sketch, photo], lr=0.2)
    values = []
    for _ in range(60):
        found = loss(EmbeddedBatch(sketch, photo, sketch_label, photo_label))
        optimizer.zero_grad()
        found.loss.backward()
        optimizer.step()
        values.append(found.loss.item())
    assert sum(values[-5:]) < 0.5 * sum(values[:5])
    assert found.stats["positive_distance"] < found.stats["negative_distance"]


@every_loss
def test_the_same_batch_gives_the_same_loss_and_gradient(config):
    grads = []
    for _ in range(2):
        sketch, photo, sketch_label, photo_label = batch()
        sketch.requires_grad_()
        made(config)(EmbeddedBatch(sketch, photo, sketch_label, photo_label)).loss.backward()
        grads.append(sketch.grad)
    assert torch.equal(*grads)


def test_a_masked_mean_counts_only_what_the_mask_holds():
    values = torch.tensor([1.0, float("nan"), 5.0], requires_grad=True)
    found = masked_mean(values, torch.tensor([True, False, True]))
    found.backward()
    assert found.item() == 3
    assert values.grad.tolist() == [0.5, 0, 0.5]
    assert masked_mean(values, torch.zeros(3, dtype=torch.bool)).item() == 0


RELATED = torch.zeros(4, 4, dtype=torch.bool)
RELATED[1, 3] = RELATED[3, 1] = True


@pytest.mark.parametrize("related", [None, RELATED], ids=["", "related"])
@every_loss
def test_nothing_waits_for_the_values_of_a_batch(config, related):
    """What depends on values, which a GPU would have to be asked for, cannot be traced as one graph."""
    whole = getattr(config, "mining", None) != "random"  # which draws from a generator on the CPU
    traced = torch.compile(made(config), fullgraph=whole, backend="eager")
    assert torch.equal(
        traced(EmbeddedBatch(*batch(), related)).loss, made(config)(EmbeddedBatch(*batch(), related)).loss
    )
    torch.compiler.reset()


@pytest.mark.parametrize("loss", [InfoNCELoss(0.1, False), TripletLoss(0.5, "batch-hard", torch.Generator())])
def test_related_categories_are_no_negatives_of_each_other(loss):
    """A photo at the very place of a sketch of a related category costs nothing."""
    sketch = torch.eye(5)[:3]
    photo = torch.cat([sketch, sketch[1:2]])
    labels, photo_labels = torch.tensor([0, 1, 2]), torch.tensor([0, 1, 2, 3])
    without = loss(EmbeddedBatch(sketch, photo[:3], labels, photo_labels[:3])).loss
    assert loss(EmbeddedBatch(sketch, photo, labels, photo_labels, RELATED)).loss <= without + 1e-3
    assert loss(EmbeddedBatch(sketch, photo, labels, photo_labels)).loss > without + 0.1


def test_pairs_of_related_categories_are_left_out_of_the_contrastive_loss():
    sketch, photo = torch.rand(2, 4, 5).unbind()
    labels, photo_labels = torch.tensor([0, 1, 2, 3]), torch.tensor([0, 3, 1, 1])
    kept = [0, 2]
    expected = ContrastiveLoss(2.0)(EmbeddedBatch(sketch[kept], photo[kept], labels[kept], photo_labels[kept])).loss
    assert torch.equal(ContrastiveLoss(2.0)(EmbeddedBatch(sketch, photo, labels, photo_labels, RELATED)).loss, expected)


def test_a_sketch_all_of_whose_photos_are_related_has_a_finite_gradient():
    sketch = torch.rand(2, 5, requires_grad=True)
    labels, photo_labels = torch.tensor([3, 1]), torch.tensor([1, 1])
    InfoNCELoss(0.1, False)(EmbeddedBatch(sketch, torch.rand(2, 5), labels, photo_labels, RELATED)).loss.backward()
    assert sketch.grad.isfinite().all()


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_proxies_of_related_categories_are_no_classes(smoothing):
    torch.manual_seed(0)
    loss, fewer = ProxyLoss(4, 5, 8.0, smoothing), ProxyLoss(3, 5, 8.0, smoothing)
    fewer.proxies.data = loss.proxies.data[:3].clone()  # as if the last one did not exist
    sketch, photo = torch.rand(2, 2, 5).unbind()
    labels = torch.tensor([1, 1])
    found = loss(EmbeddedBatch(sketch, photo, labels, labels, RELATED))
    assert torch.allclose(found.loss, fewer(EmbeddedBatch(sketch, photo, labels, labels)).loss)
    found.loss.backward()
    assert loss.proxies.grad.isfinite().all()
    assert not loss.proxies.grad[3].any()


def test_a_mask_without_related_categories_changes_nothing():
    sketch, photo = torch.rand(2, 4, 5).unbind()
    labels = torch.tensor([0, 1, 2, 2])
    none = torch.zeros(4, 4, dtype=torch.bool)
    for loss in (InfoNCELoss(0.1, False), TripletLoss(0.5, "semi-hard", torch.Generator()), ContrastiveLoss(2.0)):
        assert torch.equal(
            loss(EmbeddedBatch(sketch, photo, labels, labels, none)).loss,
            loss(EmbeddedBatch(sketch, photo, labels, labels)).loss,
        )
