import pytest
from torch import nn

from sketchy.errors import ConfigError
from sketchy.trainer.freezing import freeze


def network() -> nn.Module:
    return nn.ModuleDict({"features": nn.Sequential(*(nn.Linear(2, 2) for _ in range(12))), "last": nn.Linear(2, 1)})


def learning(backbone: nn.Module) -> set[str]:
    return {name for name, parameter in backbone.named_parameters() if parameter.requires_grad}


def test_a_pattern_takes_whole_names():
    backbone = network()
    frozen = freeze(backbone, ["features.[0-1]"])
    assert frozen == [backbone["features"][0], backbone["features"][1]]
    assert "features.0.weight" not in learning(backbone)
    assert {"features.10.weight", "features.11.weight", "features.2.bias"} <= learning(backbone)


def test_a_star_takes_everything():
    backbone = network()
    assert freeze(backbone, ["*"]) == [backbone]
    assert not learning(backbone)


def test_nothing_is_frozen_without_a_pattern():
    backbone = network()
    assert freeze(backbone, []) == []
    assert len(learning(backbone)) == 26


def test_a_pattern_that_fits_nothing_says_what_there_is():
    with pytest.raises(ConfigError, match=r"train.freeze: no module of the backbone matches 'layer1'.*features, last"):
        freeze(network(), ["features.0", "layer1"])


def test_what_lies_in_a_frozen_module_is_not_named_again():
    backbone = network()
    assert freeze(backbone, ["features.3", "features", "last"]) == [backbone["features"], backbone["last"]]
