import pytest
import torch

from sketchy.choices import BACKBONES
from sketchy.config_file import parse_config
from sketchy.model.domain_norm import select_norms
from sketchy.model.encoder import build_encoder
from sketchy.model.folding import folded, kept_folded


@pytest.mark.parametrize("name", sorted(set(BACKBONES) - {"vgg16", "resnet50"}))  # large, and built like others
def test_a_folded_network_gives_the_same_embeddings(name):
    tree = {"image": {"size": 64, "color": "rgb"}, "model": {"backbone": name, "pretrained": False}}
    torch.manual_seed(0)
    encoder = build_encoder(parse_config(tree, "a test"))
    pixels = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        encoder.train()(pixels, "photo")  # so that the norms hold something
        expected = encoder.eval()(pixels, "photo")
        found = folded(encoder)(pixels, "photo")
    assert torch.allclose(found, expected, atol=1e-4 * float(expected.abs().max()))


def test_norms_of_a_kind_are_folded_for_each_kind():
    tree = {"image": {"size": 64}, "model": {"backbone": "resnet18", "domain_norm": True}}
    torch.manual_seed(0)
    encoder = build_encoder(parse_config(tree, "a test"))
    pixels = torch.randint(0, 256, (4, 1, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        encoder.train()(pixels, "sketch")
        faster = folded(encoder)
        for kind in ("sketch", "photo"):
            expected = encoder.eval()(pixels, kind)
            assert torch.allclose(faster(pixels, kind), expected, atol=1e-4 * float(expected.abs().max()))
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in faster.modules())


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_no_batch_norm_is_left(name):
    encoder = build_encoder(parse_config({"model": {"backbone": name, "pretrained": False}}, "a test"))
    assert any(isinstance(part, torch.nn.BatchNorm2d) for part in encoder.modules())
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in folded(encoder).modules())


@pytest.mark.parametrize("domain_norm", [False, True])
def test_modules_that_are_kept_folded_compute_the_same_and_are_themselves_again(domain_norm):
    tree = {"image": {"size": 64}, "model": {"backbone": "mobilenet_v2", "domain_norm": domain_norm}}
    torch.manual_seed(0)
    backbone = build_encoder(parse_config(tree, "a test")).backbone
    pixels = torch.randn(4, 3, 64, 64)
    with torch.no_grad():
        for kind in ("sketch", "photo"):
            select_norms(backbone, kind)
            backbone.train()(pixels * (2 if kind == "sketch" else 1))
        backbone.eval()
        names = list(backbone.state_dict())
        for kind in ("sketch", "photo"):
            select_norms(backbone, kind)
            expected = backbone(pixels)
            with kept_folded(backbone.features[:7]):
                found = backbone(pixels)
                assert list(backbone.state_dict()) == names
            assert not torch.equal(found, expected)  # rounded elsewhere
            assert torch.allclose(found, expected, atol=1e-4 * float(expected.abs().max()))
            assert torch.equal(backbone(pixels), expected)
