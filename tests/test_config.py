from pathlib import Path
from typing import get_args

import pytest
import yaml

from sketchy.config import (
    Config,
    ContrastiveConfig,
    InfoNCEConfig,
    PairsConfig,
    PKConfig,
    Section,
    TripletConfig,
    dump_config,
    load_config,
    parse_config,
)
from sketchy.errors import ConfigError

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
    "train.ema": None,
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
def test_every_setting_says_what_it_does_and_has_a_default(section):
    assert len(section.model_fields) > 0
    for name, field in section.model_fields.items():
        assert not field.is_required(), name
        assert name == "name" or len(field.description or "") > 5, name


def test_all_problems_are_named_at_once_with_path_and_value(tmp_path):
    path = written(
        tmp_path,
        """
        data: {rot: x, test_fraction: 1.5}
        image: {color: purple, std: 0, mean: [1, 2]}
        model: {backbone: resnet99}
        loss: {name: triplet, margn: 1, mining: easy}
        train: {epochs: many, learning_rate: -1}
        zzz: 3
        """,
    )
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    head, *problems = str(caught.value).split("\n  ")
    assert head == f"11 problems in {path}; mend them and run again:"
    text = "\n".join(problems)
    for expected in (
        "data.rot: unknown key; did you mean root?",
        "data.test_fraction: Input should be less than 1 (got 1.5)",
        "image.color: Input should be 'grey' or 'rgb' (got 'purple')",
        "image.std: must be above 0 (got [0.0, 0.0, 0.0])",
        "image.mean: a number or a list of three (got [1, 2])",
        "model.backbone: Input should be 'report_cnn', 'vgg16'",
        "loss.margn: unknown key; did you mean margin?",
        "loss.mining: Input should be 'random', 'semi-hard' or 'batch-hard' (got 'easy')",
        "train.epochs: Input should be a valid integer",
        "train.learning_rate: Input should be greater than 0 (got -1)",
        "zzz: unknown key; known are data, image, augment, model, loss, sampler, train",
    ):
        assert expected in text
    assert len(problems) == 11


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"trian": {}}, "1 problem in here; .*trian: unknown key; did you mean train"),
        ({"train": {"learning_rat": 1}}, "train.learning_rat: unknown key; did you mean learning_rate"),
        ({"train": {"zzz": 1}}, "train.zzz: unknown key; known are epochs, seed"),
        ({"sampler": {"name": "pk", "categoris": 3}}, "sampler.categoris: .*did you mean categories"),
        ({"loss": {"name": "infonce", "temprature": 1}}, "loss.temprature: .*did you mean temperature"),
        ({"loss": {"name": "arcface"}}, "loss.name: 'arcface' is unknown; one of 'contrastive', 'triplet', 'infonce'"),
        ({"loss": {"margin": 1.0}}, "loss.name: missing; say which loss"),
        ({"loss": 5}, r"loss: .*\(got 5\)"),
        ({"data": None}, r"data: .*\(got None\)"),
        ({"train": []}, r"train: .*\(got \[\]\)"),
        ({"train": {"seed": -1}}, r"train.seed: .*\(got -1\)"),
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
def test_numbers_that_are_none_are_refused(dotted, number):
    section, key = dotted.split(".")
    with pytest.raises(ConfigError, match=f"{dotted}.*finite number"):
        parse_config({section: {key: number}}, "here")


def test_a_number_that_yaml_reads_as_text_is_a_number(tmp_path):
    assert yaml.safe_load("3e-4") == "3e-4"
    config = load_config(written(tmp_path, "train: {learning_rate: 3e-4}\nimage: {std: 5e-1}"))
    assert config.train.learning_rate == 0.0003
    assert config.image.std == (0.5, 0.5, 0.5)


def test_one_number_stands_for_all_three_colours():
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


def test_overrides_are_laid_over_the_file_and_the_last_one_wins(tmp_path):
    path = written(tmp_path, "train: {epochs: 3, seed: 1}")
    config = load_config(path, ["train.epochs=5", "image.size=64", "train.epochs=7", "image.mean=[0.1, 0.2, 0.3]"])
    assert (config.train.epochs, config.train.seed, config.image.size) == (7, 1, 64)
    assert config.image.mean == (0.1, 0.2, 0.3)
    assert "epochs: 3" in path.read_text()


@pytest.mark.parametrize(
    ("override", "dotted", "expected"),
    [
        ("data.root=/a=b/c", "data.root", "/a=b/c"),
        ("data.root=a b", "data.root", "a b"),
        ("data.root='7'", "data.root", "7"),
        ("data.cache=null", "data.cache", None),
        ("train.learning_rate=1e-3", "train.learning_rate", 0.001),
        ("train.clip_norm=2", "train.clip_norm", 2.0),
        ("model.normalize=true", "model.normalize", True),
        ("model.pretrained=true", "model.pretrained", True),
        ("model.pretrained=a.pth", "model.pretrained", "a.pth"),
        (" train.seed =4", "train.seed", 4),
    ],
)
def test_an_override_is_read_as_yaml(override, dotted, expected):
    assert value(load_config(None, [override]), dotted) == expected


def test_overrides_can_choose_another_loss():
    config = load_config(None, ["loss.name=triplet", "loss.margin=0.4", "sampler.name=pk"])
    assert config.loss == TripletConfig(margin=0.4)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epochs", "--set train.epochs: no value; write it as section.key=value"),
        ("=5", "--set =5: no value"),
        ("", "--set : no value"),
        ("data.root=[a", "--set data.root=[a: the value is not YAML; quote it"),
        ("data.root=2020-99-99", "--set data.root=2020-99-99: the value is not YAML; quote it"),
        ("train.epochs.more=5", "--set train.epochs.more=5: epochs is a value, not a section"),
        ("train.epoch=5", "train.epoch: unknown key; did you mean epochs?"),
        ("epochs=5", "epochs: unknown key"),
        ("train.epochs=", "train.epochs: Input should be a valid integer (got None)"),
    ],
)
def test_a_wrong_override_is_refused(tmp_path, override, message):
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path, "train: {epochs: 3}"), [override])
    assert message in str(caught.value)


def test_a_single_mistake_is_told_where_it_may_come_from(tmp_path):
    path = written(tmp_path, "train: {epochs: 3}")
    with pytest.raises(ConfigError) as caught:
        load_config(path, ["train.seed=-1"])
    assert str(caught.value).startswith(f"1 problem in {path} with --set; mend it and run again:\n  train.seed: ")


def test_a_tree_that_is_no_table_is_told_in_words():
    with pytest.raises(ConfigError, match=r"the whole of it: Input should be a valid dictionary"):
        parse_config([1], "the test")


@pytest.mark.parametrize("text", ["", "# all is commented out\n", "---\n"])
def test_an_empty_file_is_all_defaults(tmp_path, text):
    assert load_config(written(tmp_path, text)) == Config()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"train: [", r"some.yaml is not YAML: .*; mend that line"),
        (b"data: {root: 2020-13-45}", "is not YAML: month must be in 1..12"),
        (b"\x00\x01", "is not YAML"),
        (b"\xff\xfe\xff", "cannot read the config .*not a text file"),
        (b"- 1\n- 2\n", "holds no `section:` lines"),
        (b"just text", "holds no `section:` lines"),
    ],
)
def test_a_file_that_is_no_config_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "some.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read the config .*gone.yaml: No such file"):
        load_config(tmp_path / "gone.yaml")
    with pytest.raises(ConfigError, match="Is a directory"):
        load_config(tmp_path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_dumped_config_is_read_back_the_same(path, tmp_path):
    config = load_config(path, ["data.root=/photos/été = 1", "train.weight_decay=1e-5"])
    copy = written(tmp_path, dump_config(config))
    assert load_config(copy) == config


def test_a_dump_spells_every_setting_out():
    tree = yaml.safe_load(dump_config(Config()))
    assert list(tree) == list(Config.model_fields)
    assert list(tree["train"]) == list(type(Config().train).model_fields)
    assert tree["image"]["mean"] == [0, 0, 0]
    assert tree["loss"] == {"name": "contrastive", "margin": 2.0}


def test_a_config_cannot_be_changed():
    config = Config()
    with pytest.raises(ValueError, match="frozen"):
        config.train.epochs = 3
