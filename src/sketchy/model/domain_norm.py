"""Batch norm of its own for sketches and for photos, whose statistics differ, in a network that shares the rest.

Li et al., "Revisiting Batch Normalization For Practical Domain Adaptation", 2017.
"""

import copy

from torch import Tensor, nn

from sketchy.image import Kind


class PerKind(nn.Module):
    """Two modules, of which `kind` chooses one."""

    def __init__(self, sketch: nn.Module, photo: nn.Module) -> None:
        super().__init__()
        self.sketch = sketch
        self.photo = photo
        self.kind: Kind = "photo"

    def forward(self, features: Tensor) -> Tensor:
        """Run images, or features, of one kind."""
        out: Tensor = getattr(self, self.kind)(features)
        return out


def split_norms(network: nn.Module) -> None:
    """Put two batch norms, which start alike, in the place of every one of a network."""
    for name, child in list(network.named_children()):
        if isinstance(child, nn.BatchNorm2d):
            setattr(network, name, PerKind(child, copy.deepcopy(child)))
        else:
            split_norms(child)


def norms_of(network: nn.Module) -> list[PerKind]:
    """Return what of a network is there once for each kind."""
    return [module for module in network.modules() if isinstance(module, PerKind)]


def choose_norms(network: nn.Module, kind: Kind) -> None:
    """Make every PerKind of a network use the module of a kind until the next call."""
    for module in norms_of(network):
        module.kind = kind


def of_kind(network: nn.Module, kind: Kind) -> nn.Module:
    """Return a copy of a network that holds, of every PerKind in it, the module of a kind alone."""
    made = copy.deepcopy(network)
    for parent in list(made.modules()):
        for name, child in parent.named_children():
            if isinstance(child, PerKind):
                setattr(parent, name, getattr(child, kind))
    return made
