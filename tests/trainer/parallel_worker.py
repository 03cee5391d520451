"""One process of test_parallel.py: a few steps of a network without batch norm under each loss; rank 0 saves."""

import os
import sys

import numpy as np
import torch
from torch import nn

from sketchy.config_file import parse_config
from sketchy.dataset.augment import build_augmenter
from sketchy.dataset.sampler import Items, build_sampler
from sketchy.dataset.training import TrainingImages
from sketchy.loss import build_objective
from sketchy.model.backbone import Backbone
from sketchy.model.encoder import Encoder, Siamese
from sketchy.trainer.loop import Trainer
from sketchy.trainer.parallel import World, join_world

SAMPLER = {"name": "pk", "categories": 4, "per_category": 2}
CHOICES = {
    "contrastive": {"sampler": {"name": "pairs", "batch_size": 8}},
    "triplet": {"loss": {"name": "triplet", "mining": "semi-hard"}, "sampler": SAMPLER},
    "infonce": {
        "loss": {"name": "infonce", "learn_temperature": True},
        "terms": {"proxy_weight": 1.0, "instance_weight": 0.5},
        "sampler": {**SAMPLER, "traced": 1},
        "augment": {"flip": 0.5, "shift": 0.1},
    },
}

ITEMS = Items(np.arange(40), np.arange(40) % 5)


def train(choice: str, world: World) -> dict[str, torch.Tensor]:
    """Train one epoch of 5 steps; return weights and statistics."""
    config = parse_config(CHOICES[choice], "test")
    draw = np.random.default_rng(0)
    images = TrainingImages(
        sketches=draw.integers(0, 256, (40, 1, 8, 8), dtype=np.uint8),
        photos=draw.integers(0, 256, (40, 1, 8, 8), dtype=np.uint8),
        sketch_category=ITEMS.categories,
        photo_category=ITEMS.categories,
        sketch_photo=ITEMS.rows,
    )
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    backbone = Backbone(nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU()), 32, 1)
    siamese = Siamese(
        Encoder(backbone, embedding_size=8, mean=(0.5,), std=(0.5,), dropout=0.0, normalize=choice == "infonce")
    )
    loss = build_objective(config.loss, config.terms, categories=5, photos=40, embedding_size=8, generator=generator)
    trainer = Trainer(
        siamese=siamese,
        loss=loss,
        # Not Adam: the head's bias cancels in every distance, and Adam would blow its rounding errors up to full steps.
        optimizer=torch.optim.SGD([{"params": [*siamese.parameters(), *loss.parameters()], "factor": 1.0}], lr=0.1),
        rate=lambda step: 0.1,
        sampler=build_sampler(config.sampler, ITEMS, ITEMS, ITEMS.rows, seed=0),
        images=images,
        world=world,
        generator=generator,
        augmenter=build_augmenter(config.augment),
    )
    row = trainer.run_epoch()
    stats = {name: torch.tensor(row.columns[name]) for name in ("loss", "positive_distance", "negative_distance")}
    return {**siamese.state_dict(), **loss.state_dict(), **stats}


with join_world("cpu") as world:
    trained = {choice: train(choice, world) for choice in CHOICES}
    if world.is_main:
        torch.save(trained, sys.argv[1])

os._exit(0)  # as the program does: DistributedDataParallel leaves threads of gloo, which can abort the exit
