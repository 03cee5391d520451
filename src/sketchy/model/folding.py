"""Batch norms folded into convolutions, for inference: the same embeddings, in about half the time on a CPU."""

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

    This is within a fifth of the speed of a frozen and compiled network (docs/benchmarks.md), without a compiler.
    Embeddings differ from those of `encoder` by rounding only. A network with separate norms per kind becomes two
    networks. A network that torch.fx cannot trace keeps its norms.
    """
    made = copy.deepcopy(encoder).eval()
    if norms_of(made.backbone):
        made.backbone = PerKind(_fused(of_kind(made.backbone, "sketch")), _fused(of_kind(made.backbone, "photo")))
    else:
        made.backbone = _fused(made.backbone)
    return made


@contextmanager
def kept_folded(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Fold the forward passes of frozen modules while the block runs.

    They must be in evaluation mode. Their parameters keep their names and values.
    """
    changed = {module: _folded_forward(module) for module in modules}  # fold all before changing any
    for module, forward in changed.items():
        module.forward = forward
    try:
        yield
    finally:
        for module in changed:
            del module.forward  # restores the method of the class


def _folded_forward(module: nn.Module) -> Callable[[Tensor], Tensor]:
    norms = norms_of(module)
    if not norms:
        return _fused(copy.deepcopy(module)).forward
    sketch, photo = _fused(of_kind(module, "sketch")), _fused(of_kind(module, "photo"))
    return lambda features: (sketch if norms[0].kind == "sketch" else photo)(features)


def _fused(network: nn.Module) -> nn.Module:
    """Fold a network if possible; one without batch norms, such as a transformer, is returned unchanged."""
    if any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        with suppress(TraceError, TypeError):  # control flow that depends on values or sizes, as in some of timm's
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
