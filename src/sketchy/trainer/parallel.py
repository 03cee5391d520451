"""One process or many, one GPU or many: the same training step.

Under `torchrun` every rank draws the same batch and embeds its shard of it; the embeddings are then gathered with their
gradients, so that every rank computes the loss and its statistics over the whole batch. In one process with several
GPUs, DataParallel splits the batch, as in the report.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from sketchy.errors import ConfigError, RunError, SketchyError
from sketchy.runtime import pick_device

LONGEST_WAIT = timedelta(hours=2)
"""Timeout of the other processes while one packs the dataset or validates."""
T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """The processes that train together.

    Attributes:
        rank: Index of this process, from 0; rank 0 saves and reports.
        size: Number of processes.
        device: Device of this process.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this is the process that saves and reports."""
        return self.rank == 0

    @property
    def is_data_parallel(self) -> bool:
        """Whether one process splits every batch among several GPUs."""
        return self.size == 1 and self.device == torch.device("cuda") and torch.cuda.device_count() > 1

    def shard(self, batch_size: int) -> slice:
        """Return this rank's shard of a batch, contiguous and as large as every other's.

        Raises:
            ConfigError: The batch cannot be divided evenly among the processes.
        """
        if batch_size % self.size:
            raise ConfigError(
                f"a batch of {batch_size} cannot be divided among {self.size} processes; change the sampler settings"
            )
        each = batch_size // self.size
        return slice(self.rank * each, (self.rank + 1) * each)

    def gather(self, shard: Tensor) -> Tensor:
        """Concatenate the (B/size, D) shards of all ranks to (B, D); each rank gets the gradient of its shard."""
        whole: Tensor = shard if self.size == 1 else _Gather.apply(shard, self.rank)
        return whole

    def any(self, flag: bool) -> bool:
        """Return whether the flag is set on any rank, so that all stop at the same step."""
        if self.size == 1:
            return flag
        count = torch.tensor(int(flag))  # on the CPU, so that no GPU is waited for
        dist.all_reduce(count)
        return bool(count)

    def all_gather_object(self, item: T) -> list[T]:
        """Return every rank's item, in the order of ranks."""
        if self.size == 1:
            return [item]
        items: list[Any] = [None] * self.size
        dist.all_gather_object(items, item)
        return items

    @contextmanager
    def fail_together(self) -> Iterator[None]:
        """Run the block on every rank, and fail on all if it fails on one, so that none waits for one that has left.

        Raises:
            RunError: The block failed on another rank, which reports the reason.
        """
        try:
            yield
        except SketchyError:
            self.any(True)
            raise
        if self.any(False):
            raise RunError("another process of this run failed; its message says why")

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """As `fail_together`, but the others run the block after rank 0, for caches that one process should fill."""
        if not self.is_main:
            with self.fail_together():
                pass
            yield
        else:
            with self.fail_together():
                yield

    def parallel(self, model: nn.Module) -> nn.Module:
        """Wrap a model on its device so that its gradients are those of the whole batch."""
        if self.size > 1:
            return DistributedDataParallel(model, device_ids=[self.device] if self.device.type == "cuda" else None)
        return DataParallel(model) if self.is_data_parallel else model


@contextmanager
def join_world(device: str) -> Iterator[World]:
    """Join the processes that `torchrun` started, or run as a single process.

    Args:
        device: As `pick_device`; under torchrun each process gets a GPU of its own.

    Raises:
        ConfigError: The device does not exist, or the other processes cannot be reached.
    """
    size = _number("WORLD_SIZE", 1)
    picked = pick_device(device)
    if picked.type == "cuda" and picked.index is not None:
        torch.cuda.set_device(picked)  # else page-locked memory would belong to the first GPU, and take memory there
    if size <= 1:
        yield World(0, 1, picked)
        return
    if picked.type == "cuda":
        picked = _own_gpu()
        torch.cuda.set_device(picked)
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if picked.type == "cuda" else "gloo", timeout=LONGEST_WAIT)
    except (ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(
            f"WORLD_SIZE is {size}, but no other process can be reached: {reason}; start with torchrun"
        ) from None
    try:
        yield World(dist.get_rank(), size, picked)
        dist.barrier()  # rank 0 holds the rendezvous: the others would be aborted if it left before them
    finally:
        dist.destroy_process_group()


def _number(variable: str, default: int) -> int:
    text = os.environ.get(variable) or str(default)
    if not text.isdecimal():
        raise ConfigError(f"{variable} is {text!r}, not a number; unset it, or start with torchrun")
    return int(text)


def _own_gpu() -> torch.device:
    """Return the GPU of this process. Raises ConfigError, on every rank alike, if there are too few."""
    needed, there = _number("LOCAL_WORLD_SIZE", 1), torch.cuda.device_count()
    if needed > there:
        raise ConfigError(f"{needed} processes on a machine with {there} GPUs; use --nproc-per-node {there}")
    return torch.device("cuda", _number("LOCAL_RANK", 0))


class _Gather(torch.autograd.Function):
    """all_gather whose backward sums the gradients that all ranks have for a shard.

    Every rank computes the same loss of the gathered batch, so the sum is `size` times the gradient; the mean that
    DistributedDataParallel takes over ranks then leaves exactly the gradient of one process with the whole batch.
    """

    @staticmethod
    def forward(ctx: Any, shard: Tensor, rank: int) -> Tensor:
        ctx.rank, ctx.rows = rank, len(shard)
        parts = [torch.empty_like(shard) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, shard.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        gradient = gradients[0].contiguous()
        dist.all_reduce(gradient)
        return gradient[ctx.rank * ctx.rows : (ctx.rank + 1) * ctx.rows], None
