"""Batch norm of its own for sketches and for photos, whose statistics differ, in a network that shares the rest.

Li et al., "Revisiting Batch Normalization For Practical Domain Adaptation", 2017.
"""

import copy

from torch import Tensor, nn

from sketchy.image import Kind


class DomainNorm(nn.Module):
    """Two batch norms, of which `kind` chooses one; both start as the one that they replace."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.sketch = norm
        self.photo = copy.deepcopy(norm)
        self.kind: Kind = "photo"

    def forward(self, features: Tensor) -> Tensor:
        """Normalise (B, C, H, W) features of images of one kind."""
        out: Tensor = (self.sketch if self.kind == "sketch" else self.photo)(features)
        return out


def split_norms(network: nn.Module) -> None:
    """Put a DomainNorm in the place of every batch norm of a network."""
    for name, child in list(network.named_children()):
        if isinstance(child, nn.BatchNorm2d):
            setattr(network, name, DomainNorm(child))
        else:
            split_norms(child)


def has_domain_norms(network: nn.Module) -> bool:
    """Whether a network has norms of its own for each kind."""
    return any(isinstance(module, DomainNorm) for module in network.modules())


def choose_norms(network: nn.Module, kind: Kind) -> None:
    """Make every DomainNorm of a network use the norm of a kind until the next call."""
    for module in network.modules():
        if isinstance(module, DomainNorm):
            module.kind = kind
