"""Compilation of the network and of the loss in training."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from sketchy.config import Compile
from sketchy.errors import ConfigError, SketchyError, TrainingError
from sketchy.trainer.parallel import World

log = logging.getLogger(__name__)


def should_compile(setting: Compile, world: World) -> bool:
    """Return whether to compile. This is tried now, before a run that exists is replaced.

    Args:
        setting: "auto" compiles on a GPU if there is a compiler; else a line of the log says why not.
        world: The processes that train together.

    Raises:
        ConfigError: `setting` is True, but DataParallel splits batches among several GPUs; its copies of a network
            cannot be compiled.
        TrainingError: `setting` is True, but there is no compiler.
    """
    if setting == "auto":
        return world.device.type == "cuda" and _can_compile(world)
    if setting is True:
        _try_to_compile(world)
    return setting is True


def _can_compile(world: World) -> bool:
    try:
        _try_to_compile(world)
    except SketchyError as error:
        _log_fallback(error)
        return False
    return True


def _try_to_compile(world: World) -> None:
    if world.is_data_parallel:
        raise ConfigError("train.compile: not for several GPUs in one process; start with torchrun, or name one GPU")
    trial = compile_module(_Trial(), graphs=world.device.type == "cuda")
    with explain_compiler_errors():
        trial(torch.zeros(1, device=world.device))


def _log_fallback(error: SketchyError) -> None:
    log.info(f"training is not compiled, which makes steps slower: {error}")


def compile_module(module: nn.Module, *, graphs: bool, or_plain: bool = False) -> nn.Module:
    """Compile a module, forward and backward, at its first call, and return it.

    Results stay the same up to rounding and the draws of dropout. On two cores report_cnn takes a twelfth less time,
    MobileNetV2 four times as much (docs/benchmarks.md).

    Args:
        module: A network or a loss; its parameters keep their names.
        graphs: Whether to run each of its parts as a CUDA graph.
        or_plain: Whether to run it uncompiled, with a line in the log, if it cannot be compiled.
    """
    module.compile(dynamic=False, mode="reduce-overhead" if graphs else "default")
    return _OrPlain(module) if or_plain else module


class _OrPlain(nn.Module):
    """Runs a module compiled, or uncompiled after this has failed."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.is_plain = False

    def forward(self, *batch: Any) -> Any:
        if not self.is_plain:
            try:
                with explain_compiler_errors():
                    return self.module(*batch)
            except TrainingError as error:
                _log_fallback(error)
                self.is_plain = True
        return self.module.forward(*batch)


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
