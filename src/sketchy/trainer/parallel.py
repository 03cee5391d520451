"""One process or many, one GPU or many: the same training step.

Started by `torchrun`, every rank draws the same batch and embeds its own share of it; the embeddings are then gathered
with their gradients, so that every rank computes the loss, and its statistics, over the whole batch. In one process
with several GPUs, DataParallel splits the batch, as in the report.
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
"""For a process that packs the dataset or validates while the others wait."""
T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """The processes that train together.

    Attributes:
        rank: this one's number, from 0; rank 0 saves and reports.
        size: how many there are.
        device: where this one computes.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this is the process that saves and reports."""
        return self.rank == 0

    @property
    def splits(self) -> bool:
        """Whether one process splits every batch among several GPUs."""
        return self.size == 1 and self.device == torch.device("cuda") and torch.cuda.device_count() > 1

    def share(self, batch_size: int) -> slice:
        """Return this rank's part of a batch, contiguous and as large as every other's.

        Raises:
            ConfigError: the batch does not divide among the processes.
        """
        if batch_size % self.size:
            raise ConfigError(f"a batch of {batch_size} does not divide among {self.size} processes; change sampler")
        each = batch_size // self.size
        return slice(self.rank * each, (self.rank + 1) * each)

    def gather(self, share: Tensor) -> Tensor:
        """Join the (B/size, D) shares of all ranks to (B, D); gradients flow back to each rank's own."""
        whole: Tensor = share if self.size == 1 else _Gather.apply(share, self.rank)
        return whole

    def any(self, flag: bool) -> bool:
        """Return whether the flag is set on any rank, so that all stop at the same step."""
        if self.size == 1:
            return flag
        count = torch.tensor(int(flag), device=self.device)
        dist.all_reduce(count)
        return bool(count.item())

    def collect(self, item: T) -> list[T]:
        """Return every rank's item, in the order of ranks."""
        if self.size == 1:
            return [item]
        items: list[Any] = [None] * self.size
        dist.all_gather_object(items, item)
        return items

    @contextmanager
    def agreed(self) -> Iterator[None]:
        """Run the block on every rank, and let all fail where one does: none may wait for one that has left.

        Raises:
            RunError: the block failed on another rank, which says why.
        """
        try:
            yield
        except SketchyError:
            self.any(True)
            raise
        if self.any(False):
            raise RunError("another process of this run could not go on; its message says why")

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """As `agreed`, but the others run the block when rank 0 has: for caches that one should fill."""
        if not self.is_main:
            with self.agreed():
                pass
            yield
        else:
            with self.agreed():
                yield

    def spread(self, model: nn.Module) -> nn.Module:
        """Wrap a model on its device so that its gradients are those of the whole batch."""
        if self.size > 1:
            return DistributedDataParallel(model, device_ids=[self.device] if self.device.type == "cuda" else None)
        return DataParallel(model) if self.splits else model


@contextmanager
def join_world(device: str) -> Iterator[World]:
    """Join the processes that `torchrun` started, or be alone.

    Args:
        device: as `pick_device`; under torchrun a GPU machine gives each process its own GPU.

    Raises:
        ConfigError: the device is not there.
    """
    size = _number("WORLD_SIZE", 1)
    picked = pick_device(device)
    if size <= 1:
        yield World(0, 1, picked)
        return
    if picked.type == "cuda":
        picked = _own_gpu()
        torch.cuda.set_device(picked)
    try:
        dist.init_process_group("nccl" if picked.type == "cuda" else "gloo", timeout=LONGEST_WAIT)
    except (ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"WORLD_SIZE is {size}, but no process was met: {reason}; start with torchrun") from None
    try:
        yield World(dist.get_rank(), size, picked)
        dist.barrier()  # rank 0 holds the meeting point: leaving before the others are done would abort them
    finally:
        dist.destroy_process_group()


def _number(variable: str, default: int) -> int:
    text = os.environ.get(variable) or str(default)
    if not text.isdecimal():
        raise ConfigError(f"{variable} is {text!r}, not a number; unset it, or start with torchrun")
    return int(text)


def _own_gpu() -> torch.device:
    """Return the GPU of this process; too few of them is found out on every rank alike."""
    needed, there = _number("LOCAL_WORLD_SIZE", 1), torch.cuda.device_count()
    if needed > there:
        raise ConfigError(f"{needed} processes on a machine with {there} GPUs; use --nproc-per-node {there}")
    return torch.device("cuda", _number("LOCAL_RANK", 0))


class _Gather(torch.autograd.Function):
    """all_gather whose backward sums what every rank wants of a share.

    Every rank computes the same loss of the gathered batch, so the sum is `size` times the gradient; the mean that
    DistributedDataParallel takes over ranks then leaves exactly the gradient of one process with the whole batch.
    """

    @staticmethod
    def forward(ctx: Any, share: Tensor, rank: int) -> Tensor:
        ctx.rank, ctx.rows = rank, len(share)
        parts = [torch.empty_like(share) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, share.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        gradient = gradients[0].contiguous()
        dist.all_reduce(gradient)
        return gradient[ctx.rank * ctx.rows : (ctx.rank + 1) * ctx.rows], None
