"""From a config to a trainer."""

import torch

from sketchy.config import Config
from sketchy.dataset.augment import build_augmenter
from sketchy.dataset.sampler import Items, build_sampler
from sketchy.dataset.training import TrainingImages
from sketchy.loss import build_objective
from sketchy.model.encoder import Siamese
from sketchy.trainer.freezing import freeze
from sketchy.trainer.loop import Trainer
from sketchy.trainer.optim import build_optimizer, rate_factor
from sketchy.trainer.parallel import World


def build_trainer(
    config: Config, siamese: Siamese, data: tuple[TrainingImages, Items, Items], categories: int, world: World
) -> Trainer:
    """Make the trainer that a config describes.

    Args:
        config: All settings.
        siamese: The network, on the world's device.
        data: The result of `training_images`.
        categories: Number of categories.
        world: The processes that train together.

    Raises:
        ConfigError, DataError: The parts do not fit each other or the data.
    """
    images, sketches, photos = data
    settings = config.train
    sampler = build_sampler(config.sampler, sketches, photos, images.sketch_photo, settings.seed)
    world.shard(sampler.batch_size)  # refuses a batch that cannot be divided before the first step
    generator = torch.Generator().manual_seed(settings.seed)
    loss = build_objective(
        config.loss,
        config.terms,
        categories=categories,
        photos=len(images.photo_category),
        embedding_size=config.model.embedding_size,
        generator=generator,
    ).to(world.device)
    total = settings.epochs * len(sampler)
    warmup = round(settings.warmup_epochs * len(sampler))
    frozen = freeze(siamese.encoder.backbone, settings.freeze)  # before the optimizer, which leaves these out
    return Trainer(
        siamese=siamese,
        loss=loss,
        optimizer=build_optimizer(settings, siamese.encoder, loss),
        rate=lambda step: settings.learning_rate * rate_factor(settings.schedule, step, total, warmup),
        sampler=sampler,
        images=images,
        world=world,
        generator=generator,
        augmenter=build_augmenter(config.augment, generator),
        frozen=frozen,
        precision=settings.precision,
        compiled=settings.compile,
        clip_norm=settings.clip_norm,
    )
