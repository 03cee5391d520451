import math

import pytest
import torch
import torch.nn.functional as F
from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.losses import SupConLoss

from sketchy.loss.batch import EmbeddedBatch
from sketchy.loss.infonce import LOWEST_TEMPERATURE, InfoNCELoss


def unit_rows(count: int, seed: int) -> torch.Tensor:
    rows = torch.randn(count, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return F.normalize(rows, dim=1)


def slow_one_way(logits: list[list[float]], same: list[list[bool]]) -> float:
    rows = []
    for row, positive in zip(logits, same, strict=True):
        total = sum(math.exp(value) for value in row)
        terms = [-math.log(math.exp(value) / total) for value, yes in zip(row, positive, strict=True) if yes]
        if terms:
            rows.append(sum(terms) / len(terms))
    return sum(rows) / len(rows)


@pytest.mark.parametrize("temperature", [0.07, 0.1, 1.0])
def test_one_photo_a_category_on_the_unit_sphere_is_clip(temperature):
    sketch, photo, label = unit_rows(8, 1), unit_rows(8, 2), torch.arange(8)
    logits = sketch @ photo.T / temperature
    clip = (F.cross_entropy(logits, label) + F.cross_entropy(logits.T, label)) / 2
    found = InfoNCELoss(temperature, learn=False)(EmbeddedBatch(sketch, photo, label, label)).loss
    assert found.item() == pytest.approx(clip.item(), rel=1e-6)


def test_two_pairs_by_hand():
    sketch = photo = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    label = torch.tensor([4, 9])
    found = InfoNCELoss(0.5, learn=False)(EmbeddedBatch(sketch, photo, label, label)).loss
    assert found.item() == pytest.approx(math.log(1 + math.exp(-2)))  # cosines 1 and 0, over 0.5


def test_several_photos_a_category_are_supervised_contrastive_both_ways():
    sketch, photo = unit_rows(9, 1), unit_rows(12, 2)
    sketch_label, photo_label = torch.arange(9) % 3, torch.arange(12) % 3
    public = SupConLoss(temperature=0.1, distance=CosineSimilarity())
    there = public(sketch, sketch_label, ref_emb=photo, ref_labels=photo_label)
    back = public(photo, photo_label, ref_emb=sketch, ref_labels=sketch_label)
    found = InfoNCELoss(0.1, learn=False)(EmbeddedBatch(sketch, photo, sketch_label, photo_label)).loss
    assert found.item() == pytest.approx(((there + back) / 2).item(), rel=1e-6)


def test_off_the_sphere_it_agrees_with_a_loop():
    sketch, photo = 2 * unit_rows(5, 1), 3 * unit_rows(6, 2)
    sketch_label, photo_label = torch.tensor([0, 1, 1, 2, 8]), torch.tensor([0, 0, 1, 2, 9, 1])
    logits = [[-((s - p).norm().item() ** 2) / (2 * 0.7) for p in photo] for s in sketch]
    same = [[bool(a == b) for b in photo_label] for a in sketch_label]
    expected = (
        slow_one_way(logits, same)
        + slow_one_way(
            [list(column) for column in zip(*logits, strict=True)], [list(c) for c in zip(*same, strict=True)]
        )
    ) / 2
    found = InfoNCELoss(0.7, learn=False)(EmbeddedBatch(sketch, photo, sketch_label, photo_label)).loss
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_a_sketch_without_a_positive_is_left_out_but_still_a_negative():
    sketch, photo, label = unit_rows(3, 1), unit_rows(3, 2), torch.arange(3)
    logits = sketch @ photo.T / 0.1
    there = F.cross_entropy(logits[:2], label[:2])  # the third row has no positive
    back = F.cross_entropy(logits.T[:2], label[:2])  # the third sketch is in the sums of each photo
    found = InfoNCELoss(0.1, learn=False)(
        EmbeddedBatch(sketch, photo, torch.tensor([0, 1, 7]), torch.tensor([0, 1, 8]))
    )
    assert found.loss.item() == pytest.approx(((there + back) / 2).item(), rel=1e-6)


def test_a_batch_without_any_positive_teaches_nothing():
    sketch = unit_rows(3, 1).requires_grad_()
    found = InfoNCELoss(0.1, learn=False)(EmbeddedBatch(sketch, unit_rows(3, 2), torch.zeros(3), torch.ones(3))).loss
    found.backward()
    assert found == 0
    assert (sketch.grad == 0).all()


def test_a_learnt_temperature_gets_a_gradient_and_a_fixed_one_does_not():
    sketch, photo, label = unit_rows(6, 1), unit_rows(6, 2), torch.arange(6)
    learnt, fixed = InfoNCELoss(0.1, learn=True), InfoNCELoss(0.1, learn=False)
    learnt(EmbeddedBatch(sketch, photo, label, label)).loss.backward()
    assert learnt.log_temperature.grad.abs() > 0
    assert not any(parameter.requires_grad for parameter in fixed.parameters())


def test_the_gradient_of_the_temperature_agrees_with_finite_differences():
    sketch, photo, label = unit_rows(6, 1), unit_rows(6, 2), torch.arange(6)
    learnt = InfoNCELoss(0.3, learn=True).double()
    learnt(EmbeddedBatch(sketch, photo, label, label)).loss.backward()
    higher, lower = (
        InfoNCELoss(0.3 * math.exp(step), learn=False).double()(EmbeddedBatch(sketch, photo, label, label)).loss.item()
        for step in (1e-4, -1e-4)
    )
    assert learnt.log_temperature.grad.item() == pytest.approx((higher - lower) / 2e-4, rel=1e-3)


def test_a_learnt_temperature_stops_at_the_lowest_and_can_rise_again():
    sketch, photo, label = unit_rows(6, 1), unit_rows(6, 2), torch.arange(6)  # unrelated: a higher one is better
    learnt = InfoNCELoss(1.0, learn=True)
    with torch.no_grad():
        learnt.log_temperature.fill_(math.log(1e-5))
    found = learnt(EmbeddedBatch(sketch, photo, label, label))
    assert found.stats["temperature"].item() == pytest.approx(LOWEST_TEMPERATURE)
    found.loss.backward()
    assert learnt.log_temperature.grad < 0
    torch.optim.SGD(learnt.parameters(), lr=0.01).step()
    assert learnt(EmbeddedBatch(sketch, photo, label, label)).stats["temperature"] > LOWEST_TEMPERATURE * 1.01


def test_a_fixed_temperature_is_used_as_given_even_below_the_lowest_learnt_one():
    sketch, photo, label = unit_rows(6, 1), unit_rows(6, 2), torch.arange(6)
    found = InfoNCELoss(0.002, learn=False)(EmbeddedBatch(sketch, photo, label, label))
    assert found.stats["temperature"].item() == pytest.approx(0.002)
    logits = sketch @ photo.T / 0.002
    clip = (F.cross_entropy(logits, label) + F.cross_entropy(logits.T, label)) / 2
    assert found.loss.item() == pytest.approx(clip.item(), rel=1e-5)


def test_active_are_the_sketches_whose_nearest_photo_is_of_another_category():
    photo = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    sketch = torch.tensor([[0.9, 0.1], [0.9, 0.2], [-0.9, 0.1]])
    found = InfoNCELoss(0.1, learn=False)(EmbeddedBatch(sketch, photo, torch.arange(3), torch.arange(3)))
    assert found.stats["active_fraction"].item() == pytest.approx(1 / 3)
    distance = torch.cdist(sketch, photo)
    assert found.stats["positive_distance"].item() == pytest.approx(distance.diagonal().mean().item())
    assert found.stats["negative_distance"].item() == pytest.approx(
        distance[~torch.eye(3, dtype=torch.bool)].mean().item()
    )
