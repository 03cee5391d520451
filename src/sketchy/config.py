"""The typed config: every setting, its default, its range and what it does.

`sketchy.config_file` makes one of YAML. Only builders and commands see these classes; everything else takes plain
arguments.
"""

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from sketchy.paths import expanded

BackboneName = Literal[
    "report_cnn",
    "pooled_cnn",
    "vgg16",
    "googlenet",
    "resnet18",
    "resnet50",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "efficientnet_b0",
    "convnext_tiny",
]
TIMM = "timm/"
"""What the name of a backbone begins with when the timm package makes it."""


def _known_backbone(name: str) -> str:
    """Take a name of ours or one that may be timm's; timm itself is asked only when the network is built."""
    known = get_args(BackboneName)
    if name not in known and not re.fullmatch(TIMM + r"\w[\w.]*", name, re.ASCII):
        raise ValueError(f"Input should be {', '.join(map(repr, known))} or {TIMM}<model name> (got {name!r})")
    return name


HeldOut = Literal["zero-shot-25", "zero-shot-21"]


def _spread(value: Any) -> Any:
    """Take one number for all three colours."""
    if isinstance(value, list | tuple):
        if len(value) != 3:
            raise ValueError(f"a number or a list of three (got {value!r})")
        return value
    return (value, value, value)


FileName = Annotated[str, AfterValidator(expanded)]
PerColor = Annotated[tuple[float, float, float], BeforeValidator(_spread)]


class Section(BaseModel):
    """A part of the config: frozen, closed to unknown keys and to numbers that are none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataConfig(Section):
    """Where the photos and sketches come from, and how they are split."""

    root: FileName = Field("data/sketchy", description="folder, .zip or .tar that holds photo/ and sketch/")
    photo_rendering: str | None = Field(
        None, description="tx_... folder of photos to use; null takes tx_000000000000, else the first"
    )
    sketch_rendering: str | None = Field(None, description="the same for sketches")
    test_fraction: float = Field(0.2, gt=0, lt=1, description="share of each category's photos held out")
    val_fraction: float = Field(
        0.1, ge=0, lt=1, description="share of the remaining photos to choose epochs by; 0 trains on them all"
    )
    extra_sketches: FileName | None = Field(
        None,
        description="folder, .zip or .tar of <category>/<sketch>, such as TU-Berlin; test_fraction of it is left out",
    )
    split_seed: int = Field(0, ge=0, description="another seed holds out other photos")
    held_out: HeldOut | None = Field(
        None, description="protocol whose 25 or 21 categories are kept for its evaluation; null trains on all"
    )
    cache: FileName | None = Field(
        None, description="folder of the packed images; null takes $SKETCHY_CACHE or the user's cache folder"
    )


class ImageConfig(Section):
    """What the network sees of an image. Saved with the weights: inference does the same."""

    size: int = Field(100, ge=16, le=1024, description="side in pixels; cost grows with its square")
    sketch_size: int | None = Field(
        None, ge=16, le=1024, description="side of sketches where it is another: lines need fewer pixels than photos"
    )
    color: Literal["grey", "rgb"] = Field("grey", description="of photos; a sketch is always grey")
    sketch_crop: float = Field(
        0.5,
        ge=0,
        le=1,
        description="crop to the ink when it spans at most this share of the canvas; 0 never, 1 always",
    )
    mean: PerColor = Field((0.0, 0.0, 0.0), description="subtracted from pixels in [0, 1]; a number or one per colour")
    std: PerColor = Field(
        (1.0, 1.0, 1.0), description="divides after that; must be what pretrained weights were trained with"
    )

    @field_validator("std")
    @classmethod
    def _positive(cls, std: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(std) <= 0:
            raise ValueError(f"must be above 0 (got {list(std)})")
        return std


class AugmentConfig(Section):
    """Random changes to every training image; none by default, as in the report."""

    flip: float = Field(0.0, ge=0, le=1, description="share of the pairs mirrored, sketch and photo together")
    rotate: float = Field(0.0, ge=0, le=180, description="degrees to either side")
    scale: float = Field(0.0, ge=0, le=1, description="zoom in or out by up to 1 + this")
    shift: float = Field(0.0, ge=0, le=0.5, description="share of the side, to any side")
    crop: float = Field(0.0, ge=0, lt=1, description="up to this share of a photo's side is cut away")
    stroke: float = Field(0.0, ge=0, le=1, description="share of the sketches drawn with a thicker pen")
    color: float = Field(0.0, ge=0, lt=1, description="change of a photo's brightness, contrast and saturation")
    photo_size: int | None = Field(
        None,
        ge=16,
        le=1024,
        description="side in pixels that training sees of photos, null takes image.size; smaller is cheaper, and with "
        "`crop` things look as large to it as they will in whole photos",
    )


class LayoutConfig(Section):
    """A part of the embedding that knows where things lie: a block in the middle of the network, on a grid."""

    block: int = Field(10, ge=0, description="place of the block in the backbone's `features`")
    grid: int = Field(7, ge=2, le=16, description="cells a side, over each of which the block is averaged")
    size: int = Field(64, ge=1, le=4096, description="numbers of the embedding that it takes")
    share: float = Field(
        0.15, gt=0, lt=1, description="of the squared distance; more finds the very photo, less its like"
    )


class ModelConfig(Section):
    """The network that both branches share."""

    backbone: Annotated[str, AfterValidator(_known_backbone)] = Field(
        "report_cnn",
        description="report_cnn, pooled_cnn, a torchvision network, or timm/<model name>",
    )
    pretrained: bool | FileName = Field(
        False, description="true downloads torchvision's or timm's weights; a path loads a plain state dict"
    )
    embedding_size: int = Field(128, ge=1, le=4096, description="numbers an image; more cost disk and search time")
    dropout: float = Field(0.0, ge=0, lt=1, description="before the last layer; fights memorising")
    normalize: bool = Field(False, description="put embeddings on the unit sphere, where distances are at most 2")
    domain_norm: bool = Field(False, description="batch norms of their own for sketches and for photos")
    layout: LayoutConfig | None = Field(None, description="where things lie, beside what they are; null leaves it out")

    @model_validator(mode="after")
    def _on_spheres(self) -> "ModelConfig":
        if self.layout and not self.normalize:
            raise ValueError("layout: shares out the distance of embeddings of length 1; set normalize to true")
        return self


class ContrastiveConfig(Section):
    """The report's loss on random pairs."""

    name: Literal["contrastive"] = "contrastive"
    margin: float = Field(2.0, gt=0, description="different pairs are pushed apart up to this distance")


class TripletConfig(Section):
    """Anchor sketch, positive photo, negative photo."""

    name: Literal["triplet"] = "triplet"
    margin: float = Field(0.3, gt=0, description="how much closer the positive must be than the negative")
    mining: Literal["random", "semi-hard", "batch-hard"] = Field(
        "semi-hard",
        description="which triplets of a batch count; batch-hard is the strictest and may collapse",
    )


class InfoNCEConfig(Section):
    """Softmax over the batch, sketches to photos and photos to sketches."""

    name: Literal["infonce"] = "infonce"
    temperature: float = Field(0.1, gt=0, description="lower looks only at the hardest negatives")
    learn_temperature: bool = Field(False, description="train the temperature with the weights")


LossConfig = Annotated[ContrastiveConfig | TripletConfig | InfoNCEConfig, Field(discriminator="name")]


class TermsConfig(Section):
    """What is added to the loss; weight 0 leaves a term out."""

    proxy_weight: float = Field(0.0, ge=0, description="of a softmax over all categories, sketches and photos alike")
    proxy_scale: float = Field(16.0, gt=0, description="what its cosines are multiplied by at first; it is learnt")
    proxy_smoothing: float = Field(0.1, ge=0, lt=1, description="share of a label spread over all categories")
    instance_weight: float = Field(0.0, ge=0, description="of an InfoNCE loss on which of all photos was traced")
    instance_temperature: float = Field(0.1, gt=0, description="of that, at first; it is learnt")


class PairsConfig(Section):
    """Random pairs of a sketch and a photo, half of one category and half of two."""

    name: Literal["pairs"] = "pairs"
    batch_size: int = Field(64, ge=2, description="pairs a step")


class PKConfig(Section):
    """P categories with K sketches and K photos each."""

    name: Literal["pk"] = "pk"
    categories: int = Field(32, ge=2, description="P: categories in a batch")
    per_category: int = Field(2, ge=1, description="K: sketches, and photos, of each")
    traced: int = Field(0, ge=0, description="how many of the K sketches stand beside the very photo that they trace")

    @model_validator(mode="after")
    def _no_more_than_drawn(self) -> "PKConfig":
        if self.traced > self.per_category:
            raise ValueError(f"traced: at most per_category, {self.per_category} (got {self.traced})")
        return self


SamplerConfig = Annotated[PairsConfig | PKConfig, Field(discriminator="name")]


class TrainConfig(Section):
    """The loop."""

    epochs: int = Field(200, ge=1, description="an epoch draws as many sketches as there are to train on")
    seed: int = Field(0, ge=0, description="of weights, batches and dropout")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N; auto takes the GPUs that are there")
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        "float32", description="of the forward pass; the halves are for GPUs, float16 needs one"
    )
    compile: bool = Field(False, description="compile the network first, which takes minutes: for GPUs, and report_cnn")
    optimizer: Literal["adam", "adamw"] = Field("adam", description="adamw keeps weight decay apart")
    learning_rate: float = Field(0.0005, gt=0, le=1, description="the highest one of the schedule")
    backbone_rate: float = Field(
        1.0, gt=0, le=1, description="factor of that for the backbone: below 1 keeps more of what it has learnt before"
    )
    freeze: tuple[str, ...] = Field(
        (), description="modules of the backbone that stay as they are, such as features.[0-6]; '*' is all of it"
    )
    weight_decay: float = Field(0.0, ge=0, le=1, description="pulls weights to 0, but for norms and biases")
    schedule: Literal["constant", "cosine", "one-cycle"] = Field(
        "constant", description="how the learning rate moves over the whole run"
    )
    warmup_epochs: float = Field(
        0.0, ge=0, description="epochs of linear rise at the start (constant, cosine); one-cycle has its own"
    )
    clip_norm: float | None = Field(None, gt=0, description="longest gradient let through; null lets all through")
    ema: float | None = Field(
        None, gt=0, lt=1, description="decay of averaged weights, which are then the ones judged; null is off"
    )


class Config(Section):
    """All settings of a run."""

    data: DataConfig = DataConfig()
    image: ImageConfig = ImageConfig()
    augment: AugmentConfig = AugmentConfig()
    model: ModelConfig = ModelConfig()
    loss: LossConfig = ContrastiveConfig()
    terms: TermsConfig = TermsConfig()
    sampler: SamplerConfig = PairsConfig()
    train: TrainConfig = TrainConfig()

    @model_validator(mode="after")
    def _fitting(self) -> "Config":
        """Refuse combinations that would learn nothing."""
        wanted = "pairs" if self.loss.name == "contrastive" else "pk"
        if self.sampler.name != wanted:
            raise ValueError(
                f"sampler.name: {self.sampler.name!r} does not feed the {self.loss.name} loss; use {wanted!r}"
            )
        if self.model.backbone.startswith(("report_cnn", "timm/")):
            for name, other in (("image.sketch", self.image.sketch_size), ("augment.photo", self.augment.photo_size)):
                if other not in (None, self.image.size):
                    raise ValueError(f"{name}_size: {self.model.backbone} takes images of one size only; leave it out")
        if self.terms.instance_weight and not getattr(self.sampler, "traced", 0):
            raise ValueError("terms.instance_weight: needs sampler.traced above 0, else no sketch meets its photo")
        return self
