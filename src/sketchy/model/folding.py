"""Networks made ready for inference on a CPU: the same numbers, in about half the time."""

import copy

import torch
from torch import nn
from torch.fx.experimental.optimization import fuse
from torch.fx.proxy import TraceError

from sketchy.model.domain_norm import has_domain_norms
from sketchy.model.encoder import Encoder


def folded(encoder: Encoder) -> Encoder:
    """Return a copy in evaluation mode with batch norms folded into the convolutions, and channels last in memory.

    That is within a fifth of what freezing and compiling the network reaches (docs/benchmarks.md), without a compiler.
    Embeddings differ from those of `encoder` by rounding only. Norms that depend on the kind of an image stay, and so
    do those of a network that torch.fx cannot trace.
    """
    made = copy.deepcopy(encoder).eval()
    if not has_domain_norms(made.backbone):  # folding would fix them to one kind
        made.backbone = _fused(made.backbone)
    return made.to(memory_format=torch.channels_last)


def _fused(network: nn.Module) -> nn.Module:
    """Fold what can be folded; a network without batch norms, a transformer mostly, comes back as it is."""
    if not any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        return network
    try:
        fused: nn.Module = fuse(network)
    except (TraceError, TypeError):  # what it computes depends on values or sizes, as in some of timm's
        return network
    return fused
