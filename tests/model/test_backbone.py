import sys
from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models import _api as torchvision_api

from sketchy.choices import BACKBONES, OWN_BACKBONES
from sketchy.config_file import parse_config
from sketchy.errors import CheckpointError, ConfigError, MissingExtraError
from sketchy.model.backbone import build_backbone
from sketchy.model.encoder import build_encoder
from sketchy.model.weights import load_weights

SHARED = Path(__file__).resolve().parents[3] / "shared" / "weights" / "mobilenet_v2_imagenet.pth"


def build(name: str = "mobilenet_v2", *, size: int = 64, grey: bool = True, pretrained: bool | str = False):
    return build_backbone(name, size=size, grey=grey, pretrained=pretrained)


def saved(tmp_path: Path, content: object) -> str:
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    return str(path)


@pytest.fixture(scope="module")
def mobilenet() -> dict[str, torch.Tensor]:
    """The state dict of a random MobileNetV2 with its classifier."""
    torch.manual_seed(7)
    return torchvision.models.mobilenet_v2().state_dict()


@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone_turns_images_into_as_many_features_as_it_says(name):
    backbone = build(name)
    assert backbone.in_channels == (1 if name in OWN_BACKBONES else 3)
    backbone.network.eval()
    with torch.no_grad():
        features = backbone.network(torch.rand(2, backbone.in_channels, 64, 64))
    assert features.shape == (2, backbone.features)
    assert features.isfinite().all()
    assert not any(getattr(module, "out_features", 0) == 1000 for module in backbone.network.modules())


@pytest.mark.parametrize("name", ["googlenet", "mobilenet_v3_large"])
def test_a_backbone_gives_one_tensor_in_training_too(name):
    backbone = build(name)
    assert backbone.network.train()(torch.rand(2, 3, 64, 64)).shape == (2, backbone.features)


def test_the_reports_network_is_layer_by_layer_that_of_the_report():
    encoder = build_encoder(parse_config({}, "test"))
    kinds = [type(module) for module in encoder.backbone]
    block = [nn.Conv2d, nn.ReLU, nn.BatchNorm2d]
    assert kinds == [*block, *block, *block, nn.Flatten, nn.Linear, nn.ReLU, nn.Linear, nn.ReLU]
    assert type(encoder.head) is nn.Linear
    convolutions = [module for module in encoder.backbone if isinstance(module, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels, c.kernel_size, c.stride, c.padding) for c in convolutions] == [
        (1, 4, (3, 3), (1, 1), (1, 1)),
        (4, 8, (3, 3), (1, 1), (1, 1)),
        (8, 8, (3, 3), (1, 1), (1, 1)),
    ]
    linears = [encoder.backbone[10], encoder.backbone[12], encoder.head]
    assert [(linear.in_features, linear.out_features) for linear in linears] == [
        (8 * 100 * 100, 500),
        (500, 500),
        (500, 128),
    ]
    assert encoder.eval()(torch.zeros(2, 1, 100, 100, dtype=torch.uint8), "photo").shape == (2, 128)


def test_no_activation_follows_the_head():
    torch.manual_seed(0)
    config = parse_config({"image": {"size": 16}}, "test")
    embedding = build_encoder(config).eval()(torch.randint(0, 256, (8, 1, 16, 16), dtype=torch.uint8), "photo")
    assert (embedding < 0).any()
    assert (embedding > 0).any()


def test_the_reports_network_takes_three_channels_of_coloured_photos():
    backbone = build("report_cnn", size=16, grey=False)
    assert backbone.in_channels == 3
    assert backbone.network(torch.rand(2, 3, 16, 16)).shape == (2, 500)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(
        ConfigError, match=r"model.backbone: 'resnet' is unknown; one of report_cnn, pooled_cnn, vgg16, googlenet"
    ):
        build("resnet")


def test_without_the_timm_package_its_names_say_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingExtraError, match=r"model.backbone: timm/test_vit needs timm, .*search\[timm\]'"):
        build("timm/test_vit")


@pytest.mark.parametrize("pretrained", [True, "weights.pth"])
def test_the_reports_network_has_no_pretrained_weights(pretrained):
    with pytest.raises(ConfigError, match="no weights exist for report_cnn"):
        build("report_cnn", pretrained=pretrained)


def test_a_file_with_the_classifier_is_loaded_without_it(tmp_path, mobilenet):
    network = build(pretrained=saved(tmp_path, mobilenet)).network
    own = network.state_dict()
    assert not any(name.startswith("classifier") for name in own)
    assert len(own) == len(mobilenet) - 2
    assert all(torch.equal(own[name], mobilenet[name]) for name in own)


def test_the_weights_of_the_classes_are_kept_beside_the_network(tmp_path, mobilenet):
    assert torch.equal(build(pretrained=saved(tmp_path, mobilenet)).classes, mobilenet["classifier.1.weight"])
    assert build().classes is None
    headless = {name: value for name, value in mobilenet.items() if not name.startswith("classifier.")}
    assert build(pretrained=saved(tmp_path, headless)).classes is None


def test_a_file_without_the_classifier_is_loaded(tmp_path, mobilenet):
    beheaded = {name: tensor for name, tensor in mobilenet.items() if not name.startswith("classifier")}
    own = build(pretrained=saved(tmp_path, beheaded)).network.state_dict()
    assert all(torch.equal(own[name], beheaded[name]) for name in own)


def test_the_layers_before_a_classifiers_last_are_kept(tmp_path):
    torch.manual_seed(1)
    whole = torchvision.models.convnext_tiny().eval()
    network = build("convnext_tiny", pretrained=saved(tmp_path, whole.state_dict())).network.eval()
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(whole.classifier[2](network(image)), whole(image))


def test_a_file_without_counters_of_batches_is_loaded(tmp_path, mobilenet):
    old = {name: tensor for name, tensor in mobilenet.items() if not name.endswith("num_batches_tracked")}
    assert len(old) < len(mobilenet)
    own = build(pretrained=saved(tmp_path, old)).network.state_dict()
    assert torch.equal(own["features.0.0.weight"], mobilenet["features.0.0.weight"])
    assert own["features.0.1.num_batches_tracked"] == 0


def googlenet_file() -> dict[str, torch.Tensor]:
    """What torchvision's file holds: the two auxiliary classifiers as well."""
    torch.manual_seed(2)
    return torchvision.models.googlenet(aux_logits=True, init_weights=False).state_dict()


def test_a_file_with_auxiliary_classifiers_is_loaded_without_them(tmp_path):
    state = googlenet_file()
    assert any(name.startswith("aux1.") for name in state)
    own = build("googlenet", pretrained=saved(tmp_path, state)).network.state_dict()
    assert not any(name.startswith(("aux", "fc")) for name in own)
    assert torch.equal(own["conv1.conv.weight"], state["conv1.conv.weight"])


@pytest.mark.parametrize("name", ["googlenet", "mobilenet_v2"])
def test_downloaded_weights_compute_the_same_when_they_come_from_a_file(name, tmp_path, monkeypatch, mobilenet):
    state = googlenet_file() if name == "googlenet" else mobilenet
    monkeypatch.setattr(torchvision_api, "load_state_dict_from_url", lambda url, **options: state)
    downloaded = build(name, pretrained=True).network.eval()
    read = build(name, pretrained=saved(tmp_path, state)).network.eval()
    bare = build(name).network.eval()
    load_weights(bare, downloaded.state_dict(), "test")  # as when a checkpoint is loaded
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = downloaded(image)
        assert torch.equal(read(image), expected)
        assert torch.equal(bare(image), expected)


@pytest.mark.parametrize(
    "failure", [OSError("<urlopen error no route>"), RuntimeError("invalid hash value"), ConnectionResetError("reset")]
)
def test_a_download_that_fails_names_the_remedy(monkeypatch, failure):
    def fail(url, **options):
        raise failure

    monkeypatch.setattr(torchvision_api, "load_state_dict_from_url", fail)
    with pytest.raises(CheckpointError, match=r"cannot download .* resnet18: .*; set model.pretrained to a file"):
        build("resnet18", pretrained=True)


def test_weights_of_another_network_are_refused_by_name(tmp_path, mobilenet):
    path = saved(tmp_path, mobilenet)
    with pytest.raises(CheckpointError) as caught:
        build("resnet18", pretrained=path)
    message = str(caught.value)
    assert path in message
    assert "left over classifier.1.bias" in message
    assert " more; check model.backbone" in message


@pytest.mark.skipif(not SHARED.exists(), reason=f"{SHARED.name} is not beside the repository")
def test_real_imagenet_weights_load():
    network = build(pretrained=str(SHARED), size=224).network.eval()
    state = torch.load(SHARED, weights_only=True)
    own = network.state_dict()
    assert all(torch.equal(own[name], state[name]) for name in own if not name.endswith("num_batches_tracked"))
    with torch.no_grad():
        features = network(torch.zeros(1, 3, 96, 96))
    assert 0 < features.mean() < 10
