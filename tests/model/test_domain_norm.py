import copy

import pytest
import torch
from torch import nn

from sketchy.config_file import parse_config
from sketchy.errors import ConfigError
from sketchy.model.domain_norm import PerKind, norms_of, of_kind, select_norms, split_norms
from sketchy.model.encoder import Siamese, build_encoder


def features(level: float, seed: int = 0) -> torch.Tensor:
    return level + torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(seed))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3)))


def test_every_batch_norm_is_replaced_and_starts_as_it_was():
    whole = network().eval()
    split = copy.deepcopy(whole)
    split_norms(split)
    assert len(norms_of(split)) == 2
    for kind in ("sketch", "photo"):
        select_norms(split, kind)
        assert torch.equal(split(features(1.0)), whole(features(1.0)))


def test_each_kind_moves_its_own_statistics():
    norm = PerKind(nn.BatchNorm2d(3), nn.BatchNorm2d(3)).train()
    select_norms(norm, "sketch")
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
        select_norms(split, kind)
        split.train()(features(level))
    for kind in ("sketch", "photo"):
        half = of_kind(split.eval(), kind)
        select_norms(split, kind)
        assert not norms_of(half)
        assert torch.equal(half(features(1.0)), split(features(1.0)))
    assert len(norms_of(split)) == 2
