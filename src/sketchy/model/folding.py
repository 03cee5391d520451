"""Batch norms folded into convolutions, where nothing learns: the same numbers, in about half the time on a CPU."""

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

import torch
from torch import Tensor, fx, nn
from torch.fx.proxy import TraceError
from torch.nn.utils.fusion import fuse_conv_bn_eval

from sketchy.model.domain_norm import PerKind, norms_of, of_kind
from sketchy.model.encoder import Encoder


def folded(encoder: Encoder) -> Encoder:
    """Return a copy in evaluation mode with batch norms folded into the convolutions, and channels last in memory.

    That is within a fifth of what freezing and compiling the network reaches (docs/benchmarks.md), without a compiler.
    Embeddings differ from those of `encoder` by rounding only. A network with norms for each kind becomes two. Norms of
    a network that torch.fx cannot trace stay.
    """
    made = copy.deepcopy(encoder).eval()
    if norms_of(made.backbone):
        made.backbone = PerKind(_fused(of_kind(made.backbone, "sketch")), _fused(of_kind(made.backbone, "photo")))
    else:
        made.backbone = _fused(made.backbone)
    return made


@contextmanager
def kept_folded(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Let modules whose weights stay as they are compute their forward passes folded, while the block runs.

    They must be in evaluation mode. The weights stay where they are, under the names that they have.
    """
    changed = {module: _folded_forward(module) for module in modules}  # all of them before the first is changed
    for module, forward in changed.items():
        module.forward = forward
    try:
        yield
    finally:
        for module in changed:
            del module.forward  # the class's own comes back


def _folded_forward(module: nn.Module) -> Callable[[Tensor], Tensor]:
    norms = norms_of(module)
    if not norms:
        return _fused(copy.deepcopy(module)).forward
    sketch, photo = _fused(of_kind(module, "sketch")), _fused(of_kind(module, "photo"))
    return lambda features: (sketch if norms[0].kind == "sketch" else photo)(features)


def _fused(network: nn.Module) -> nn.Module:
    """Fold what can be folded; a network without batch norms, a transformer mostly, stays as it is."""
    if any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        with suppress(TraceError, TypeError):  # what it computes depends on values or sizes, as in some of timm's
            network = _trace_and_fuse(network)
    return network.to(memory_format=torch.channels_last)


def _trace_and_fuse(network: nn.Module) -> nn.Module:
    """Return the traced network without the batch norms that are alone in taking the output of a convolution.

    As torch.fx.experimental.optimization.fuse, whose import warns in torch 2.11.
    """
    traced = fx.symbolic_trace(network)
    layers = {node: traced.get_submodule(str(node.target)) for node in traced.graph.nodes if node.op == "call_module"}
    for node, norm in layers.items():
        if type(norm) is not nn.BatchNorm2d or not norm.track_running_stats:
            continue
        before = node.all_input_nodes[0]
        convolution = layers.get(before)
        if type(convolution) is nn.Conv2d and len(before.users) == 1:
            traced.set_submodule(str(before.target), fuse_conv_bn_eval(convolution, norm))
            node.replace_all_uses_with(before)
            traced.graph.erase_node(node)
    return fx.GraphModule(traced, traced.graph)  # without the modules that are used no more
