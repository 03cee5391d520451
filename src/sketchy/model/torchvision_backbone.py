"""Backbones of torchvision. To add one: its line in `TORCHVISION_BACKBONES` of `sketchy.choices`.

A line names the function that removes the classifier in place and returns the number of features that remain.
"""

from pathlib import Path
from pkgutil import resolve_name

from torch import nn

from sketchy.choices import TORCHVISION_BACKBONES
from sketchy.errors import CheckpointError
from sketchy.model.backbone import Backbone
from sketchy.model.mobilenet_v2 import MobileNetV2
from sketchy.model.weights import classifier_weights, load_weights, read_state_dict

AUXILIARY = ("aux1.", "aux2.")
"""Prefixes of GoogLeNet's two auxiliary classifiers: in torchvision's file of weights, never in our network."""


def build_torchvision(name: str, pretrained: bool | str) -> Backbone:
    """Make a torchvision network without its classifier, for images of 3 channels.

    Args:
        name: A key of TORCHVISION_BACKBONES.
        pretrained: False draws random weights; True downloads torchvision's ImageNet weights; a path loads a plain
            state dict, with or without the classifiers.

    Raises:
        CheckpointError: The weights cannot be downloaded or read, or do not fit.
    """
    network = _torchvision_network(name, download=pretrained is True)
    state = network.state_dict()
    full = set(state)
    features: int = resolve_name(TORCHVISION_BACKBONES[name])(network)
    removed = full - set(network.state_dict())
    if isinstance(pretrained, str):
        state = read_state_dict(Path(pretrained))
        auxiliary = {key for key in state if key.startswith(AUXILIARY)}
        load_weights(network, state, pretrained, ignore=removed | auxiliary)
    return Backbone(network, features, 3, classifier_weights(state, removed, features) if pretrained else None)


def remove_fc(network: nn.Module) -> int:
    """Remove `fc`, a single Linear."""
    features = int(network.get_submodule("fc").in_features)  # type: ignore[arg-type]
    network.fc = nn.Identity()
    return features


def remove_classifier(network: nn.Module) -> int:
    """Remove `classifier`, whose first Linear takes the features."""
    first = next(m for m in network.get_submodule("classifier").modules() if isinstance(m, nn.Linear))
    network.classifier = nn.Identity()
    return first.in_features


def remove_vgg_classifier(network: nn.Module) -> int:
    """Pool to one pixel: 512 features at any input size, without the 120 million weights of the classifier."""
    network.avgpool = nn.AdaptiveAvgPool2d(1)
    network.classifier = nn.Identity()
    return 512


def remove_last_linear(network: nn.Module) -> int:
    """Keep the norm and the flattening, which come before the classifier's Linear."""
    classifier = network.get_submodule("classifier")
    features = int(classifier.get_submodule("2").in_features)  # type: ignore[arg-type]
    classifier.register_module("2", nn.Identity())
    return features


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
