"""The training step's network as one compiled program."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from sketchy.errors import ConfigError, TrainingError
from sketchy.trainer.parallel import World


def compile_network(network: nn.Module, world: World) -> None:
    """Let a network compile itself at its first call, forward and backward; a GPU also captures it in CUDA graphs.

    What it computes stays the same but for rounding, and for what dropout draws. On two cores report_cnn takes a
    twelfth less time, MobileNetV2 four times as much (docs/benchmarks.md).

    Raises:
        ConfigError: the world splits batches among several GPUs, whose copies of a network cannot be compiled.
        TrainingError: there is no compiler. That is tried first: no run is to be replaced by one that cannot begin.
    """
    if world.splits:
        raise ConfigError("train.compile: not for several GPUs in one process; start with torchrun, or name one GPU")
    mode = "reduce-overhead" if world.device.type == "cuda" else "default"
    trial = _Trial()
    trial.compile(mode=mode)
    with compiler_errors_told():
        trial(torch.zeros(1, device=world.device))
    network.compile(dynamic=False, mode=mode)


class _Trial(nn.Module):
    """The least that there is to compile. None of torch.nn: torch 2.11 runs those without compiling them."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.relu()


@contextmanager
def compiler_errors_told() -> Iterator[None]:
    """Turn a failure to compile in the block into a TrainingError: mostly there is no C++ compiler."""
    from torch._dynamo.exc import TorchDynamoException  # here, since importing it takes a second

    try:
        yield
    except TorchDynamoException as error:
        reason = str(getattr(error, "inner_exception", error)).strip().partition("\n")[0]
        raise TrainingError(f"train.compile: {reason}; install a C++ compiler or set train.compile to false") from None
