import math

import pytest
import torch
import torch.nn.functional as F

from sketchy.loss.batch import EmbeddedBatch
from sketchy.loss.bridge import SCALE, BridgeLoss

CLASSES = torch.tensor([[1, 1, 0, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0]]).bool()
LABELS = torch.tensor([0, 1, 2, 0])
INDICES = torch.tensor([5, 0, 3, 3])


def embeddings(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(seed)).unbind()


def made() -> BridgeLoss:
    generator = torch.Generator().manual_seed(1)
    loss = BridgeLoss(CLASSES, photos=6, size=4)
    loss.start(torch.randn(5, 4, generator=generator), torch.randn(6, 4, generator=generator))
    return loss


def probabilities(loss: BridgeLoss, vector: torch.Tensor) -> list[float]:
    """Softmax of the scaled cosines of the first four dimensions with the anchors."""
    logits = [SCALE * F.cosine_similarity(vector[:4], anchor, dim=0).item() for anchor in loss.anchors]
    total = sum(map(math.exp, logits))
    return [math.exp(logit) / total for logit in logits]


def test_it_is_the_entropy_of_the_summed_classes_and_the_divergence_from_the_targets():
    loss = made()
    sketch, photo = embeddings()
    named = [
        -math.log(sum(p for p, own in zip(probabilities(loss, row), CLASSES[label].tolist(), strict=True) if own))
        for row, label in zip(sketch, LABELS.tolist(), strict=True)
        if CLASSES[label].any()
    ]
    kept = [
        sum(
            p * math.log(p / q)
            for p, q in zip(probabilities(loss, loss.targets[index].float()), probabilities(loss, row), strict=True)
        )
        for row, index in zip(photo, INDICES.tolist(), strict=True)
    ]
    assert len(named) == 3
    expected = sum(named) / 3 + sum(kept) / 4
    assert loss(EmbeddedBatch(sketch, photo, LABELS, INDICES)).loss.item() == pytest.approx(expected, rel=1e-3)


def test_photos_at_their_targets_and_sketches_at_their_anchors_have_next_to_no_loss():
    loss = made()
    photo = F.pad(loss.targets[INDICES].float(), (0, 2))
    sketch = F.pad(loss.anchors[[0, 3, 4, 1]], (0, 2))
    found = loss(EmbeddedBatch(sketch, photo, LABELS, INDICES))
    assert found.stats["photo_agreement"] == 1
    assert found.stats["sketch_accuracy"] == 1
    assert found.loss < loss(EmbeddedBatch(sketch.flip(0), photo, LABELS, INDICES)).loss / 10


def test_sketches_whose_names_have_no_class_have_no_gradient():
    sketch, photo = embeddings()
    sketch.requires_grad_()
    made()(EmbeddedBatch(sketch, photo, LABELS, INDICES)).loss.backward()
    assert (sketch.grad[2] == 0).all()
    assert (sketch.grad[[0, 1, 3], :4] != 0).all()
    assert (sketch.grad[:, 4:] == 0).all()


def test_a_batch_without_any_class_teaches_photos_only():
    sketch, photo = embeddings()
    nothing = torch.full((4,), 2)
    found = made()(EmbeddedBatch(sketch, photo, nothing, INDICES))
    assert found.stats["sketch_accuracy"] == 0
    assert found.loss == made()(EmbeddedBatch(sketch.flip(0), photo, nothing, INDICES)).loss


def test_its_state_holds_anchors_and_targets_for_a_run_that_is_resumed():
    resumed = BridgeLoss(CLASSES, photos=6, size=4)
    resumed.load_state_dict(made().state_dict())
    sketch, photo = embeddings()
    assert (
        resumed(EmbeddedBatch(sketch, photo, LABELS, INDICES)).loss
        == made()(EmbeddedBatch(sketch, photo, LABELS, INDICES)).loss
    )


def test_the_direction_of_a_thing_lies_between_the_anchors_of_its_classes():
    loss = made()
    found = loss.directions([[3], [0, 1]])
    torch.testing.assert_close(found[0], loss.anchors[3])
    torch.testing.assert_close(found[1], F.normalize(loss.anchors[0] + loss.anchors[1], dim=0))


def test_shapes_that_do_not_agree_are_refused():
    sketch, photo = embeddings()
    with pytest.raises(ValueError, match="labels"):
        made()(EmbeddedBatch(sketch, photo, LABELS[:3], INDICES))
