"""A run: from a config to a run folder with a trained model."""

import logging
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import torch

from sketchy.config import Config, TrainConfig
from sketchy.config_file import dump_config
from sketchy.dataset.augment import build_augmenter
from sketchy.dataset.further import Further, load_further, log_sources
from sketchy.dataset.loader import Dataset, load_dataset
from sketchy.dataset.sampler import Sampler, build_sampler
from sketchy.dataset.training import TrainingSet, training_set
from sketchy.errors import DataError, Interrupted
from sketchy.evaluation.lineage import warn_if_changed
from sketchy.loss import build_objective
from sketchy.loss.bridge import BridgeLoss
from sketchy.loss.objective import Objective
from sketchy.model.encoder import Siamese, build_encoder
from sketchy.progress import Progress, no_progress
from sketchy.results import TrainResult
from sketchy.runtime import keep_freed_memory, seed_everything
from sketchy.storage import refuse_unwritable, write_text
from sketchy.trainer.bridge import start_bridge
from sketchy.trainer.freezing import freeze
from sketchy.trainer.history import History
from sketchy.trainer.loop import Trainer
from sketchy.trainer.optim import build_optimizer, rate_factor
from sketchy.trainer.parallel import World, join_world
from sketchy.trainer.record import Recorder
from sketchy.trainer.resume import load_run, restore
from sketchy.trainer.run_dir import RunDir, create_run, refuse_taken, with_absolute_paths
from sketchy.trainer.stopping import StopRequest, stop_on_signals
from sketchy.trainer.tensorboard import require_tensorboard

log = logging.getLogger(__name__)


def train(
    config: Config, path: Path, *, resume: bool = False, force: bool = False, progress: Progress = no_progress
) -> TrainResult | None:
    """Train a model, or resume a run.

    Args:
        config: All settings; relative paths are taken from the current folder and saved as absolute.
        path: The run folder.
        resume: Whether to resume the run that is there, bit for bit if the config is the same.
        force: Whether to replace the run that is there.
        progress: Shows the progress.

    Returns:
        The result; None in all processes but the first.

    Raises:
        Interrupted: SIGINT, SIGTERM or SIGHUP was received; the state is saved.
        SketchyError: Any other error that the user can correct.
    """
    _refuse_no_dataset(config)
    if config.train.tensorboard:
        require_tensorboard()
    config = with_absolute_paths(config)
    with join_world(config.train.device) as world:
        progress = progress if world.is_main else no_progress
        trainer, recorder = _prepare(config, path, world, resume=resume, force=force, progress=progress)
        with closing(recorder.saver), stop_on_signals() as stop:
            started = time.perf_counter()
            _run_epochs(trainer, recorder, stop, progress)
            if not world.is_main:
                return None
            result = recorder.finish(started)
            recorder.run_dir.save(result)
            return result


def _refuse_no_dataset(config: Config) -> None:
    """Check that the dataset was given, or is where `sketchy data fetch` puts it. Raises DataError."""
    if config.data.root == type(config.data).model_fields["root"].default and not Path(config.data.root).exists():
        raise DataError(
            "no dataset is given; name yours with --set data.root=PATH, draw a small one with `sketchy data demo "
            "data/demo`, or get the Sketchy Database with `sketchy data fetch`"
        )


def _prepare(
    config: Config, path: Path, world: World, *, resume: bool, force: bool, progress: Progress
) -> tuple[Trainer, Recorder]:
    """Load the data, make or restore all that trains, and then create the run folder.

    The folder comes last, so that a mistake in the config does not cost the run that is to be replaced.
    """
    saved = load_run(path, config) if resume else None
    keep_freed_memory()
    seed_everything(config.train.seed)
    siamese = Siamese(build_encoder(config, load_pretrained=not resume)).placed(world.device)
    run_dir = RunDir(path)
    with world.main_first():
        if world.is_main and not resume:
            refuse_taken(path, force=force)
            refuse_unwritable(run_dir.last)
        data = load_dataset(config, progress=progress)
        further = load_further(config, data, progress)
    log_sources(further, data)
    train_data = training_set(data, further, config.augment.strokes)
    trainer = build_trainer(config, siamese, train_data, further, world)
    if saved is None:
        start_bridge(trainer, train_data.photos.rows, progress)
    history = History(run_dir.history)
    if saved is not None:
        warn_if_changed(saved, data)
        restore(trainer, saved, path)
        history = History.read(run_dir.history, trainer.epoch)
    with world.fail_together():
        if world.is_main:
            if not resume:
                create_run(path, force=force)
            run_dir.reopen()
            write_text(run_dir.config, dump_config(config))
    _describe(config, trainer, data)
    return trainer, Recorder(config, run_dir, trainer, data, further, history, progress)


def _run_epochs(trainer: Trainer, recorder: Recorder, stop: StopRequest, progress: Progress) -> None:
    """Train to the last epoch, or until validation has not improved for `train.patience` epochs. Raises Interrupted."""
    world, epochs = trainer.world, recorder.config.train.epochs

    def is_over() -> bool:
        return trainer.epoch >= epochs or world.any(world.is_main and recorder.has_stalled())

    def must_stop() -> bool:
        return stop.asked or recorder.saver.has_failed()

    def save_if_due() -> None:
        if world.is_main and not recorder.saver.has_failed():
            recorder.save_if_due()

    # One bar over the epochs that are left, so that it shows the time that is left of all of them.
    left = (epochs - trainer.epoch) * len(trainer.sampler) - trainer.step
    with progress("training", left, "step") as advance:
        while not is_over():
            row = None
            with suppress(Interrupted):
                row = trainer.run_epoch(must_stop, advance, save_if_due)
            with world.fail_together():
                if world.is_main and row:
                    recorder.end_epoch(row)
            if row is None or (world.any(stop.asked) and not is_over()):
                _save_now(recorder, world)
                raise _interrupted(trainer, recorder)
    _save_now(recorder, world)
    if trainer.epoch < epochs:
        log.info(f"stopped early: {recorder.config.train.patience} epochs without a better validation mAP")


def _save_now(recorder: Recorder, world: World) -> None:
    with world.fail_together():
        if world.is_main:
            recorder.save_now()


def _interrupted(trainer: Trainer, recorder: Recorder) -> Interrupted:
    if trainer.world.is_main:
        recorder.draw()
    path = recorder.run_dir.path
    return Interrupted(
        f"stopped in epoch {trainer.epoch + 1}; the state is saved in {path / 'last.pth'}; "
        f"continue with `sketchy train --resume {path}`"
    )


def build_trainer(config: Config, siamese: Siamese, data: TrainingSet, further: Further, world: World) -> Trainer:
    """Make the trainer that a config describes.

    Args:
        config: All settings.
        siamese: The network, on the world's device.
        data: What is trained on.
        further: The further sources, with the categories of all images.
        world: The processes that train together.

    Raises:
        ConfigError, DataError: The parts do not fit each other or the data.
    """
    settings = config.train
    sampler = _build_sampler(config, data, world)
    generator = torch.Generator().manual_seed(settings.seed)
    loss = _build_loss(config, len(data.images.photo_category), further, generator).to(world.device)
    return Trainer(
        siamese=siamese,
        loss=loss,
        frozen=freeze(siamese.encoder.backbone, settings.freeze),  # before the optimizer, which leaves these out
        optimizer=build_optimizer(settings, siamese.encoder, loss),
        rate=_learning_rate(settings, len(sampler)),
        sampler=sampler,
        images=data.images,
        world=world,
        generator=generator,
        augmenter=build_augmenter(config.augment),
        precision=settings.precision,
        compiled=settings.compile,
        clip_norm=settings.clip_norm,
    )


def _build_sampler(config: Config, data: TrainingSet, world: World) -> Sampler:
    sampler = build_sampler(config.sampler, data.sketches, data.photos, data.images.sketch_photo, config.train.seed)
    world.shard(sampler.batch_size)  # refuses a batch that cannot be divided before the first step
    return sampler


def _learning_rate(settings: TrainConfig, epoch_steps: int) -> Callable[[int], float]:
    """Return the function from the step to the learning rate."""
    total, warmup = settings.epochs * epoch_steps, round(settings.warmup_epochs * epoch_steps)
    return lambda step: settings.learning_rate * rate_factor(settings.schedule, step, total, warmup)


def _build_loss(config: Config, photos: int, further: Further, generator: torch.Generator) -> Objective:
    related, bridge = further.related(), None
    if config.terms.bridge_weight:
        size = config.model.embedding_size - (config.model.spatial.size if config.model.spatial else 0)
        bridge = BridgeLoss(torch.from_numpy(further.classes()), photos, size)
    return build_objective(
        config.loss,
        config.terms,
        categories=len(further.categories),
        photos=photos,
        embedding_size=config.model.embedding_size,
        generator=generator,
        related=None if related is None else torch.from_numpy(related),
        bridge=bridge,
    )


def _describe(config: Config, trainer: Trainer, data: Dataset) -> None:
    """Report the size of the data and of the network."""
    parts = ", ".join(
        f"{name.replace('_', ' ')} {len(subset.photos):,} photos and {len(subset.sketches):,} sketches"
        for name, subset in data.parts.items()
    )
    parameters = sum(parameter.numel() for parameter in trainer.siamese.parameters())
    log.info(f"{len(data.pack.categories)} categories: {parts}")
    log.info(
        f"{config.model.backbone} with {parameters / 1e6:.1f} million weights, {config.loss.name} loss, "
        f"{len(trainer.sampler)} steps an epoch on {trainer.world.device}"
    )
