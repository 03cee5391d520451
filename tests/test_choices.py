"""A loss and a backbone are added to a copy of the package, by the steps that README gives."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name
from typing import get_args

import pytest

from sketchy.choices import OWN_BACKBONES, TORCHVISION_BACKBONES, Loss

PACKAGE = Path(__file__).parents[1] / "src" / "sketchy"

LOSS = '''
"""The mean distance of all pairs of one category."""

from torch import nn

from sketchy.distance import pairwise
from sketchy.loss.batch import LossOutput


class PullLoss(nn.Module):
    def __init__(self, strength):
        super().__init__()
        self.strength = strength

    def forward(self, sketch, photo, sketch_label, photo_label):
        same = sketch_label[:, None] == photo_label[None, :]
        return LossOutput(self.strength * pairwise(sketch, photo)[same].mean(), {})


def build(config, generator):
    return PullLoss(config.strength)
'''
SETTINGS = '''
class PullConfig(LossConfig):
    """Pulls pairs of one category together."""

    code = "sketchy.loss.pull:build"
    name: Fixed[Literal["pull"]] = "pull"
    strength: Fixed[float] = Field(1.0, gt=0, description="factor of the loss")


'''
BACKBONE = '''

def one_layer(size: int, in_channels: int) -> Backbone:
    """Make a single linear layer."""
    return Backbone(nn.Sequential(nn.Flatten(), nn.Linear(in_channels * size**2, 7)), 7, in_channels)
'''
USE = """
import sys
from sketchy.config_file import parse_config
tree = {"image": {"size": 16}, "model": {"backbone": "one_layer"}, "loss": {"name": "pull", "strength": 2},
        "sampler": {"name": "pk"}}
config = parse_config(tree, "test")
assert "torch" not in sys.modules
import torch
from sketchy.loss import build_objective
from sketchy.model.encoder import Siamese, build_encoder
sketches, photos = Siamese(build_encoder(config))(*torch.zeros(2, 4, 1, 16, 16, dtype=torch.uint8))
loss = build_objective(config.loss, config.terms, categories=2, photos=4, embedding_size=128,
                       generator=torch.Generator()).main
print(tuple(sketches.shape), type(loss).__name__, loss.strength)
"""


def changed(path: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, path.read_text(), count=1)
    assert count == 1
    path.write_text(text)


def test_a_loss_and_a_backbone_are_added_without_touching_the_config(tmp_path):
    package = shutil.copytree(
        PACKAGE, tmp_path / "sketchy", ignore=shutil.ignore_patterns("*.pth", "__pycache__", "web")
    )
    choices = package / "choices.py"
    (package / "loss" / "pull.py").write_text(LOSS)
    changed(choices, r"\nLoss = Annotated\[", SETTINGS + "\nLoss = Annotated[PullConfig | ")
    own = package / "model" / "own_backbone.py"
    own.write_text(own.read_text() + BACKBONE)
    changed(choices, r"OWN_BACKBONES = \{", 'OWN_BACKBONES = {"one_layer": "sketchy.model.own_backbone:one_layer",')
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", USE], env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout == "(4, 128) PullLoss 2.0\n"


@pytest.mark.parametrize("code", [*OWN_BACKBONES.values(), *TORCHVISION_BACKBONES.values()])
def test_every_backbone_of_the_table_has_its_code(code):
    assert callable(resolve_name(code))


@pytest.mark.parametrize("settings", get_args(get_args(Loss)[0]), ids=lambda settings: settings.__name__)
def test_every_loss_of_the_table_has_its_code_and_a_name_of_its_own(settings):
    assert callable(resolve_name(settings.code))
    assert settings.code == f"sketchy.loss.{settings().name}:build"
