import threading

import numpy as np
import pytest
import torch

from sketchy.config import AugmentConfig
from sketchy.dataset import augment
from sketchy.dataset.augment import build_augmenter
from sketchy.dataset.drawings import Drawings
from sketchy.dataset.sampler import Batch
from sketchy.dataset.training import TrainingImages
from sketchy.trainer import prepare
from sketchy.trainer.parallel import World
from sketchy.trainer.prepare import Preparation, PreparedBatch

BATCH = Batch(np.arange(6, 12), np.arange(6))
CPU = torch.device("cpu")


ALONE = World(0, 1, CPU)


def make_preparation(world: World = ALONE, seed: int = 0, **settings: float) -> Preparation:
    """Of eight sketches, four vector drawings that are all altered, and six photos."""
    draw = np.random.default_rng(0)
    points = draw.integers(0, 4096, (24, 2)).astype(np.int16)
    images = TrainingImages(
        sketches=draw.integers(0, 256, (8, 1, 16, 16), dtype=np.uint8),
        photos=draw.integers(0, 256, (6, 3, 16, 16), dtype=np.uint8),
        sketch_category=np.zeros(12, int),
        photo_category=np.zeros(6, int),
        sketch_photo=np.full(12, -1),
        drawings=Drawings(16, points, np.arange(0, 25, 3), np.arange(0, 9, 2), altered=1.0),
    )
    augmenter = build_augmenter(AugmentConfig(**{"jpeg": 0.5, "color": 0.3, "flip": 0.5, **settings}))
    return Preparation(images, augmenter, world, seed)


def tensors(prepared: PreparedBatch) -> list[torch.Tensor]:
    """What is random in a prepared batch."""
    return [prepared.drawings, *prepared.changes[:5], prepared.compressed]


def same(first: PreparedBatch, second: PreparedBatch) -> bool:
    return all(torch.equal(a, b) for a, b in zip(tensors(first), tensors(second), strict=True))


def test_what_is_random_depends_on_the_seed_the_epoch_and_the_step_alone():
    first = make_preparation().prepare(2, (3, BATCH))
    assert same(first, make_preparation().prepare(2, (3, BATCH)))
    for other in (
        make_preparation(seed=1).prepare(2, (3, BATCH)),
        make_preparation().prepare(3, (3, BATCH)),
        make_preparation().prepare(2, (4, BATCH)),
    ):
        assert not torch.equal(first.changes.color, other.changes.color)
        assert not torch.equal(first.drawings, other.drawings)


def test_working_ahead_changes_nothing_and_keeps_the_order():
    preparation = make_preparation()
    steps = [(step, Batch(BATCH.sketches, np.roll(BATCH.photos, step))) for step in range(20)]
    ahead = list(preparation.ahead(steps, 1))
    assert len(ahead) == 20
    for got, numbered in zip(ahead, steps, strict=True):
        assert same(got, preparation.prepare(1, numbered))


def test_the_shards_of_all_ranks_are_the_batch_of_one_process():
    whole = make_preparation().prepare(0, (5, BATCH))
    shards = [make_preparation(World(rank, 2, CPU)).prepare(0, (5, BATCH)) for rank in range(2)]
    for together, *parts in zip(tensors(whole), *map(tensors, shards), strict=True):
        assert torch.equal(together, torch.cat(parts))


def test_jpegs_are_made_in_another_thread_than_that_of_the_training_step(monkeypatch):
    threads = []
    compress = augment.compress_photos
    monkeypatch.setattr(
        prepare, "compress_photos", lambda *args: threads.append(threading.current_thread()) or compress(*args)
    )
    assert len(list(make_preparation().ahead([(0, BATCH), (1, BATCH)], 0))) == 2
    assert len(threads) == 2
    assert threading.current_thread() not in threads


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_photos_or_none_may_be_compressed(share):
    prepared = make_preparation(jpeg=share).prepare(0, (0, BATCH))
    assert (prepared.compressed is None) == (share == 0)
    assert prepared.changes.kept().all() == (share == 0)
    if share:
        assert len(prepared.compressed) == 6
