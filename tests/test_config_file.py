from pathlib import Path

import pytest
import yaml

from sketchy.choices import TripletConfig
from sketchy.config import Config
from sketchy.config_file import dump_config, load_config, parse_config, with_current_names
from sketchy.errors import ConfigError

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
FILES = sorted(CONFIGS.rglob("*.yaml"))


def value(config: Config, dotted: str) -> object:
    section, key = dotted.split(".")
    return getattr(getattr(config, section), key)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "some.yaml"
    path.write_text(text)
    return path


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
    assert head == f"11 problems in {path}; correct them and run again:"
    text = "\n".join(problems)
    for expected in (
        "data.rot: unknown key; did you mean root?",
        "data.test_fraction: Input should be less than 1 (got 1.5)",
        "image.color: Input should be 'grey' or 'rgb' (got 'purple')",
        "image.std: must be above 0 (got [0.0, 0.0, 0.0])",
        "image.mean: a number or a list of three (got [1, 2])",
        "model.backbone: Input should be 'report_cnn', 'pooled_cnn'",
        "loss.margn: unknown key; did you mean margin?",
        "loss.mining: Input should be 'random', 'semi-hard' or 'batch-hard' (got 'easy')",
        "train.epochs: Input should be a valid integer",
        "train.learning_rate: Input should be greater than 0 (got -1)",
        "zzz: unknown key; known are data, image, augment, model, loss, terms, sampler, train",
    ):
        assert expected in text
    assert len(problems) == 11


def test_a_backbone_is_known_or_a_name_of_timm():
    assert parse_config({"model": {"backbone": "timm/test_vit.r160_in1k"}}, "here").model.backbone.endswith("r160_in1k")
    known = r"Input should be 'report_cnn', .*'efficientnet_lite2' or timm/<model name> \(got "
    for name in (
        "timm/",
        "timm/a b",
        "timm/a/b",
        "timm/../a",
        "timm/hf-hub:a",
        "timm",
        "Timm/test_vit",
        "test_vit",
        "",
    ):
        with pytest.raises(ConfigError, match=known):
            parse_config({"model": {"backbone": name}}, "here")


def test_overrides_replace_values_of_the_file_and_the_last_has_precedence(tmp_path):
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
        ("data.root=Set #2", "data.root", "Set #2"),
        ("data.root=#2", "data.root", "#2"),
        ("data.root=no", "data.root", "no"),
        ("data.root=2020-01-01", "data.root", "2020-01-01"),
        ("data.root=caf\udce9", "data.root", "caf\udce9"),
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
        (
            "data.root=[a",
            "--set data.root=[a: the value is not YAML (expected ',' or ']', but got '<stream end>'); quote it",
        ),
        ("train.epochs.more=5", "--set train.epochs.more=5: epochs is a value, not a section"),
        ("train.epoch=5", "train.epoch: unknown key; did you mean epochs?"),
        ("epochs=5", "epochs: unknown key"),
        ("train.seed=010", "--set train.seed=010: the value is not YAML (010 is octal to some readers;"),
        ("train.seed=1:30", "train.seed: Input should be a valid integer"),
        ("data.root=", "data.root: Input should be a valid string (got None)"),
        ("data.root=''", "data.root: an empty name"),
        ("train.epochs=", "train.epochs: Input should be a valid integer (got None)"),
    ],
)
def test_a_wrong_override_is_refused(tmp_path, override, message):
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path, "train: {epochs: 3}"), [override])
    assert message in str(caught.value)


def test_a_mistake_is_reported_with_its_possible_sources(tmp_path):
    path = written(tmp_path, "train: {epochs: 3}")
    with pytest.raises(ConfigError) as caught:
        load_config(path, ["train.seed=-1"])
    assert str(caught.value).startswith(f"1 problem in {path} with --set; correct it and run again:\n  train.seed: ")


def built_on(tmp_path: Path, **files: str) -> Path:
    """Write config files of these names; return the one called `own`."""
    for name, text in files.items():
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path / "own.yaml"


def test_a_config_is_merged_over_its_base_by_name():
    config = load_config(CONFIGS / "vgg16.yaml")
    base = load_config(CONFIGS / "googlenet.yaml")
    assert (config.model.backbone, config.train.learning_rate) == ("vgg16", 0.0001)
    assert config.model.model_copy(update={"backbone": "googlenet"}) == base.model
    assert config.augment == base.augment


def test_a_base_is_found_from_the_folder_of_the_file_and_may_have_a_base(tmp_path, monkeypatch):
    own = built_on(tmp_path, own="base: ./two.yaml\ntrain: {seed: 3}", two="base: three.yaml\ntrain: {seed: 2}")
    built_on(tmp_path, three="train: {seed: 1, epochs: 4}\nimage: {size: 32}")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    config = load_config(own, ["image.size=48"])
    assert (config.train.seed, config.train.epochs, config.image.size) == (3, 4, 48)
    assert "base" not in dump_config(config)


def test_another_loss_replaces_that_of_the_base_and_null_a_section(tmp_path):
    own = built_on(tmp_path, own="base: recommended\nloss: {name: triplet, margin: 0.4}\nmodel: {spatial: null}")
    config = load_config(own)
    assert config.loss == TripletConfig(margin=0.4)
    assert config.model.spatial is None
    own.write_text("base: recommended\nloss: {temperature: 0.2}\nmodel: {spatial: {size: 32}}")
    config = load_config(own)
    assert (config.loss.name, config.loss.temperature, config.loss.learn_temperature) == ("infonce", 0.2, True)
    assert (config.model.spatial.size, config.model.spatial.share) == (32, 0.25)


def test_null_is_no_base(tmp_path):
    assert load_config(built_on(tmp_path, own="base: null")) == Config()


@pytest.mark.parametrize(
    ("base", "told"),
    [
        ("recomended", "base: no config is called recomended; did you mean recommended?"),
        ("gone.yaml", "base: cannot read {folder}/gone.yaml: no such file"),
        ("[a, b]", r"base: it must be the name or the path of one config (got ['a', 'b'])"),
        ("''", "base: an empty name"),
        ("own.yaml", "base: {folder}/own.yaml is built on itself; remove one of these bases"),
        ("other.yaml", "base: {folder}/other.yaml: base: {folder}/own.yaml is built on itself"),
        ("../{name}/link.yaml", "base: {folder}/../{name}/link.yaml is built on itself"),
    ],
)
def test_an_unknown_base_or_a_cycle_is_refused_in_one_line(base, told, tmp_path):
    own = built_on(tmp_path, own=f"base: {base.format(name=tmp_path.name)}", other="base: own.yaml")
    (tmp_path / "link.yaml").symlink_to(own)
    with pytest.raises(ConfigError) as caught:
        load_config(own)
    assert str(caught.value).startswith(f"{own}: {told.format(folder=tmp_path, name=tmp_path.name)}")
    assert "\n" not in str(caught.value)


def test_a_mistake_in_a_base_is_reported_with_its_possible_sources(tmp_path):
    own = built_on(tmp_path, own="base: other.yaml", other="train: {epoch: 3}")
    with pytest.raises(ConfigError, match=r"1 problem in .*own.yaml with its base; correct"):
        load_config(own)
    with pytest.raises(ConfigError, match=r"1 problem in .*own.yaml with its base and --set; correct"):
        load_config(own, ["train.seed=1"])


def test_a_config_that_is_not_a_mapping_is_an_error():
    with pytest.raises(ConfigError, match=r"the whole config: Input should be a valid dictionary"):
        parse_config([1], "the test")


@pytest.mark.parametrize("text", ["", "# all is commented out\n", "---\n"])
def test_an_empty_file_gives_the_defaults(tmp_path, text):
    assert load_config(written(tmp_path, text)) == Config()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"data:\n  root: [", r"cannot use the config .*some.yaml, line 2: .*; correct that line"),
        (b"\x00\x01", "line 1: special characters are not allowed"),
        (b"data:\n\xff\xfe\xff", "cannot read the config .*some.yaml, line 2: not UTF-8 text"),
        (b"data:\n\troot: x", "line 2: found character .* that cannot start any token"),
        (b"---\ndata: {}\n---\ndata: {}", "line 3: but found another document"),
        (b"data: {root: a}\n\ndata: {root: b}", "line 3: `data` is already in line 1"),
        (b"data:\n  root: a\n  'root': b", "line 3: `root` is already in line 2"),
        (b"train:\n  seed: 010", "line 2: 010 is octal to some readers"),
        (b"train: {seed: -0_7}", "line 1: -0_7 is octal to some readers"),
        (b"train:\n  seed: !!int '7'", "line 2: the tag .*:int is not allowed in configs"),
        (b"!!python/object:os.system {}", "line 1: the tag .* is not allowed in configs"),
        (b"data: {[a]: b}", "line 1: a key must be a word"),
        (b"&a [*a]", "line 1: .*recursive|line 1: too many values, or nested too deeply"),
        (b"[" * 10_000, "line 1: lists or sections are nested too deeply"),
        (b"a: " + b"[" * 50 + b"]" * 50, "line 1: too many values, or nested too deeply"),
        (b"#" * 200_001, "line 1: longer than 200,000 characters"),
        (b"- 1\n- 2\n", "has no `section:` lines"),
        (b"just text", "has no `section:` lines"),
    ],
)
def test_an_invalid_file_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "some.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read .*gone.yaml: no such file; check the path"):
        load_config(tmp_path / "gone.yaml")
    with pytest.raises(ConfigError, match="is a folder; name a file"):
        load_config(tmp_path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_dumped_config_is_read_back_the_same(path, tmp_path):
    config = load_config(path, ["data.root=/photos/été = 1", "train.weight_decay=1e-5"])
    copy = written(tmp_path, dump_config(config))
    assert load_config(copy) == config


def test_a_dump_contains_every_setting():
    tree = yaml.safe_load(dump_config(Config()))
    assert list(tree) == list(Config.model_fields)
    assert list(tree["train"]) == list(type(Config().train).model_fields)
    assert tree["image"]["mean"] == [0, 0, 0]
    assert tree["loss"] == {"name": "contrastive", "margin": 2.0}


@pytest.mark.parametrize(
    ("old", "told"),
    [
        ("train.ema=0.9", "train.ema: unknown key; it was removed"),
        ("model.layout={size: 8}", "model.layout: unknown key; it is now called model.spatial"),
        ("data.held_out=zero-shot-25", "data.held_out: unknown key; it is now called data.zero_shot"),
    ],
)
def test_a_renamed_setting_is_an_error_with_its_present_name(old, told):
    with pytest.raises(ConfigError) as caught:
        load_config(None, [old])
    assert str(caught.value).endswith(f"\n  {told}")


def test_the_config_of_an_earlier_run_is_read_with_present_names(tmp_path):
    old = written(
        tmp_path,
        "train: {ema: 0.9, epochs: 3}\nmodel: {normalize: true, layout: {size: 8}}\ndata: {held_out: zero-shot-25}",
    )
    config = load_config(old, ["train.seed=5"], of_run=True)
    assert (config.train.epochs, config.train.seed) == (3, 5)
    assert config.model.spatial.size == 8
    assert config.data.zero_shot == "zero-shot-25"
    with pytest.raises(ConfigError, match=r"train.ema: unknown key; it was removed"):
        load_config(old, ["train.ema=0.9"], of_run=True)


@pytest.mark.parametrize("tree", [{}, {"train": 5}, {"model": {"layout": None}}, {"other": [1]}])
def test_renaming_does_not_change_its_argument(tree):
    before = repr(tree)
    assert "layout" not in repr(with_current_names(tree))
    assert repr(tree) == before
