from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sketchy.config_file import parse_config
from sketchy.errors import ConfigError
from sketchy.inference.torch_engine import embed_pixels
from sketchy.loss.bridge import BridgeLoss
from sketchy.loss.infonce import InfoNCELoss
from sketchy.loss.objective import Objective, Term
from sketchy.loss.proxy import ProxyLoss
from sketchy.model.encoder import build_encoder
from sketchy.progress import no_progress
from sketchy.trainer.bridge import named_anchors, start_bridge

SIDE, PHOTOS, SIZE = 32, 6, 16
ROWS = np.array([0, 1, 3, 5])


def made_trainer(*, spatial: bool, classes: torch.Tensor | None) -> SimpleNamespace:
    """What `start_bridge` reads of a trainer, with random photos."""
    torch.manual_seed(0)
    model = {"backbone": "mobilenet_v2", "embedding_size": SIZE, "normalize": True}
    if spatial:
        model |= {"embedding_size": 2 * SIZE, "spatial": {"block": 3, "grid": 2, "size": SIZE}}
    encoder = build_encoder(parse_config({"image": {"size": SIDE, "color": "rgb"}, "model": model}, "a test")).eval()
    encoder.classes = classes
    bridge = BridgeLoss(torch.zeros(2, 1000, dtype=torch.bool), PHOTOS, SIZE)
    photos = np.random.default_rng(0).integers(0, 256, (PHOTOS, 3, SIDE, SIDE)).astype(np.uint8)
    return SimpleNamespace(
        encoder=encoder,
        loss=Objective(InfoNCELoss(0.1, learn=False), {"bridge": Term(1.0, bridge, "mixed")}),
        images=SimpleNamespace(photos=photos),
    )


@pytest.mark.parametrize("spatial", [False, True])
def test_training_starts_where_photos_have_their_targets(spatial):
    trainer = made_trainer(spatial=spatial, classes=torch.randn(1000, 1280))
    start_bridge(trainer, ROWS, no_progress)
    bridge = trainer.loss.terms["bridge"]
    embedded = embed_pixels(trainer.encoder, trainer.images.photos, "photo", ROWS)[:, :SIZE]
    torch.testing.assert_close(embedded, bridge.targets[ROWS].float(), atol=2e-3, rtol=0)
    assert (bridge.targets[[2, 4]] == 0).all()


def test_anchors_keep_what_the_classifier_tells_apart():
    groups = torch.randn(4, 1280).repeat_interleave(250, 0)  # classes that differ in 3 directions only
    trainer = made_trainer(spatial=False, classes=groups + 0.01 * torch.randn(1000, 1280))
    start_bridge(trainer, ROWS, no_progress)
    anchors = trainer.loss.terms["bridge"].anchors
    torch.testing.assert_close(anchors.norm(dim=1), torch.ones(1000))
    closeness = (anchors @ anchors.T).unflatten(0, (4, 250)).unflatten(2, (4, 250)).mean((1, 3))
    assert (closeness.diagonal() > 0.95).all()
    assert (closeness - torch.diag(closeness.diagonal()) < 0.1).all()


def test_things_with_classes_have_an_anchor_by_name():
    trainer = made_trainer(spatial=False, classes=torch.randn(1000, 1280))
    start_bridge(trainer, ROWS, no_progress)
    named = named_anchors(trainer.loss, {})
    anchors = trainer.loss.terms["bridge"].anchors
    torch.testing.assert_close(named["zebra"].float(), anchors[340], atol=1e-3, rtol=0)
    assert "giraffe" not in named  # ImageNet has none
    assert named_anchors(Objective(InfoNCELoss(0.1, learn=False), {}), {}) is None


def test_a_category_of_the_dataset_is_searched_by_its_proxy():
    trainer = made_trainer(spatial=True, classes=torch.randn(1000, 1280))
    start_bridge(trainer, ROWS, no_progress)
    proxy = ProxyLoss(3, 2 * SIZE, scale=16.0, smoothing=0.0)  # the second is not trained on
    loss = Objective(InfoNCELoss(0.1, learn=False), {"bridge": Term(1.0, trainer.loss.terms["bridge"], "mixed"),
                                                     "proxy": Term(1.0, proxy, "category")})  # fmt: skip
    named, anchors = named_anchors(loss, {0: "zebra", 2: "kitten"}), named_anchors(trainer.loss, {})
    for row, name in ((0, "zebra"), (2, "cat")):
        expected = torch.nn.functional.normalize(proxy.proxies[row, :SIZE], dim=0)
        torch.testing.assert_close(named[name].float(), expected, atol=1e-3, rtol=0)
    assert torch.equal(named["dog"], anchors["dog"])
    assert named.keys() == anchors.keys()


def test_weights_without_a_classifier_are_an_error():
    with pytest.raises(ConfigError, match=r"terms.bridge_weight: the pretrained weights hold no ImageNet classifier"):
        start_bridge(made_trainer(spatial=False, classes=None), ROWS, no_progress)


def test_without_the_term_nothing_is_changed():
    trainer = made_trainer(spatial=False, classes=None)
    trainer.loss = Objective(InfoNCELoss(0.1, learn=False), {})
    before = trainer.encoder.head.weight.clone()
    start_bridge(trainer, ROWS, no_progress)
    assert torch.equal(trainer.encoder.head.weight, before)
