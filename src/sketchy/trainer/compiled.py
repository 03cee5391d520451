"""Compilation of the network in training."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from sketchy.errors import ConfigError, TrainingError
from sketchy.trainer.parallel import World


def compile_network(network: nn.Module, world: World) -> nn.Module:
    """Compile a network, forward and backward, at its first call, and return it; on a GPU also as CUDA graphs.

    Results stay the same up to rounding and the draws of dropout. On two cores report_cnn takes a twelfth less time,
    MobileNetV2 four times as much (docs/benchmarks.md).

    Raises:
        ConfigError: DataParallel splits batches among several GPUs; its copies of a network cannot be compiled.
        TrainingError: There is no compiler. This is tested now, before a run that exists is replaced.
    """
    if world.is_data_parallel:
        raise ConfigError("train.compile: not for several GPUs in one process; start with torchrun, or name one GPU")
    mode = "reduce-overhead" if world.device.type == "cuda" else "default"
    trial = _Trial()
    trial.compile(mode=mode)
    with explain_compiler_errors():
        trial(torch.zeros(1, device=world.device))
    network.compile(dynamic=False, mode=mode)
    return network


class _Trial(nn.Module):
    """The least that there is to compile. None of torch.nn: torch 2.11 runs those without compiling them."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.relu()


@contextmanager
def explain_compiler_errors() -> Iterator[None]:
    """Turn a failure to compile in the block, usually for lack of a C++ compiler, into a TrainingError."""
    from torch._dynamo.exc import TorchDynamoException  # imported here since it takes a second

    try:
        yield
    except TorchDynamoException as error:
        reason = str(getattr(error, "inner_exception", error)).strip().partition("\n")[0]
        raise TrainingError(f"train.compile: {reason}; install a C++ compiler or set train.compile to false") from None
