"""What the CPU prepares of a batch: drawings, random changes and JPEGs, in threads ahead of the training step."""

from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sketchy.ahead import map_ahead
from sketchy.dataset.augment import Augmenter, Changes, change_photos, compress_photos
from sketchy.dataset.sampler import Batch, Indices
from sketchy.dataset.training import TrainingImages
from sketchy.runtime import to_device
from sketchy.trainer.parallel import World

AHEAD = 8
"""Batches that are prepared ahead of the one that is trained on."""


class PreparedBatch(NamedTuple):
    """A batch with what was prepared of this rank's shard, on the CPU.

    Attributes:
        batch: The whole batch.
        drawings: The vector drawings among the sketches, shape (V, 1, S, S), uint8; None if the dataset has none.
        changes: The random changes of the B pairs of the shard; None if nothing is augmented.
        compressed: The photos that are compressed, changed already, shape (K, C, S, S), uint8; None if none ever is.
    """

    batch: Batch
    drawings: Tensor | None = None
    changes: Changes | None = None
    compressed: Tensor | None = None


@dataclass(frozen=True)
class Preparation:
    """Prepares the batches of a run.

    All that is random depends on the seed, the epoch and the step (and of a drawing on its index in the batch), so that
    every rank draws the same, and a resumed run what it would have drawn.

    Attributes:
        images: The images that the indices of a batch refer to.
        augmenter: Draws the random changes; None for none.
        world: The processes that train together.
        seed: Seed of the run.
    """

    images: TrainingImages
    augmenter: Augmenter | None
    world: World
    seed: int

    def ahead(self, batches: Iterable[tuple[int, Batch]], epoch: int) -> Generator[PreparedBatch]:
        """Yield the prepared batches of an epoch, given with their steps.

        Threads work ahead only where this pays: to draw, or to compress a quarter of the photos of recommended.yaml,
        takes one core longer than a GPU needs for the step.
        """
        prepare = partial(self.prepare, epoch)
        if self.images.drawings is None and not (self.augmenter and self.augmenter.jpeg):
            yield from map(prepare, batches)
            return
        with ThreadPoolExecutor(max(1, min(torch.get_num_threads() // 2, AHEAD))) as pool:
            yield from map_ahead(prepare, batches, pool, AHEAD)

    def prepare(self, epoch: int, step_and_batch: tuple[int, Batch]) -> PreparedBatch:
        """Prepare the batch of a step."""
        step, batch = step_and_batch
        shard = self.world.shard(len(batch.sketches))
        drawings = None if self.images.drawings is None else self._drawn(batch.sketches, shard, (epoch, step))
        if self.augmenter is None:
            return PreparedBatch(batch, drawings)
        changes = self.augmenter.draw(len(batch.sketches), self._generator(epoch, step)).share(shard)
        compressed = None if changes.quality is None else self._compressed(batch.photos[shard], changes)
        return PreparedBatch(batch, drawings, changes, compressed)

    def _drawn(self, rows: Indices, shard: slice, at: tuple[int, int]) -> Tensor:
        assert self.images.drawings is not None
        rasters = len(self.images.sketches)
        own = np.arange(len(rows))[shard]
        own = own[rows[own] >= rasters]
        seeds = [(self.seed, *at, index) for index in own.tolist()]
        return torch.from_numpy(self.images.drawings.drawn((rows[own] - rasters).tolist(), seeds))

    def _generator(self, epoch: int, step: int) -> torch.Generator:
        (seed,) = np.random.SeedSequence((self.seed, epoch, step)).generate_state(1, np.uint64)
        return torch.Generator().manual_seed(int(seed))

    def _compressed(self, rows: Indices, changes: Changes) -> Tensor:
        """Change and compress photos here: JPEG follows the other changes, as in a photo of a part of the scene."""
        chosen = ~changes.kept()
        photos = torch.from_numpy(np.ascontiguousarray(self.images.photos[rows[chosen]]))
        own = changes.share(chosen)
        assert own.quality is not None
        return compress_photos(change_photos(photos, own), own.quality)


def merged(others: Tensor, prepared: Tensor, is_other: NDArray[np.bool_]) -> Tensor:
    """Put prepared images and the others in the order of their batch.

    Args:
        others: The other images, shape (B - V, C, S, S), uint8.
        prepared: Prepared images, shape (V, C, S, S), uint8, on the CPU.
        is_other: Which images of the batch are `others`, shape (B,).
    """
    order = np.argsort(np.concatenate([np.flatnonzero(is_other), np.flatnonzero(~is_other)]))
    device = others.device
    return torch.cat([others, to_device(prepared, device)])[to_device(torch.from_numpy(order), device)]
