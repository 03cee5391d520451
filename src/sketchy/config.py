"""The typed config: every setting, its default, its range and what it does.

A config is YAML. `load_config` reads it, lays `key=value` overrides over it and checks all of it at once:
every unknown key, wrong type and value out of range is named, with its dotted path. Only builders and commands
see these classes; everything else takes plain arguments.
"""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from sketchy.errors import ConfigError

BackboneName = Literal[
    "report_cnn",
    "vgg16",
    "googlenet",
    "resnet18",
    "resnet50",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "efficientnet_b0",
    "convnext_tiny",
]


def _spread(value: Any) -> Any:
    """Take one number for all three colours."""
    if isinstance(value, list | tuple):
        if len(value) != 3:
            raise ValueError(f"a number or a list of three (got {value!r})")
        return value
    return (value, value, value)


PerColor = Annotated[tuple[float, float, float], BeforeValidator(_spread)]


class Section(BaseModel):
    """A part of the config: frozen, closed to unknown keys and to numbers that are none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataConfig(Section):
    """Where the photos and sketches come from, and how they are split."""

    root: str = Field("data/sketchy", description="folder, .zip or .tar that holds photo/ and sketch/")
    photo_rendering: str | None = Field(
        None, description="tx_... folder of photos to use; null takes tx_000000000000, else the first"
    )
    sketch_rendering: str | None = Field(None, description="the same for sketches")
    test_fraction: float = Field(0.2, gt=0, lt=1, description="share of each category's photos held out")
    val_fraction: float = Field(
        0.1, ge=0, lt=1, description="share of the remaining photos to choose epochs by; 0 trains on them all"
    )
    split_seed: int = Field(0, ge=0, description="another seed holds out other photos")
    cache: str | None = Field(
        None, description="folder of the packed images; null takes $SKETCHY_CACHE or the user's cache folder"
    )


class ImageConfig(Section):
    """What the network sees of an image. Saved with the weights: inference does the same."""

    size: int = Field(100, ge=16, le=1024, description="side in pixels; cost grows with its square")
    color: Literal["grey", "rgb"] = Field("grey", description="of photos; a sketch is always grey")
    sketch_crop: float = Field(
        0.5,
        ge=0,
        le=1,
        description="crop to the ink when it spans less than this share of the canvas; 0 never, 1 always",
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
    stroke: float = Field(0.0, ge=0, le=1, description="share of the sketches drawn with a thicker pen")
    color: float = Field(0.0, ge=0, lt=1, description="change of a photo's brightness, contrast and saturation")


class ModelConfig(Section):
    """The network that both branches share."""

    backbone: BackboneName = Field("report_cnn", description="report_cnn or a torchvision network")
    pretrained: bool | str = Field(
        False, description="true downloads torchvision's ImageNet weights; a path loads a plain state dict"
    )
    embedding_size: int = Field(128, ge=1, le=4096, description="numbers an image; more cost disk and search time")
    dropout: float = Field(0.0, ge=0, lt=1, description="before the last layer; fights memorising")
    normalize: bool = Field(False, description="put embeddings on the unit sphere, where distances are at most 2")


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


class PairsConfig(Section):
    """Random pairs of a sketch and a photo, half of one category and half of two."""

    name: Literal["pairs"] = "pairs"
    batch_size: int = Field(64, ge=2, description="pairs a step")


class PKConfig(Section):
    """P categories with K sketches and K photos each."""

    name: Literal["pk"] = "pk"
    categories: int = Field(32, ge=2, description="P: categories in a batch")
    per_category: int = Field(2, ge=1, description="K: sketches, and photos, of each")


SamplerConfig = Annotated[PairsConfig | PKConfig, Field(discriminator="name")]


class TrainConfig(Section):
    """The loop."""

    epochs: int = Field(200, ge=1, description="an epoch draws as many sketches as there are to train on")
    seed: int = Field(0, ge=0, description="of weights, batches and dropout")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N; auto takes the GPUs that are there")
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        "float32", description="of the forward pass; the halves are for GPUs, float16 needs one"
    )
    optimizer: Literal["adam", "adamw"] = Field("adam", description="adamw keeps weight decay apart")
    learning_rate: float = Field(0.0005, gt=0, le=1, description="the highest one of the schedule")
    weight_decay: float = Field(0.0, ge=0, le=1, description="pulls weights to 0")
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
        return self


def load_config(path: Path | None, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML config and lay overrides over it.

    Args:
        path: the file; None starts from the defaults.
        overrides: `section.key=value`, the value in YAML; later ones win.

    Raises:
        ConfigError: the file cannot be read, or any value is wrong; all problems are in the message.
    """
    tree = {} if path is None else _read_yaml(path)
    source = "the settings" if path is None else f"{path} with --set" if overrides else str(path)
    for override in overrides:
        _lay_over(tree, override)
    return parse_config(tree, source)


def parse_config(tree: dict[str, Any], source: str, remedy: str | None = None) -> Config:
    """Check a tree of plain values.

    Args:
        tree: as YAML gives it.
        source: where it came from, for the message.
        remedy: what to do, for the message; None says to mend it.

    Raises:
        ConfigError: any value is wrong; all problems are in the message.
    """
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        problems = [_describe(problem) for problem in error.errors()]
        count, it = (f"{len(problems)} problems", "them") if len(problems) > 1 else ("1 problem", "it")
        head = f"{count} in {source}; {remedy or f'mend {it} and run again'}:"
        raise ConfigError("\n  ".join([head, *problems])) from None


def dump_config(config: Config) -> str:
    """Write the whole config as YAML, every default spelled out."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise ConfigError(f"cannot read the config {path}: {reason}; name a YAML file") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that is none
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}; mend that line") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} holds no `section:` lines; see configs/default.yaml for the shape")
    return tree


def _lay_over(tree: dict[str, Any], override: str) -> None:
    """Set one `a.b=value` in the tree."""
    dotted, equals, text = override.partition("=")
    if not equals or not dotted:
        raise ConfigError(f"--set {override}: no value; write it as section.key=value")
    *parents, leaf = dotted.strip().split(".")
    for parent in parents:
        below = tree.setdefault(parent, {})
        if not isinstance(below, dict):
            raise ConfigError(f"--set {override}: {parent} is a value, not a section; see configs/default.yaml")
        tree = below
    try:
        tree[leaf] = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        raise ConfigError(f"--set {override}: the value is not YAML; quote it") from None


def _describe(problem: Any) -> str:
    """Put one pydantic error as `path: what is wrong (got value)`."""
    path = [str(part) for part in problem["loc"]]
    if len(path) > 1 and path[0] in ("loss", "sampler"):
        del path[1]  # pydantic's name of the chosen variant, not a key of the file
    if not path and problem["type"] == "value_error":  # of sections together; the text names them
        return str(problem["ctx"]["error"])
    dotted = ".".join(path) or "the whole of it"
    if problem["type"] == "value_error":
        return f"{dotted}: {problem['ctx']['error']}"
    if problem["type"] == "extra_forbidden":
        return f"{dotted}: unknown key{_nearest(path, problem['loc'])}"
    if problem["type"] == "union_tag_invalid":
        return f"{dotted}.name: {problem['ctx']['tag']!r} is unknown; one of {problem['ctx']['expected_tags']}"
    if problem["type"] == "union_tag_not_found":
        return f"{dotted}.name: missing; say which {dotted}"
    return f"{dotted}: {problem['msg']} (got {problem['input']!r})"


def _nearest(path: list[str], location: Sequence[str | int]) -> str:
    """Suggest the known key of the same section that looks most like the unknown one."""
    section: Any = Config
    for part in location[:-1]:
        if hasattr(section, "model_fields"):
            section = section.model_fields[str(part)].annotation
        else:  # a union of variants, of which `part` names one
            section = next(v for v in get_args(section) if v.model_fields["name"].default == part)
    known = list(section.model_fields)
    close = difflib.get_close_matches(path[-1], known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"
