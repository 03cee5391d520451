"""The vector drawings of a batch: drawn in another thread, while the network trains on the batches before."""

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sketchy.ahead import map_ahead
from sketchy.dataset.drawings import Drawings
from sketchy.dataset.sampler import Batch
from sketchy.runtime import to_device

AHEAD = 4
"""Batches that are drawn ahead of the one that is trained on."""


def drawn_ahead(
    batches: Iterable[tuple[int, Batch]],
    drawings: Drawings,
    rasters: int,
    shard: Callable[[int], slice],
    seed: tuple[int, int],
) -> Generator[tuple[Batch, Tensor]]:
    """Yield batches with the images of their vector drawings.

    How a drawing is altered depends on the seed, the index of its batch and its index in it, whichever rank draws it.

    Args:
        batches: Batches of an epoch, with their indices in it.
        drawings: All vector drawings.
        rasters: Number of sketches that are not drawn; larger rows are of drawings.
        shard: Returns this rank's part of as many sketches.
        seed: Seeds of the run and of the epoch.

    Yields:
        A batch, and this rank's drawings among its sketches, shape (V, 1, S, S), uint8.
    """

    def draw(numbered: tuple[int, Batch]) -> tuple[Batch, Tensor]:
        step, batch = numbered
        own = np.arange(len(batch.sketches))[shard(len(batch.sketches))]
        own = own[batch.sketches[own] >= rasters]
        seeds = [(*seed, step, index) for index in own.tolist()]
        return batch, torch.from_numpy(drawings.drawn((batch.sketches[own] - rasters).tolist(), seeds))

    with ThreadPoolExecutor(1) as pool:
        yield from map_ahead(draw, batches, pool, AHEAD)


def beside(sketches: Tensor, drawn: Tensor, raster: NDArray[np.bool_]) -> Tensor:
    """Put sketches and drawings in the order of their batch.

    Args:
        sketches: Sketches, shape (B - V, 1, S, S), uint8.
        drawn: Drawings, shape (V, 1, S, S), uint8, on the CPU.
        raster: Which of the batch are of `sketches`, shape (B,).
    """
    order = np.argsort(np.concatenate([np.flatnonzero(raster), np.flatnonzero(~raster)]))
    device = sketches.device
    return torch.cat([sketches, to_device(drawn, device)])[to_device(torch.from_numpy(order), device)]
