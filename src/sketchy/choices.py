"""What a config can choose by name: the losses with their settings, and the backbones. The one table of each.

The code behind a name is imported when it is built, so that reading a config needs no torch. An entry gives it as
"module:function", for `pkgutil.resolve_name`.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sketchy.section import Fixed, Section

OWN_BACKBONES = {
    "report_cnn": "sketchy.model.own_backbone:report_cnn",
    "pooled_cnn": "sketchy.model.own_backbone:pooled_cnn",
}
"""Name to the function that makes the network for an image size and a number of input channels."""

TORCHVISION_BACKBONES = {
    "vgg16": "sketchy.model.torchvision_backbone:remove_vgg_classifier",
    "googlenet": "sketchy.model.torchvision_backbone:remove_fc",
    "resnet18": "sketchy.model.torchvision_backbone:remove_fc",
    "resnet50": "sketchy.model.torchvision_backbone:remove_fc",
    "mobilenet_v2": "sketchy.model.torchvision_backbone:remove_classifier",
    "mobilenet_v3_large": "sketchy.model.torchvision_backbone:remove_classifier",
    "efficientnet_b0": "sketchy.model.torchvision_backbone:remove_classifier",
    "convnext_tiny": "sketchy.model.torchvision_backbone:remove_last_linear",
}
"""torchvision's name to the function that removes the classifier and returns the number of features before it."""

BACKBONES = (*OWN_BACKBONES, *TORCHVISION_BACKBONES)
TIMM = "timm/"
"""Prefix of the name of a backbone that the timm package makes."""
ONE_SIZE = ("report_cnn", TIMM)
"""Backbones, by prefix, that take images of one size only."""


class LossConfig(Section):
    """The settings of a loss.

    Attributes:
        code: the function that makes the loss from these settings and a generator.
        feeds_on: the sampler whose batches the loss needs.
    """

    code: ClassVar[str]
    feeds_on: ClassVar[Literal["pairs", "pk"]] = "pk"


class ContrastiveConfig(LossConfig):
    """The report's loss on random pairs."""

    code = "sketchy.loss.contrastive:build"
    feeds_on = "pairs"
    name: Fixed[Literal["contrastive"]] = "contrastive"
    margin: Fixed[float] = Field(2.0, gt=0, description="pairs of two categories are pushed apart up to this distance")


class TripletConfig(LossConfig):
    """Anchor sketch, positive photo, negative photo."""

    code = "sketchy.loss.triplet:build"
    name: Fixed[Literal["triplet"]] = "triplet"
    margin: Fixed[float] = Field(0.3, gt=0, description="how much closer the positive must be than the negative")
    mining: Fixed[Literal["random", "semi-hard", "batch-hard"]] = Field(
        "semi-hard", description="which triplets of a batch count; batch-hard is the strictest and may collapse"
    )


class InfoNCEConfig(LossConfig):
    """Softmax over the batch, sketches to photos and photos to sketches."""

    code = "sketchy.loss.infonce:build"
    name: Fixed[Literal["infonce"]] = "infonce"
    temperature: Fixed[float] = Field(0.1, gt=0, description="lower puts more weight on the hardest negatives")
    learn_temperature: Fixed[bool] = Field(False, description="train the temperature together with the weights")


Loss = Annotated[ContrastiveConfig | TripletConfig | InfoNCEConfig, Field(discriminator="name")]
"""The losses that a config can choose."""
