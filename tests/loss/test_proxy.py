import math

import pytest
import torch
import torch.nn.functional as F

from sketchy.loss.batch import EmbeddedBatch
from sketchy.loss.proxy import HIGHEST_SCALE, ProxyLoss

LABELS = torch.tensor([0, 1, 2, 2])


def embeddings(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(seed)).unbind()


def made(smoothing: float = 0.0, scale: float = 8.0) -> ProxyLoss:
    torch.manual_seed(0)
    return ProxyLoss(3, 5, scale, smoothing)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_it_is_the_cross_entropy_of_scaled_cosines(smoothing):
    loss = made(smoothing)
    sketch, photo = embeddings()
    total = 0.0
    for embedding in (sketch, photo):
        for row, label in zip(embedding, LABELS.tolist(), strict=True):
            logits = (8 * F.cosine_similarity(row[None], loss.proxies.detach())).tolist()
            norm = math.log(sum(map(math.exp, logits)))
            target = [smoothing / 3 + (1 - smoothing) * (place == label) for place in range(3)]
            total -= sum(share * (logit - norm) for share, logit in zip(target, logits, strict=True))
    assert loss(EmbeddedBatch(sketch, photo, LABELS, LABELS)).loss.item() == pytest.approx(total / 8, rel=1e-4)


def test_an_embedding_at_its_proxy_is_classified_right():
    loss = made()
    at = loss.proxies.detach()[LABELS] * 3
    found = loss(EmbeddedBatch(at, at.flip(0), LABELS, LABELS))
    assert found.stats["sketch_accuracy"] == 1
    assert found.stats["photo_accuracy"] < 1


def test_length_does_not_matter():
    loss = made()
    sketch, photo = embeddings()
    torch.testing.assert_close(
        loss(EmbeddedBatch(sketch, photo, LABELS, LABELS)).loss,
        loss(EmbeddedBatch(7 * sketch, photo / 7, LABELS, LABELS)).loss,
    )


def test_the_scale_is_learnt_but_bounded():
    loss = made(scale=1000.0)
    sketch, photo = embeddings()
    loss(EmbeddedBatch(sketch, photo, LABELS, LABELS)).loss.backward()
    assert loss.log_scale.exp().item() == pytest.approx(HIGHEST_SCALE)
    assert loss.log_scale.grad.abs() > 0
    assert loss.proxies.grad.abs().sum() > 0


def test_shapes_that_do_not_fit_are_refused():
    sketch, photo = embeddings()
    with pytest.raises(ValueError, match="need"):
        made()(EmbeddedBatch(sketch, photo, LABELS[:, None], LABELS))
