"""The typed config: every setting with its role, default, range and effect.

`sketchy.config_file` reads one from YAML. Only builders and commands see these classes; the rest takes plain arguments.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from sketchy.choices import BACKBONES, ONE_SIZE, TIMM, ContrastiveConfig, Loss, PairsConfig, Sampler, TermsConfig
from sketchy.paths import expanded
from sketchy.section import AsPath, Embedding, Fixed, Free, Role, Section, Strict

ZeroShot = Literal["zero-shot-25", "zero-shot-21"]
Precision = Literal["float32", "tf32", "bfloat16", "float16"]
Compile = bool | Literal["auto"]
Schedule = Literal["constant", "cosine", "one-cycle"]


def _known_backbone(name: str) -> str:
    """Accept a name of ours, or one that may be timm's; timm itself is asked only when the network is built."""
    if name not in BACKBONES and not re.fullmatch(TIMM + r"\w[\w.]*", name, re.ASCII):
        raise ValueError(f"Input should be {', '.join(map(repr, BACKBONES))} or {TIMM}<model name> (got {name!r})")
    return name


def _per_color(value: Any) -> Any:
    """Use a single number for all three colours."""
    if isinstance(value, list | tuple):
        if len(value) != 3:
            raise ValueError(f"a number or a list of three (got {value!r})")
        return value
    return (value, value, value)


def _several(value: Any) -> Any:
    """Use a single value as a list of one, and null as none."""
    return [] if value is None else [value] if isinstance(value, str) else value


FileName = Annotated[str, AfterValidator(expanded)]
FileNames = Annotated[tuple[FileName, ...], BeforeValidator(_several)]
PerColor = Annotated[tuple[float, float, float], BeforeValidator(_per_color)]


class DataConfig(Section):
    """Where the photos and sketches are, and how they are split."""

    root: AsPath[FileName] = Field("data/sketchy", description="folder, .zip or .tar that holds photo/ and sketch/")
    photo_rendering: Fixed[str | None] = Field(
        None, description="tx_... folder of photos to use; null takes tx_000000000000, else the first"
    )
    sketch_rendering: Fixed[str | None] = Field(None, description="the same for sketches")
    test_fraction: Fixed[float] = Field(0.2, gt=0, lt=1, description="share of each category's photos held out")
    val_fraction: Fixed[float] = Field(
        0.1, ge=0, lt=1, description="share of the other photos for validation, which selects the best epoch; may be 0"
    )
    sketches: AsPath[FileNames] = Field(
        (),
        description="further sources of sketches to train on: each a folder, .zip or .tar of <category>/<sketch>, "
        "a dataset like root, or QuickDraw .ndjson; test_fraction of each is held out",
    )
    photos: AsPath[FileNames] = Field(
        (),
        description="further sources of photos in the same way: <category>/<photo>, a dataset like root, or files "
        "named <wnid>_<word>.jpg",
    )
    split_seed: Fixed[int] = Field(0, ge=0, description="seed of the split into training, validation and test photos")
    zero_shot: Fixed[ZeroShot | None] = Field(
        None, description="protocol whose 25 or 21 categories are left out of training; null trains on all categories"
    )
    cache: AsPath[FileName | None] = Field(
        None, description="folder of the packed images; null takes $SKETCHY_CACHE or the user's cache folder"
    )


class ImageConfig(Section):
    """How images are prepared for the network. Saved with the weights: inference does the same."""

    size: Embedding[int] = Field(100, ge=16, le=1024, description="side in pixels; cost grows with its square")
    sketch_size: Embedding[int | None] = Field(
        None, ge=16, le=1024, description="side of sketches, if not `size`: lines need fewer pixels than photos"
    )
    color: Embedding[Literal["grey", "rgb"]] = Field("grey", description="of the photos; sketches are always grey")
    sketch_crop: Embedding[float] = Field(
        0.5, ge=0, le=1, description="crop to the ink if it spans at most this share of the canvas; 0 never, 1 always"
    )
    sketch_stretch: Embedding[float | None] = Field(
        None,
        gt=0,
        le=1,
        description="stretch the canvas to a square, as photos are, if the ink spans at least this share of its width "
        "and of its height, as the outlines of a scene do; null never does",
    )
    mean: Embedding[PerColor] = Field(
        (0.0, 0.0, 0.0), description="subtracted from pixels in [0, 1]; a number or one per colour"
    )
    std: Embedding[PerColor] = Field(
        (1.0, 1.0, 1.0), description="divisor after that; use the values that pretrained weights were trained with"
    )

    @field_validator("std")
    @classmethod
    def _positive(cls, std: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(std) <= 0:
            raise ValueError(f"must be above 0 (got {list(std)})")
        return std


class AugmentConfig(Section):
    """Random changes to every training image; none by default, as in the report."""

    flip: Free[float] = Field(0.0, ge=0, le=1, description="share of the pairs mirrored, sketch and photo together")
    rotate: Free[float] = Field(0.0, ge=0, le=180, description="largest rotation in degrees, to either side")
    scale: Free[float] = Field(0.0, ge=0, le=1, description="zoom in or out by a factor of up to 1 + scale")
    shift: Free[float] = Field(0.0, ge=0, le=0.5, description="largest shift in any direction, as a share of the side")
    crop: Free[float] = Field(0.0, ge=0, lt=1, description="largest share of a photo's side that is cropped away")
    stroke: Free[float] = Field(0.0, ge=0, le=1, description="share of the sketches drawn with thicker lines")
    strokes: Free[float] = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the vector drawings redrawn: by another pen, unfinished, with strokes lost, shortened "
        "or unsteady",
    )
    color: Free[float] = Field(0.0, ge=0, lt=1, description="largest change of brightness, contrast and saturation")
    jpeg: Free[float] = Field(0.0, ge=0, le=1, description="share of the photos compressed as JPEGs of poor quality")
    photo_size: Free[int | None] = Field(
        None,
        ge=16,
        le=1024,
        description="side in pixels of photos in training, null takes image.size; smaller is cheaper, and with "
        "`crop` objects appear as large as they do in whole photos at inference",
    )


class SpatialConfig(Section):
    """The spatial embedding: an intermediate block of the network, averaged over the cells of a grid."""

    block: Embedding[int] = Field(10, ge=0, description="index of the block in the backbone's `features`")
    grid: Embedding[int] = Field(7, ge=2, le=16, description="cells per side")
    size: Embedding[int] = Field(64, ge=1, le=4096, description="dimensions of embedding_size that it takes")
    gradients: Embedding[int | None] = Field(
        None,
        ge=2,
        le=16,
        description="cells per side of a descriptor of oriented gradients beside the block; null leaves it out",
    )
    share: Embedding[float] = Field(
        0.15, gt=0, lt=1, description="share of the squared distance; higher favours the exact photo over its category"
    )


class AnchorsConfig(Section):
    """Attention of an embedding to the anchors of the things that the model knows by name."""

    weight: Embedding[float] = Field(0.5, gt=0, le=10, description="weight of the anchors beside the embedding, 1")
    scale: Embedding[float] = Field(
        32.0, gt=0, le=1000, description="factor on the cosines; a higher one attends to the nearest anchor alone"
    )


class ModelConfig(Section):
    """The network, shared by sketches and photos."""

    backbone: Embedding[Annotated[str, AfterValidator(_known_backbone)]] = Field(
        "report_cnn",
        description="report_cnn, pooled_cnn, efficientnet_lite0 to 2, a torchvision network, or timm/<model name>",
    )
    pretrained: AsPath[bool | FileName] = Field(
        False,
        description="true downloads torchvision's or timm's weights, or takes those of the extra `pretrained`; "
        "a path loads a plain state dict",
    )
    embedding_size: Embedding[int] = Field(128, ge=1, le=4096, description="dimensions; more cost disk and search time")
    dropout: Fixed[float] = Field(0.0, ge=0, lt=1, description="dropout before the last layer; reduces overfitting")
    normalize: Embedding[bool] = Field(False, description="scale embeddings to length 1; distances are at most 2 then")
    domain_norm: Embedding[bool] = Field(False, description="separate batch norms for sketches and for photos")
    anchors: Embedding[AnchorsConfig | None] = Field(
        None, description="attention to anchors of known things, needs terms.bridge_weight; null leaves it out"
    )
    spatial: Embedding[SpatialConfig | None] = Field(None, description="spatial embedding; null leaves it out")

    @model_validator(mode="after")
    def _normalized(self) -> "ModelConfig":
        for name, section in (("anchors", self.anchors), ("spatial", self.spatial)):
            if section and not self.normalize:
                raise ValueError(f"{name}: needs embeddings of length 1; set normalize to true")
        return self


class TrainConfig(Section):
    """The training loop."""

    epochs: Free[int] = Field(200, ge=1, description="epochs; one draws as many sketches as the training split holds")
    patience: Free[int | None] = Field(
        None, ge=1, description="epochs without a better validation mAP that end training, null never"
    )
    keep_every: Free[int | None] = Field(
        None, ge=1, description="keep the weights of every so many epochs as epoch-<number>.pth, null keeps none"
    )
    tensorboard: Free[bool] = Field(False, description="also log to TensorBoard; needs the extra `tensorboard`")
    save_every: Free[float] = Field(60.0, ge=0, description="seconds between saves, about what a kill costs at most")
    seed: Free[int] = Field(0, ge=0, le=2**63 - 1, description="seed of weights, batches and dropout")
    device: Free[str] = Field("auto", description="auto, cpu, cuda or cuda:N; auto takes the GPUs that are there")
    precision: Fixed[Precision] = Field(
        "float32", description="precision of the forward pass; all but float32 are for GPUs, float16 requires one"
    )
    compile: Free[Compile] = Field(
        "auto", description="compile network and loss, which takes minutes; auto does on a GPU that has a compiler"
    )
    optimizer: Fixed[Literal["adam", "adamw"]] = Field("adam", description="adamw decouples the weight decay")
    learning_rate: Free[float] = Field(0.0005, gt=0, le=1, description="the highest learning rate of the schedule")
    backbone_rate: Fixed[float] = Field(
        1.0,
        gt=0,
        le=1,
        description="factor on the learning rate of the backbone; below 1 keeps more of its pretraining",
    )
    freeze: Fixed[tuple[str, ...]] = Field(
        (), description="modules of the backbone that are not trained, such as features.[0-6]; '*' is all of it"
    )
    weight_decay: Free[float] = Field(0.0, ge=0, le=1, description="weight decay; norms and biases are exempt")
    schedule: Free[Schedule] = Field("constant", description="how the learning rate changes over the whole run")
    warmup_epochs: Free[float] = Field(0.0, ge=0, description="epochs of linear warm-up; one-cycle has its own")
    clip_norm: Free[float | None] = Field(None, gt=0, description="largest gradient norm; null does not clip")


class Config(Strict):
    """All settings of a run."""

    data: DataConfig = DataConfig()
    image: ImageConfig = ImageConfig()
    augment: AugmentConfig = AugmentConfig()
    model: ModelConfig = ModelConfig()
    loss: Loss = ContrastiveConfig()
    terms: TermsConfig = TermsConfig()
    sampler: Sampler = PairsConfig()
    train: TrainConfig = TrainConfig()

    @model_validator(mode="after")
    def _consistent(self) -> "Config":
        """Refuse combinations that would learn nothing."""
        wanted = self.loss.sampler
        if self.sampler.name != wanted:
            raise ValueError(
                f"sampler.name: {self.sampler.name!r} does not feed the {self.loss.name} loss; use {wanted!r}"
            )
        if self.model.backbone.startswith(ONE_SIZE):
            for name, other in (("image.sketch", self.image.sketch_size), ("augment.photo", self.augment.photo_size)):
                if other not in (None, self.image.size):
                    raise ValueError(f"{name}_size: {self.model.backbone} takes images of one size only; leave it out")
        if self.train.patience and not self.data.val_fraction:
            raise ValueError("train.patience: needs a validation split; set data.val_fraction above 0")
        if self.terms.bridge_weight and not self.model.pretrained:
            raise ValueError("terms.bridge_weight: needs a network pretrained on ImageNet; set model.pretrained")
        if self.model.anchors and not self.terms.bridge_weight:
            raise ValueError(
                "model.anchors: only the bridge gives things anchors; set terms.bridge_weight, or model.anchors to null"
            )
        if self.terms.instance_weight and not getattr(self.sampler, "traced", 0):
            raise ValueError("terms.instance_weight: needs sampler.traced above 0, so that sketches meet their photo")
        return self

    def settings(self, *roles: Role) -> dict[str, Any]:
        """Return the settings that have one of the roles as plain values, by dotted name."""
        sections: dict[str, Section] = dict(self)
        return {
            f"{name}.{key}": value
            for name, section in sections.items()
            for key, value in section.model_dump(mode="json", include=section.names(*roles)).items()
        }

    def with_paths(self, replace: Callable[[str, Any], Any]) -> "Config":
        """Return a copy in which every path that is set is `replace(path, the default of its setting)`.

        The default of a path in a list is None; paths that are replaced by None are removed from the list.
        """
        changed = {}
        for name, section in dict(self).items():
            fields = type(section).model_fields
            paths = {key: getattr(section, key) for key in section.names(Role.PATH)}
            update = {
                key: tuple(new for path in value if (new := replace(path, None)) is not None)
                if isinstance(value, tuple)
                else replace(value, fields[key].default)
                for key, value in paths.items()
                if isinstance(value, str | tuple)
            }
            changed[name] = section.model_copy(update=update)
        return self.model_copy(update=changed)
