import copy

import pytest
import torch

from sketchy.loss.batch import EmbeddedBatch
from sketchy.loss.infonce import InfoNCELoss
from sketchy.loss.memory import MemoryLoss

DRAW = torch.Generator().manual_seed(0)
PHOTOS = torch.nn.functional.normalize(torch.randn(9, 4, generator=DRAW), dim=1)
SKETCH = torch.nn.functional.normalize(torch.randn(3, 4, generator=DRAW), dim=1)


def loss() -> MemoryLoss:
    return MemoryLoss(photos=9, embedding_size=4, temperature=0.2)


def label(*numbers: int) -> torch.Tensor:
    return torch.tensor(numbers)


def test_every_photo_that_was_seen_counts():
    memory = loss()
    for rows in (label(0, 1, 2), label(3, 4, 5)):
        memory(EmbeddedBatch(SKETCH, PHOTOS[rows], label(-1, -1, -1), rows))
    found = memory(EmbeddedBatch(SKETCH, PHOTOS[6:8], label(6, 2, -1), label(6, 7))).loss
    cosines = SKETCH @ PHOTOS[:8].T / 0.2  # the ninth was never seen
    expected = -(cosines.log_softmax(1)[0, 6] + cosines.log_softmax(1)[1, 2]) / 2
    torch.testing.assert_close(found, expected)


def test_a_photo_of_the_batch_counts_as_it_is_now():
    memory = loss()
    memory(EmbeddedBatch(SKETCH, -PHOTOS[:2], label(0, 0, 0), label(0, 1)))
    found = memory(EmbeddedBatch(SKETCH, PHOTOS[:2], label(0, 0, 1), label(0, 1))).loss
    torch.testing.assert_close(found, loss()(EmbeddedBatch(SKETCH, PHOTOS[:2], label(0, 0, 1), label(0, 1))).loss)


def test_with_an_empty_memory_it_is_the_loss_of_the_batch_from_the_sketches():
    sketch_label, photo_label = label(2, 3, -1), label(2, 3, 4)
    found = loss()(EmbeddedBatch(SKETCH, PHOTOS[2:5], sketch_label, photo_label)).loss
    logits = SKETCH[:2] @ PHOTOS[2:5].T / 0.2
    torch.testing.assert_close(found, torch.nn.functional.cross_entropy(logits, label(0, 1)))


def test_gradients_reach_sketches_photos_of_the_batch_and_the_temperature():
    memory, sketch, photo = loss(), SKETCH.clone().requires_grad_(), PHOTOS[:3].clone().requires_grad_()
    memory(EmbeddedBatch(SKETCH, PHOTOS[3:6], label(-1, -1, -1), label(3, 4, 5)))
    memory(EmbeddedBatch(sketch, photo, label(0, 1, -1), label(0, 1, 2))).loss.backward()
    assert sketch.grad[:2].abs().min() > 0
    assert (sketch.grad[2] == 0).all()  # it traces nothing
    assert photo.grad.abs().sum(1).min() > 0
    assert memory.log_temperature.grad != 0


def test_a_batch_in_which_nothing_is_traced_teaches_nothing_and_is_remembered():
    memory, sketch = loss(), SKETCH.clone().requires_grad_()
    outcome = memory(EmbeddedBatch(sketch, PHOTOS[:3], label(-1, 8, -1), label(0, 1, 2)))
    outcome.loss.backward()
    assert outcome.loss == 0
    assert (sketch.grad == 0).all()
    assert memory.seen.tolist() == [True] * 3 + [False] * 6


def test_of_a_photo_that_is_twice_in_a_batch_the_first_is_remembered():
    memory = loss()
    memory(EmbeddedBatch(SKETCH, PHOTOS[:3], label(-1, -1, -1), label(7, 7, 1)))
    assert torch.equal(memory.memory[7], PHOTOS[0])


def test_accuracy_is_the_share_of_sketches_nearest_to_their_photo():
    memory = loss()
    outcome = memory(EmbeddedBatch(PHOTOS[[0, 4, 2]], PHOTOS[:5], label(0, 1, 2), label(0, 1, 2, 3, 4)))
    assert outcome.stats["accuracy"] == pytest.approx(2 / 3)


def test_what_it_remembers_is_saved():
    memory, other = loss(), loss()
    memory(EmbeddedBatch(SKETCH, PHOTOS[:3], label(0, 1, 2), label(0, 1, 2)))
    other.load_state_dict(copy.deepcopy(memory.state_dict()))
    again = [part(EmbeddedBatch(SKETCH, PHOTOS[3:4], label(1, 2, 3), label(3))).loss for part in (memory, other)]
    assert torch.equal(*again)


def test_a_temperature_that_is_learnt_is_the_only_weight():
    assert [name for name, _ in loss().named_parameters()] == ["log_temperature"]
    assert isinstance(loss(), InfoNCELoss)
