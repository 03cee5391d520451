"""Backbones: images in, features out. One line of OWN or TORCHVISION each, or a name that timm knows."""

import itertools
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sketchy.config import TIMM
from sketchy.errors import CheckpointError, ConfigError
from sketchy.extras import require
from sketchy.model.mobilenet_v2 import MobileNetV2
from sketchy.storage import os_reason


class Backbone(NamedTuple):
    """A network without its classifier.

    Attributes:
        network: (B, in_channels, S, S) float to (B, features) float.
        features: numbers it gives an image.
        in_channels: 1 or 3.
    """

    network: nn.Module
    features: int
    in_channels: int


def report_cnn(size: int, in_channels: int) -> Backbone:
    """Make the report's network up to its last layer.

    Three times Conv2d, ReLU, BatchNorm2d, then Linear, ReLU, Linear, ReLU; the encoder's head is the third Linear,
    with no activation after it. The report gives neither channels nor widths: 4, 8, 8 and 500, 500 are those of the
    Siamese tutorial that its design descends from. The first Linear holds nearly all weights: 8 x size² x 500, 40
    million at 100 px.
    """
    widths = (in_channels, 4, 8, 8)
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(after)]
    layers += [nn.Flatten(), nn.Linear(8 * size**2, 500), nn.ReLU(), nn.Linear(500, 500), nn.ReLU()]
    return Backbone(nn.Sequential(*layers), 500, in_channels)


def pooled_cnn(size: int, in_channels: int) -> Backbone:
    """Make the report's network with what it lacks: each convolution halves the image, and the last is averaged.

    So it has 0.1 million weights in place of 40, and wider layers: 32, 64, 128 channels. It takes images of any size.
    """
    widths = (in_channels, 32, 64, 128)
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(after), nn.MaxPool2d(2)]
    return Backbone(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), widths[-1], in_channels)


def _without_fc(network: nn.Module) -> int:
    features = int(network.get_submodule("fc").in_features)  # type: ignore[arg-type]
    network.fc = nn.Identity()
    return features


def _without_classifier(network: nn.Module) -> int:
    first = next(m for m in network.get_submodule("classifier").modules() if isinstance(m, nn.Linear))
    network.classifier = nn.Identity()
    return first.in_features


def _without_vgg_classifier(network: nn.Module) -> int:
    """Pool to one pixel: 512 features at any input size, without the 120 million weights of the classifier."""
    network.avgpool = nn.AdaptiveAvgPool2d(1)
    network.classifier = nn.Identity()
    return 512


def _without_convnext_linear(network: nn.Module) -> int:
    """Keep the norm and the flattening, which come before the classifier's Linear."""
    classifier = network.get_submodule("classifier")
    features = int(classifier.get_submodule("2").in_features)  # type: ignore[arg-type]
    classifier.register_module("2", nn.Identity())
    return features


OWN: dict[str, Callable[[int, int], Backbone]] = {"report_cnn": report_cnn, "pooled_cnn": pooled_cnn}
"""Name to the function that makes one of our networks for a size of image and a number of channels."""

TORCHVISION: dict[str, Callable[[nn.Module], int]] = {
    "vgg16": _without_vgg_classifier,
    "googlenet": _without_fc,
    "resnet18": _without_fc,
    "resnet50": _without_fc,
    "mobilenet_v2": _without_classifier,
    "mobilenet_v3_large": _without_classifier,
    "efficientnet_b0": _without_classifier,
    "convnext_tiny": _without_convnext_linear,
}
"""Name to the function that takes the classifier off a torchvision network and returns its number of features."""

AUXILIARY = ("aux1.", "aux2.")
"""Prefixes of GoogLeNet's two more classifiers: in torchvision's file of weights, never in our network."""


def build_backbone(name: str, *, size: int, grey: bool, pretrained: bool | str) -> Backbone:
    """Make a backbone.

    Args:
        name: a key of OWN or TORCHVISION, or `timm/` and a name of timm's.
        size: side of the input in pixels; report_cnn and timm's transformers depend on it.
        grey: photos are grey; our own networks then take one channel. The others always take three.
        pretrained: False draws random weights; True downloads torchvision's ImageNet weights, or timm's; a path loads
            a plain state dict of the torchvision or timm network, with or without its classifiers.

    Raises:
        ConfigError: the name is unknown, or one of ours is asked for pretrained weights.
        MissingExtraError: timm is not installed.
        CheckpointError: the weights cannot be had or do not fit.
    """
    if name.startswith(TIMM):
        require("timm", f"model.backbone: {name}")
        from sketchy.model.timm_backbone import build_timm  # timm is slow to import

        return build_timm(name.removeprefix(TIMM), size=size, pretrained=pretrained)
    if name in OWN:
        if pretrained:
            raise ConfigError(f"model.pretrained: no weights exist for {name}; set it to false")
        return OWN[name](size, 1 if grey else 3)
    if name not in TORCHVISION:
        raise ConfigError(f"model.backbone: {name!r} is unknown; one of {', '.join([*OWN, *TORCHVISION])}")
    network = _torchvision_network(name, download=pretrained is True)
    full = set(network.state_dict())
    features = TORCHVISION[name](network)
    if isinstance(pretrained, str):
        state = read_state_dict(Path(pretrained))
        removed = full - set(network.state_dict())
        auxiliary = {key for key in state if key.startswith(AUXILIARY)}
        load_weights(network, state, pretrained, ignore=removed | auxiliary)
    return Backbone(network, features, 3)


def load_weights(network: nn.Module, state: dict[str, Tensor], origin: str, ignore: Iterable[str] = ()) -> None:
    """Load a state dict, naming what does not fit.

    Args:
        network: what is loaded into.
        state: name to tensor.
        origin: where the state comes from, for the message.
        ignore: names in `state` that need no home.

    Raises:
        CheckpointError: a name is missing, left over or of another shape.
    """
    own = network.state_dict()
    given = {name: state[name] for name in state.keys() - set(ignore)}
    # Files older than the counter of batches, torchvision's own among them, lack it; torch then starts it at 0.
    missing = {name for name in own.keys() - given.keys() if not name.endswith(".num_batches_tracked")}
    wrong = [
        *(f"missing {name}" for name in missing),
        *(f"left over {name}" for name in given.keys() - own.keys()),
        *(
            f"{name} is {tuple(given[name].shape)}, not {tuple(own[name].shape)}"
            for name in own.keys() & given.keys()
            if own[name].shape != given[name].shape
        ),
    ]
    if wrong:
        more = f" and {len(wrong) - 4} more" if len(wrong) > 4 else ""
        named = ", ".join(sorted(wrong)[:4])
        raise CheckpointError(f"the weights do not fit; {origin}: {named}{more}; check model.backbone and image.size")
    network.load_state_dict(given)


def unreadable(error: Exception) -> str:
    """Say in half a sentence why `torch.load` refused a file; its own text advises to switch the safety off."""
    if "GLOBAL" in str(error):  # how torch names a class or function in a pickle
        return "holds more than tensors and plain values and could run code; it was refused"
    if isinstance(error, OSError) and error.errno:
        return f"cannot be read ({os_reason(error).lower()})"
    return "cannot be read (truncated, or no .pth)"


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read a file of weights onto the CPU without running any code in it.

    Raises:
        CheckpointError: it cannot be read, or holds something else than named tensors.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles that no torch wrote; they are refused anyhow
            state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"no such file of weights: {path}; check model.pretrained") from None
    except Exception as error:  # torch raises a dozen kinds for a file that is not what it should be
        raise CheckpointError(f"{path} {unreadable(error)}; model.pretrained takes a plain state dict") from None
    if not isinstance(state, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise CheckpointError(f"{path} is no plain state dict of tensors; save `model.state_dict()` there")
    return state


def _torchvision_network(name: str, *, download: bool) -> nn.Module:
    if name == "mobilenet_v2" and not download:
        return MobileNetV2()
    import torchvision  # takes as long as torch

    extra: dict[str, bool] = {}
    if name == "googlenet":
        # Its weights want [-1, 1]. Torchvision rescales to that with downloaded weights only; a network that is rebuilt
        # from a checkpoint must do the same.
        extra["transform_input"] = True
        if not download:  # with weights torchvision drops the auxiliary classifiers by itself
            extra |= {"aux_logits": False, "init_weights": False}
    try:
        network: nn.Module = torchvision.models.get_model(name, weights="DEFAULT" if download else None, **extra)
    except (OSError, RuntimeError) as error:  # RuntimeError: another hash than torchvision knows, or a broken copy
        raise CheckpointError(
            f"cannot download the ImageNet weights of {name}: {error}; set model.pretrained to a file that you have"
        ) from None
    return network
