from pathlib import Path
from typing import get_args

import pytest
import yaml

from sketchy.choices import ContrastiveConfig, InfoNCEConfig, PairsConfig, PKConfig, TripletConfig
from sketchy.config import Config, ImageConfig
from sketchy.config_file import load_config, parse_config
from sketchy.errors import ConfigError
from sketchy.section import Role, Section

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
FILES = sorted(CONFIGS.rglob("*.yaml"))

REPORT = {
    "data.test_fraction": 0.2,
    "image.size": 100,
    "image.color": "grey",
    "image.mean": (0, 0, 0),
    "image.std": (1, 1, 1),
    "model.backbone": "report_cnn",
    "model.pretrained": False,
    "model.dropout": 0,
    "model.normalize": False,
    "loss.name": "contrastive",
    "sampler.name": "pairs",
    "sampler.batch_size": 64,
    "train.epochs": 200,
    "train.optimizer": "adam",
    "train.learning_rate": 0.0005,
    "train.weight_decay": 0,
    "train.schedule": "constant",
    "train.warmup_epochs": 0,
    "train.clip_norm": None,
    "train.precision": "float32",
}


def value(config: Config, dotted: str) -> object:
    section, key = dotted.split(".")
    return getattr(getattr(config, section), key)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "some.yaml"
    path.write_text(text)
    return path


def sections() -> list[type[Section]]:
    """Every section class, the variants of a union each."""
    found = []
    for field in Config.model_fields.values():
        found += get_args(field.annotation) or [field.annotation]
    return found


def test_there_is_a_default_config():
    assert CONFIGS / "default.yaml" in FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_config_of_the_project_loads(path):
    assert isinstance(load_config(path), Config)


def test_the_default_config_is_the_reports_system():
    config = load_config(CONFIGS / "default.yaml")
    assert {dotted: value(config, dotted) for dotted in REPORT} == REPORT


def test_no_file_is_the_default_config():
    assert load_config(None) == load_config(CONFIGS / "default.yaml") == Config()


@pytest.mark.parametrize("section", sections(), ids=lambda section: section.__name__)
def test_every_setting_has_a_description_and_a_default(section):
    assert len(section.model_fields) > 0
    for name, field in section.model_fields.items():
        assert not field.is_required(), name
        assert name == "name" or len(field.description or "") > 5, name


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"trian": {}}, "1 problem in here; .*trian: unknown key; did you mean train"),
        ({"train": {"learning_rat": 1}}, "train.learning_rat: unknown key; did you mean learning_rate"),
        ({"train": {"zzz": 1}}, "train.zzz: unknown key; known are epochs, patience, keep_every"),
        ({"sampler": {"name": "pk", "categoris": 3}}, "sampler.categoris: .*did you mean categories"),
        ({"loss": {"name": "infonce", "temprature": 1}}, "loss.temprature: .*did you mean temperature"),
        ({"loss": {"name": "arcface"}}, "loss.name: 'arcface' is unknown; one of 'contrastive', 'triplet', 'infonce'"),
        ({"loss": {"margin": 1.0}}, "loss.name: missing; choose a loss"),
        ({"loss": 5}, r"loss: .*\(got 5\)"),
        ({"data": {"zero_shot": "zero-shot-30"}}, "data.zero_shot: Input should be 'zero-shot-25' or 'zero-shot-21'"),
        ({"data": None}, r"data: .*\(got None\)"),
        ({"train": []}, r"train: .*\(got \[\]\)"),
        ({"train": {"seed": -1}}, r"train.seed: .*\(got -1\)"),
        ({"train": {"seed": 2**63}}, "train.seed: Input should be less than or equal to 9223372036854775807"),
        ({"train": {"epochs": 0}}, "train.epochs: Input should be greater than or equal to 1"),
        ({"image": {"size": 15.5}}, "image.size: .*integer"),
        ({"image": {"std": [1, 0, 1]}}, "image.std: must be above 0"),
        ({"image": {"mean": ["a", 0, 0]}}, r"image.mean.0: .*\(got 'a'\)"),
        ({1: 2}, "1: "),
    ],
)
def test_a_wrong_tree_is_refused_with_its_path(tree, message):
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        parse_config(tree, "here")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("dotted", ["image.mean", "image.std", "train.warmup_epochs", "train.clip_norm"])
def test_nan_and_infinity_are_refused(dotted, number):
    section, key = dotted.split(".")
    with pytest.raises(ConfigError, match=f"{dotted}.*finite number"):
        parse_config({section: {key: number}}, "here")


def test_a_number_that_yaml_reads_as_text_is_a_number(tmp_path):
    assert yaml.safe_load("3e-4") == "3e-4"
    config = load_config(written(tmp_path, "train: {learning_rate: 3e-4}\nimage: {std: 5e-1}"))
    assert config.train.learning_rate == 0.0003
    assert config.image.std == (0.5, 0.5, 0.5)


def test_one_number_applies_to_all_three_colours():
    image = parse_config({"image": {"mean": 0.5, "std": [0.1, 0.2, 0.3]}}, "here").image
    assert image.mean == (0.5, 0.5, 0.5)
    assert image.std == (0.1, 0.2, 0.3)


@pytest.mark.parametrize(
    ("tree", "kind"),
    [
        ({"loss": {"name": "contrastive", "margin": 1}}, ContrastiveConfig),
        ({"loss": {"name": "triplet"}, "sampler": {"name": "pk"}}, TripletConfig),
        ({"loss": {"name": "infonce"}, "sampler": {"name": "pk"}}, InfoNCEConfig),
    ],
)
def test_a_name_chooses_the_variant(tree, kind):
    config = parse_config(tree, "here")
    assert type(config.loss) is kind
    assert type(config.sampler) is (PairsConfig if kind is ContrastiveConfig else PKConfig)


def test_a_setting_of_another_variant_is_refused():
    with pytest.raises(ConfigError, match=r"loss.margin: unknown key; known are name, temperature, learn_temperature"):
        parse_config({"loss": {"name": "infonce", "margin": 1}, "sampler": {"name": "pk"}}, "here")


@pytest.mark.parametrize(
    ("loss", "sampler", "wanted"),
    [("contrastive", "pk", "pairs"), ("triplet", "pairs", "pk"), ("infonce", "pairs", "pk")],
)
def test_a_sampler_that_does_not_feed_the_loss_is_refused(loss, sampler, wanted):
    with pytest.raises(ConfigError, match=f"sampler.name: '{sampler}' does not feed the {loss} loss; use '{wanted}'"):
        parse_config({"loss": {"name": loss}, "sampler": {"name": sampler}}, "here")


@pytest.mark.parametrize("pretrained", [True, False, "weights/a.pth"])
def test_pretrained_is_yes_or_no_or_a_path(pretrained):
    found = parse_config({"model": {"pretrained": pretrained}}, "here").model.pretrained
    assert found == pretrained
    assert type(found) is type(pretrained)


def test_the_bridge_to_imagenet_needs_a_pretrained_network():
    terms = {"terms": {"bridge_weight": 1.0}}
    with pytest.raises(ConfigError, match=r"terms.bridge_weight: needs a network pretrained on ImageNet"):
        parse_config(terms, "here")
    assert parse_config(terms | {"model": {"backbone": "mobilenet_v2", "pretrained": True}}, "here")


def test_early_stopping_needs_a_validation_split():
    with pytest.raises(ConfigError, match=r"train.patience: needs a validation split; set data.val_fraction above 0"):
        parse_config({"train": {"patience": 3}, "data": {"val_fraction": 0}}, "here")
    assert parse_config({"train": {"patience": 3}}, "here").train.patience == 3


def test_a_config_cannot_be_changed():
    config = Config()
    with pytest.raises(ValueError, match="frozen"):
        config.train.epochs = 3


@pytest.mark.parametrize(
    ("name", "tree"),
    [
        ("image.sketch_size", {"image": {"sketch_size": 64}}),
        ("augment.photo_size", {"augment": {"photo_size": 64}}),
    ],
)
def test_a_network_for_a_fixed_image_size_gets_no_other(name, tree):
    with pytest.raises(ConfigError, match=f"{name}: report_cnn takes images of one size only; leave it out"):
        parse_config(tree, "here")
    assert parse_config(tree | {"model": {"backbone": "resnet18"}}, "here")


def test_only_paths_and_what_training_may_change_are_free_when_a_run_is_resumed():
    config = Config()
    assert config.settings(Role.PATH).keys() == {
        "data.root",
        "data.cache",
        "data.sketches",
        "data.photos",
        "model.pretrained",
    }
    free = {dotted.partition(".")[0] for dotted in config.settings(Role.FREE)}
    assert free == {"augment", "sampler", "train"}


def test_every_setting_of_the_images_is_part_of_an_embedding():
    embedding = Config().settings(Role.EMBEDDING)
    assert {f"image.{name}" for name in ImageConfig.model_fields} < embedding.keys()
    assert {dotted.partition(".")[0] for dotted in embedding} == {"image", "model"}


def test_paths_that_are_set_are_replaced_and_others_stay():
    tree = {"data": {"root": "a", "sketches": ["b", "c"]}, "model": {"pretrained": True}, "train": {"epochs": 3}}
    config = parse_config(tree, "here")
    changed = config.with_paths(lambda path, default: f"{path} for {default}")
    assert (changed.data.root, changed.data.sketches) == ("a for data/sketchy", ("b for None", "c for None"))
    assert (changed.data.cache, changed.model.pretrained, changed.train) == (None, True, config.train)
    assert parse_config({"model": {"pretrained": "w.pth"}}, "here").with_paths(lambda *_: "x").model.pretrained == "x"


def test_attention_to_anchors_needs_the_bridge_and_embeddings_of_length_1():
    model = {"backbone": "mobilenet_v2", "pretrained": True, "anchors": {}}
    with pytest.raises(ConfigError, match=r"model: anchors: needs embeddings of length 1; set normalize to true"):
        parse_config({"model": model}, "here")
    normalized = {"model": model | {"normalize": True}}
    with pytest.raises(ConfigError, match=r"model.anchors: only the bridge gives things anchors; set terms.bridge_wei"):
        parse_config(normalized, "here")
    found = parse_config(normalized | {"terms": {"bridge_weight": 1.0}}, "here").model.anchors
    assert (found.weight, found.scale) == (0.5, 32)
