"""The tables of what a config can choose by name: the losses with their settings and terms, the samplers, and the
backbones.

An entry names its code as "module:function", for `pkgutil.resolve_name`. The module is imported when the loss or the
backbone is built, so that reading a config does not import torch.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from sketchy.section import Fixed, Free, Section

OWN_BACKBONES = {
    "report_cnn": "sketchy.model.own_backbone:report_cnn",
    "pooled_cnn": "sketchy.model.own_backbone:pooled_cnn",
}
"""Our own backbones: the function that builds each network, given the image size and the number of input channels."""

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
"""Networks of torchvision, by its names: the function that removes the classifier and returns its number of inputs."""

LITE_BACKBONES = {
    "efficientnet_lite0": (1.0, 1.0),
    "efficientnet_lite1": (1.0, 1.1),
    "efficientnet_lite2": (1.1, 1.2),
}
"""Networks whose weights the extra `pretrained` brings: their width and depth as factors of those of the first."""

BACKBONES = (*OWN_BACKBONES, *TORCHVISION_BACKBONES, *LITE_BACKBONES)
TIMM = "timm/"
"""Prefix of the names of backbones from the timm package."""
ONE_SIZE = ("report_cnn", TIMM)
"""Backbones, by prefix of their names, that accept only images of the size they were built for."""


Mining = Literal["random", "semi-hard", "batch-hard"]


class LossConfig(Section):
    """The settings of a loss.

    Attributes:
        code: The function that builds the loss from these settings and a generator.
        sampler: The sampler whose batches the loss needs.
    """

    code: ClassVar[str]
    sampler: ClassVar[Literal["pairs", "pk"]] = "pk"


class ContrastiveConfig(LossConfig):
    """The report's loss on random pairs."""

    code = "sketchy.loss.contrastive:build"
    sampler = "pairs"
    name: Fixed[Literal["contrastive"]] = "contrastive"
    margin: Fixed[float] = Field(2.0, gt=0, description="negative pairs are pushed apart up to this distance")


class TripletConfig(LossConfig):
    """Triplets of an anchor sketch, a positive photo and a negative photo."""

    code = "sketchy.loss.triplet:build"
    name: Fixed[Literal["triplet"]] = "triplet"
    margin: Fixed[float] = Field(0.3, gt=0, description="how much closer the positive must be than the negative")
    mining: Fixed[Mining] = Field(
        "semi-hard", description="which triplets of a batch count; batch-hard is the strictest and may collapse"
    )


class InfoNCEConfig(LossConfig):
    """Cross-entropy over the batch, from sketches to photos and from photos to sketches."""

    code = "sketchy.loss.infonce:build"
    name: Fixed[Literal["infonce"]] = "infonce"
    temperature: Fixed[float] = Field(0.1, gt=0, description="lower puts more weight on the hardest negatives")
    learn_temperature: Fixed[bool] = Field(False, description="train the temperature together with the weights")


Loss = Annotated[ContrastiveConfig | TripletConfig | InfoNCEConfig, Field(discriminator="name")]
"""The losses that a config can choose."""


class TermsConfig(Section):
    """Terms added to the loss; weight 0 leaves a term out."""

    proxy_weight: Fixed[float] = Field(
        0.0, ge=0, description="weight of a softmax over all categories, for sketches and photos alike"
    )
    proxy_scale: Fixed[float] = Field(16.0, gt=0, description="initial scale of its cosines; it is learnt")
    proxy_smoothing: Fixed[float] = Field(0.1, ge=0, lt=1, description="share of a label spread over all categories")
    instance_weight: Fixed[float] = Field(
        0.0, ge=0, description="weight of an InfoNCE loss that asks which of all photos was traced"
    )
    instance_temperature: Fixed[float] = Field(0.1, gt=0, description="its initial temperature; it is learnt")
    bridge_weight: Fixed[float] = Field(
        0.0,
        ge=0,
        description="weight of a softmax over ImageNet's classes, for sketches of any source whose names have some; "
        "photos are held where the pretrained network has them",
    )


class PairsConfig(Section):
    """Random pairs of a sketch and a photo, half of one category and half of two."""

    name: Free[Literal["pairs"]] = "pairs"
    batch_size: Free[int] = Field(64, ge=2, description="pairs per step")


class PKConfig(Section):
    """P categories with K sketches and K photos each."""

    name: Free[Literal["pk"]] = "pk"
    categories: Free[int] = Field(32, ge=2, description="P: categories in a batch")
    per_category: Free[int] = Field(2, ge=1, description="K: sketches, and photos, of each category")
    traced: Free[int] = Field(
        0, ge=0, description="how many of the K sketches come with the photo that they trace, where any does"
    )
    unpaired: Free[int] = Field(
        0, ge=0, description="sketches, and photos, added to a batch from categories that have fewer than K of either"
    )

    @model_validator(mode="after")
    def _no_more_than_drawn(self) -> "PKConfig":
        if self.traced > self.per_category:
            raise ValueError(f"traced: at most per_category, {self.per_category} (got {self.traced})")
        return self


Sampler = Annotated[PairsConfig | PKConfig, Field(discriminator="name")]
