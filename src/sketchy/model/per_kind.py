"""What sketches and photos do not share in a network: batch norms, as their statistics differ, or whole blocks.

Li et al., "Revisiting Batch Normalization For Practical Domain Adaptation", 2017.
"""

import copy

from torch import Tensor, nn

from sketchy.errors import ConfigError
from sketchy.image import Kind


class PerKind(nn.Module):
    """Two modules; `kind` selects the one that runs."""

    def __init__(self, sketch: nn.Module, photo: nn.Module) -> None:
        super().__init__()
        self.sketch = sketch
        self.photo = photo
        self.kind: Kind = "photo"

    def forward(self, features: Tensor) -> Tensor:
        """Run the features of images of the selected kind."""
        out: Tensor = getattr(self, self.kind)(features)
        return out


def split_norms(network: nn.Module) -> None:
    """Replace every batch norm of a network by two that start equal, but for those that are in a PerKind already."""
    for name, child in list(network.named_children()):
        if isinstance(child, nn.BatchNorm2d):
            setattr(network, name, PerKind(child, copy.deepcopy(child)))
        elif not isinstance(child, PerKind):
            split_norms(child)


def split_blocks(network: nn.Module, start: int) -> None:
    """Replace the blocks of `network.features` from index `start` on by two each that start equal.

    Raises:
        ConfigError: The network has no such blocks.
    """
    blocks = getattr(network, "features", None)
    if not isinstance(blocks, nn.Sequential) or start >= len(blocks):
        count = f"{len(blocks)} blocks" if isinstance(blocks, nn.Sequential) else "no blocks called features"
        raise ConfigError(f"model.separate_from: the network has {count}; give a lower index, or null")
    for index in range(start, len(blocks)):
        blocks[index] = PerKind(blocks[index], copy.deepcopy(blocks[index]))


def modules_per_kind(network: nn.Module) -> list[PerKind]:
    """Return every PerKind of a network."""
    return [module for module in network.modules() if isinstance(module, PerKind)]


def select_kind(network: nn.Module, kind: Kind) -> None:
    """Select the module of a kind in every PerKind of a network, until the next call."""
    for module in modules_per_kind(network):
        module.kind = kind


def of_kind(network: nn.Module, kind: Kind) -> nn.Module:
    """Return a copy of a network in which every PerKind is replaced by its module of a kind."""
    made = copy.deepcopy(network)
    for parent in list(made.modules()):
        for name, child in parent.named_children():
            if isinstance(child, PerKind):
                setattr(parent, name, getattr(child, kind))
    return made
