"""Separate batch norms for sketches and for photos, whose statistics differ, in a network that shares the rest.

Li et al., "Revisiting Batch Normalization For Practical Domain Adaptation", 2017.
"""

import copy

from torch import Tensor, nn

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
    """Replace every batch norm of a network by two that start equal."""
    for name, child in list(network.named_children()):
        if isinstance(child, nn.BatchNorm2d):
            setattr(network, name, PerKind(child, copy.deepcopy(child)))
        else:
            split_norms(child)


def norms_of(network: nn.Module) -> list[PerKind]:
    """Return every PerKind of a network."""
    return [module for module in network.modules() if isinstance(module, PerKind)]


def select_norms(network: nn.Module, kind: Kind) -> None:
    """Select the module of a kind in every PerKind of a network, until the next call."""
    for module in norms_of(network):
        module.kind = kind


def of_kind(network: nn.Module, kind: Kind) -> nn.Module:
    """Return a copy of a network in which every PerKind is replaced by its module of a kind."""
    made = copy.deepcopy(network)
    for parent in list(made.modules()):
        for name, child in parent.named_children():
            if isinstance(child, PerKind):
                setattr(parent, name, getattr(child, kind))
    return made
