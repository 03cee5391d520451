import copy

import pytest
import torch
from torch import nn

from sketchy.config_file import parse_config
from sketchy.errors import ConfigError
from sketchy.model.encoder import Siamese, build_encoder
from sketchy.model.per_kind import PerKind, modules_per_kind, of_kind, select_kind, split_blocks, split_norms


def features(level: float, seed: int = 0) -> torch.Tensor:
    return level + torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(seed))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3)))


def test_every_batch_norm_is_replaced_and_starts_as_it_was():
    whole = network().eval()
    split = copy.deepcopy(whole)
    split_norms(split)
    assert len(modules_per_kind(split)) == 2
    for kind in ("sketch", "photo"):
        select_kind(split, kind)
        assert torch.equal(split(features(1.0)), whole(features(1.0)))


def test_each_kind_moves_its_own_statistics():
    norm = PerKind(nn.BatchNorm2d(3), nn.BatchNorm2d(3)).train()
    select_kind(norm, "sketch")
    norm(features(5.0))
    assert norm.sketch.running_mean.mean() > 0.4
    assert torch.equal(norm.photo.running_mean, torch.zeros(3))


def test_an_encoder_keeps_the_statistics_of_the_kinds_apart():
    sections = {"image": {"size": 16}, "model": {"embedding_size": 8, "domain_norm": True}}
    torch.manual_seed(0)
    siamese = Siamese(build_encoder(parse_config(sections, "test"))).train()
    dark, bright = (torch.full((4, 1, 16, 16), level, dtype=torch.uint8) for level in (10, 240))
    for _ in range(30):
        siamese(dark, bright)
    norm = siamese.encoder.backbone[2]
    assert not torch.allclose(norm.sketch.running_mean, norm.photo.running_mean, atol=1e-3)
    siamese.eval()
    assert not torch.equal(siamese.encoder(dark, "sketch"), siamese.encoder(dark, "photo"))


def test_a_network_without_batch_norms_has_none_to_split():
    model = {"backbone": "convnext_tiny", "domain_norm": True}
    with pytest.raises(ConfigError, match=r"model.domain_norm: convnext_tiny has no batch norms to split; set it to f"):
        build_encoder(parse_config({"image": {"size": 32}, "model": model}, "test"))


def test_a_network_of_one_kind_is_that_half_of_the_whole_and_no_more():
    split = network()
    split_norms(split)
    for kind, level in (("sketch", 5.0), ("photo", -3.0)):
        select_kind(split, kind)
        split.train()(features(level))
    for kind in ("sketch", "photo"):
        half = of_kind(split.eval(), kind)
        select_kind(split, kind)
        assert not modules_per_kind(half)
        assert torch.equal(half(features(1.0)), split(features(1.0)))
    assert len(modules_per_kind(split)) == 2


def blocks() -> nn.Module:
    """A network of three blocks; the first and the last have batch norms."""
    whole = nn.Module()
    whole.features = nn.Sequential(network(), nn.Conv2d(3, 3, 1), network())
    return whole


def test_blocks_from_an_index_on_are_replaced_and_start_as_they_were():
    whole = blocks().eval()
    split = copy.deepcopy(whole)
    split_blocks(split, 1)
    split_norms(split)
    assert [type(block) is PerKind for block in split.features] == [False, True, True]
    assert len(modules_per_kind(split)) == 4  # two norms of the first block; those of the last are not split again
    for kind in ("sketch", "photo"):
        select_kind(split, kind)
        assert torch.equal(split.features(features(1.0)), whole.features(features(1.0)))


def test_training_on_sketches_leaves_the_blocks_of_photos_as_they_were():
    split = blocks()
    split_blocks(split, 1)
    before = copy.deepcopy(split.features[1].photo.state_dict())
    select_kind(split, "sketch")
    optimizer = torch.optim.SGD(split.parameters(), lr=1.0)
    split.features(features(1.0)).square().mean().backward()
    optimizer.step()
    assert all(torch.equal(before[name], value) for name, value in split.features[1].photo.state_dict().items())
    assert not torch.equal(split.features[1].sketch.weight, split.features[1].photo.weight)


def test_an_encoder_shares_the_blocks_before_and_is_half_of_each_kind_after():
    sections = {"image": {"size": 32, "color": "rgb"}, "model": {"backbone": "mobilenet_v2", "embedding_size": 8}}
    sections["model"]["separate_from"] = 17
    encoder = build_encoder(parse_config(sections, "test"))
    names = {name for name, _ in encoder.backbone.named_parameters()}
    assert {"features.16.conv.0.0.weight", "features.18.sketch.0.weight", "features.18.photo.0.weight"} <= names
    assert not any(name.startswith("features.16.sketch") for name in names)


@pytest.mark.parametrize(
    ("backbone", "index", "problem"),
    [
        ("mobilenet_v2", 19, "the network has 19 blocks; give a lower index, or null"),
        ("report_cnn", 0, "the network has no blocks called features; give a lower index, or null"),
    ],
)
def test_a_network_without_such_blocks_is_refused(backbone, index, problem):
    model = {"backbone": backbone, "separate_from": index}
    with pytest.raises(ConfigError, match=f"model.separate_from: {problem}"):
        build_encoder(parse_config({"image": {"size": 32, "color": "rgb"}, "model": model}, "test"))
