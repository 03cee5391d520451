from pathlib import Path

import numpy as np
import pytest
import torch

from sketchy.commands import embed, info, train
from sketchy.config_file import load_config, parse_config
from sketchy.errors import CheckpointError, ConfigError
from sketchy.model.backbone import build_backbone
from sketchy.model.encoder import Encoder, build_encoder
from sketchy.model.folding import folded

timm = pytest.importorskip("timm")
from safetensors.torch import save_file  # noqa: E402 (comes with timm)

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
TOWERS = [path for path in sorted(CONFIGS.rglob("*.yaml")) if load_config(path).model.backbone.startswith("timm/")]


def build(name: str = "test_vit", *, size: int = 64, pretrained: bool | str = False):
    return build_backbone(f"timm/{name}", size=size, grey=False, pretrained=pretrained)


def whole(name: str = "test_vit", *, size: int = 64) -> dict[str, torch.Tensor]:
    """The state dict of a random network with its classifier."""
    torch.manual_seed(5)
    return timm.create_model(name, **({"img_size": size} if "vit" in name else {})).state_dict()


def saved(tmp_path: Path, state: dict[str, torch.Tensor]) -> str:
    torch.save(state, tmp_path / "weights.pth")
    return str(tmp_path / "weights.pth")


@pytest.mark.parametrize(
    ("name", "features"),
    [
        ("test_vit.r160_in1k", 64),  # a class token
        ("test_vit2", 64),
        ("test_vit3", 96),  # attention pools
        ("test_resnet", 96),
        ("test_convnext", 64),
        ("mobilenetv3_small_050", 1024),  # a layer widens the features before the classifier
    ],
)
def test_a_network_turns_images_into_as_many_features_as_it_says(name, features):
    backbone = build(name)
    with torch.no_grad():
        found = backbone.network.eval()(torch.rand(2, 3, 64, 64))
    assert found.shape == (2, features)
    assert (backbone.features, backbone.in_channels) == (features, 3)
    assert found.isfinite().all()
    assert not any(parameter.is_meta for parameter in backbone.network.parameters())


def test_an_unknown_name_is_answered_with_the_nearest_ones():
    with pytest.raises(
        ConfigError, match=r"has no 'vit_base_patch16_clip_225'; did you mean timm/vit_base_patch16_clip_"
    ):
        build("vit_base_patch16_clip_225")
    with pytest.raises(ConfigError, match=r"has no 'test_vit.r161'; did you mean timm/test_vit\.r160_in1k"):
        build("test_vit.r161")
    with pytest.raises(ConfigError, match=r"has no 'zzzzzz'; timm.list_models\(\) lists the names"):
        build("zzzzzz")


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("vit_base_patch16_clip_224.openai", 100, "splits an image into patches of 16 px, .*; use 96 or 112$"),
        ("vit_base_patch32_clip_224", 16, r"cannot take images of 16 px \(.*\); its own size is 224$"),
        ("test_vit", 100, r"cannot take images of 100 px \(.*divisible by patch size \(16\)\); its own size is 160$"),
    ],
)
def test_a_size_that_does_not_fit_is_refused_before_a_download(name, size, message):
    with pytest.raises(ConfigError, match=f"^image.size: timm/{name} {message}"):
        build(name, size=size, pretrained=True)


def test_a_convolutional_network_takes_any_size():
    assert build("test_resnet", size=100).network.eval()(torch.rand(1, 3, 100, 100)).shape == (1, 96)


@pytest.mark.parametrize("name", ["test_vit", "test_resnet"])
@pytest.mark.parametrize("classifier", [True, False])
def test_a_file_is_loaded_with_or_without_the_classifier(tmp_path, name, classifier):
    state = {n: w for n, w in whole(name).items() if classifier or not n.startswith(("head.", "fc."))}
    own = build(name, pretrained=saved(tmp_path, state)).network.state_dict()
    assert all(torch.equal(own[n], state[n]) for n in own)


def test_a_file_of_safetensors_is_loaded(tmp_path):
    state = whole()
    save_file(state, tmp_path / "model.safetensors")
    own = build(pretrained=str(tmp_path / "model.safetensors")).network.state_dict()
    assert all(torch.equal(own[n], state[n]) for n in own)


def test_a_file_that_is_none_is_refused_in_one_line(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"hello, I am text")
    for name in ("a.safetensors", "gone.safetensors", "gone.pth"):
        with pytest.raises(CheckpointError, match=r"check model.pretrained") as caught:
            build(pretrained=str(tmp_path / name))
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_weights_of_another_network_are_refused_by_name(tmp_path):
    with pytest.raises(CheckpointError, match=r"the weights do not fit; .*weights.pth: .*check model.backbone"):
        build("test_vit2", pretrained=saved(tmp_path, whole("test_vit3")))


@pytest.fixture
def hub(monkeypatch):
    """What the hub answers: a random network of 160 px with its classifier."""
    state = whole(size=160)
    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", lambda *place, **options: dict(state))
    return state


@pytest.mark.parametrize("size", [160, 64])
def test_downloaded_weights_compute_the_same_when_they_come_from_a_file(hub, tmp_path, size):
    downloaded = build("test_vit.r160_in1k", size=size, pretrained=True).network.eval()
    read = build("test_vit.r160_in1k", size=size, pretrained=saved(tmp_path, hub)).network.eval()
    assert torch.equal(downloaded.state_dict()["norm.weight"], hub["norm.weight"])
    images = torch.rand(2, 3, size, size)
    with torch.no_grad():
        torch.testing.assert_close(read(images), downloaded(images), rtol=0, atol=0)


@pytest.mark.parametrize(
    "failure", [OSError("no route\nto the hub"), RuntimeError("401"), ConnectionResetError("reset")]
)
def test_a_download_that_fails_names_the_remedy(monkeypatch, failure):
    def fail(*place, **options):
        raise failure

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", fail)
    with pytest.raises(
        CheckpointError, match=r"cannot download timm's weights of test_vit.r160_in1k: .*; set model.pre"
    ) as c:
        build("test_vit.r160_in1k", pretrained=True)
    assert "\n" not in str(c.value)


def encoder(name: str, **model: object) -> Encoder:
    torch.manual_seed(0)
    tree = {"image": {"size": 64, "color": "rgb"}, "model": {"backbone": f"timm/{name}", **model}}
    return build_encoder(parse_config(tree, "a test"))


def test_the_same_seed_draws_the_same_weights():
    one, other = encoder("test_vit"), encoder("test_vit")
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize(("name", "gone"), [("test_vit", 0), ("test_resnet", 10), ("cpubone_nano", 0)])
def test_a_folded_network_gives_the_same_embeddings(name, gone):
    made = encoder(name)
    images = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        made.train()(images, "photo")  # so that the norms hold something
        expected = made.eval()(images, "photo")
        fast = folded(made)
        found = fast(images, "photo")
    assert torch.allclose(found, expected, atol=1e-4 * float(expected.abs().max()))
    norms = [sum(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules()) for network in (made, fast)]
    assert norms[0] - norms[1] >= gone


def test_norms_are_split_where_there_are_some():
    assert encoder("test_resnet", domain_norm=True)
    with pytest.raises(ConfigError, match=r"model.domain_norm: timm/test_vit has no batch norms to split"):
        encoder("test_vit", domain_norm=True)


def test_a_run_from_training_to_embeddings(tiny_config, photos, tmp_path, monkeypatch):
    """With averaged weights and a resume; weights are asked of the hub once, when the run begins."""
    asked = []

    def hub(*place, **options):
        asked.append(place)
        return whole(size=160)

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", hub)
    model = ["model.backbone=timm/test_vit.r160_in1k", "model.pretrained=true", "image.size=32", "image.color=rgb"]
    run = tmp_path / "run"
    train.run(load_config(tiny_config, [*model, "train.epochs=1"]), run)
    train.run(load_config(tiny_config, [*model, "train.epochs=2"]), run, resume=True)
    assert info.run(str(run)).model["backbone"] == "timm/test_vit.r160_in1k"
    embed.run([photos], "photo", tmp_path / "out.npz", run / "best.pth")
    with np.load(tmp_path / "out.npz") as found:
        assert found["embeddings"].shape == (40, 16)
        assert np.isfinite(found["embeddings"]).all()
    assert len(asked) == 1


def test_there_are_three_towers():
    assert len(TOWERS) == 3


@pytest.mark.parametrize("path", TOWERS, ids=lambda path: path.stem)
def test_a_config_shows_pixels_as_its_weights_know_them(path):
    config = load_config(path)
    name = config.model.backbone.removeprefix("timm/")
    weights = timm.get_pretrained_cfg(name)
    assert weights.hf_hub_id
    assert config.model.pretrained is True
    assert config.image.color == "rgb"
    assert (config.image.mean, config.image.std) == (weights.mean, weights.std)
    assert config.image.size == (224 if "dinov2" in name else weights.input_size[-1])


@pytest.mark.parametrize("path", TOWERS, ids=lambda path: path.stem)
def test_a_config_builds_an_encoder(path):
    with torch.device("meta"):  # shapes only: a tower takes seconds and hundreds of megabytes
        made = build_encoder(load_config(path), load_pretrained=False)
        assert made(torch.zeros(2, 3, 224, 224, dtype=torch.uint8), "photo").shape == (2, 256)
