"""`sketchy train`: from a config to a run folder."""

import time
from dataclasses import replace
from pathlib import Path

import torch

from sketchy.config import Config
from sketchy.config_file import dump_config
from sketchy.dataset.augment import build_augmenter
from sketchy.dataset.extra import ExtraSketches, load_extra
from sketchy.dataset.held_out import HELD_OUT
from sketchy.dataset.loader import Dataset, load_dataset
from sketchy.dataset.sampler import Items, build_sampler
from sketchy.dataset.training import TrainingImages, training_images
from sketchy.errors import Interrupted, SketchyError
from sketchy.evaluation.calibrate import calibrate
from sketchy.evaluation.judge import judge
from sketchy.evaluation.lineage import dataset_digest, warn_if_changed
from sketchy.evaluation.pictures import retrievals_sheet, spread_queries
from sketchy.image import build_preprocess
from sketchy.loss import build_objective
from sketchy.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from sketchy.model.encoder import Encoder, Siamese, build_encoder
from sketchy.results import EpochResult, TrainResult
from sketchy.runtime import keep_freed_memory, seed_everything
from sketchy.storage import refuse_unwritable, replacing, write_text
from sketchy.talk import SILENT, Talk
from sketchy.trainer.freezing import freeze
from sketchy.trainer.history import History
from sketchy.trainer.layout import fit as fit_layout
from sketchy.trainer.loop import Trainer
from sketchy.trainer.optim import build_optimizer, rate_factor
from sketchy.trainer.parallel import World, join_world
from sketchy.trainer.resume import load_run, restore
from sketchy.trainer.run_dir import RunDir, create_run, refuse_taken, with_absolute_places
from sketchy.trainer.stopping import StopRequest, stop_on_signals

JUDGED_BY = "val_map_all"
PICTURED_QUERIES = 8
PLATEAU_RATIO = 0.98
PLATEAU_EPOCHS = 3
"""A contrastive run whose loss is this close, this long, to that of a network that says nothing is warned about."""


def run(
    config: Config, path: Path, *, resume: bool = False, force: bool = False, talk: Talk = SILENT
) -> TrainResult | None:
    """Train, or go on training.

    Args:
        config: all settings; a relative data.root is taken from the current folder and saved as absolute.
        path: the run folder.
        resume: continue the run that is there, bit for bit where the config is the same.
        force: replace the run that is there.

    Raises:
        Interrupted: SIGINT or SIGTERM; the state is saved.
        SketchyError: anything else that the user can mend; what was saved stays.

    Returns:
        What came out; None in all processes but the first.
    """
    config = with_absolute_places(config)
    with join_world(config.train.device) as world:
        talk = talk if world.is_main else SILENT
        saved = load_run(path, config) if resume else None
        keep_freed_memory()
        seed_everything(config.train.seed)
        siamese = Siamese(build_encoder(config, load_pretrained=not resume)).placed(world.device)
        with world.main_first():
            if world.is_main and not resume:
                refuse_taken(path, force=force)
                refuse_unwritable(path / "last.pth")
            data = load_dataset(config, talk)
            extra = _load_extra(config, data, talk)
        trainer = build_trainer(config, siamese, training_images(data, extra), len(data.pack.categories), world)
        run_dir = RunDir(path)
        history = History(run_dir.history)
        if saved is not None:
            warn_if_changed(saved, data)
            restore(trainer, saved, path)
            history = History.read(run_dir.history, trainer.epoch)
        with world.agreed():
            if world.is_main:
                if not resume:  # only now: what is replaced must not be lost to a mistake in the config
                    create_run(path, force=force)
                write_text(run_dir.config, dump_config(config))
        _say_what(config, trainer, data, talk)
        with stop_on_signals() as stop:
            return _Training(config, run_dir, trainer, data, history, world, talk).finish(stop)


def _load_extra(config: Config, data: Dataset, talk: Talk) -> ExtraSketches | None:
    if config.data.extra_sketches is None:
        return None
    extra = load_extra(
        Path(config.data.extra_sketches),
        data.pack.categories,
        build_preprocess(config.image),
        Path(config.data.cache) if config.data.cache else None,
        talk,
        test_fraction=config.data.test_fraction,
        seed=config.data.split_seed,
        leave_out=HELD_OUT[config.data.held_out] if config.data.held_out else (),
    )
    talk.say(f"{len(extra.train):,} further sketches of {extra.matched} of the categories")
    return extra


def build_trainer(
    config: Config, siamese: Siamese, data: tuple[TrainingImages, Items, Items], categories: int, world: World
) -> Trainer:
    """Make the loop that the config describes; `data` is what `training_images` returns.

    Raises:
        ConfigError, DataError: the parts do not fit each other or the data.
    """
    images, sketches, photos = data
    sampler = build_sampler(config.sampler, sketches, photos, images.sketch_photo, config.train.seed)
    world.share(sampler.batch_size)  # a batch that does not divide is refused before the first step
    settings = config.train
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
    frozen = freeze(siamese.encoder.backbone, settings.freeze)
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
        ema=settings.ema,
    )


def _say_what(config: Config, trainer: Trainer, data: Dataset, talk: Talk) -> None:
    parts = ", ".join(
        f"{name.replace('_', ' ')} {len(subset.photos):,} photos and {len(subset.sketches):,} sketches"
        for name, subset in data.parts.items()
    )
    parameters = sum(parameter.numel() for parameter in trainer.siamese.parameters())
    talk.say(f"{len(data.pack.categories)} categories: {parts}")
    talk.say(
        f"{config.model.backbone} with {parameters / 1e6:.1f} million weights, {config.loss.name} loss, "
        f"{len(trainer.sampler)} steps an epoch on {trainer.world.device}"
    )


class _Training:
    """A run under way: trains epoch after epoch, judges, keeps the files of the run folder."""

    def __init__(
        self,
        config: Config,
        run_dir: RunDir,
        trainer: Trainer,
        data: Dataset,
        history: History,
        world: World,
        talk: Talk,
    ) -> None:
        self.config = config
        self.run_dir = run_dir
        self.trainer = trainer
        self.data = data
        self.history = history
        self.world = world
        self.talk = talk
        subset = data.parts["val"]
        self.validation = subset if len(subset.sketches) and len(subset.photos) else None

    def finish(self, stop: StopRequest) -> TrainResult | None:
        """Train to the last epoch. Raises Interrupted, after saving, when stopped."""
        started = time.perf_counter()
        while self.trainer.epoch < self.config.train.epochs:
            try:
                row = self.trainer.run_epoch(lambda: stop.asked, self.talk)
            except Interrupted:
                with self.world.agreed():
                    self._save_last()
                raise self._interrupted() from None
            with self.world.agreed():
                self._keep(EpochResult(row.epoch, row.columns | self._validate(self.trainer.encoder)))
            if self.world.any(stop.asked) and self.trainer.epoch < self.config.train.epochs:
                raise self._interrupted()
        if not self.world.is_main:
            return None
        self._draw()
        self._fit_layout()
        self._calibrate()
        best = self._best()
        return TrainResult(
            run=str(self.run_dir.path),
            epochs=self.trainer.epoch,
            best_epoch=best.epoch,
            best=best.columns | load_checkpoint(self.run_dir.best).metrics,
            seconds=time.perf_counter() - started,
        )

    def _validate(self, encoder: Encoder) -> dict[str, float]:
        """Judge an encoder on the validation split; only rank 0 does."""
        if self.validation is None or not self.world.is_main:
            return {}
        found = judge(encoder, self.data, self.validation).evaluation.metrics
        return {f"val_{name}": found[name] for name in ("map_all", "p_at_1", "instance_r_at_1")}

    def _keep(self, row: EpochResult) -> None:
        """Record an epoch: its row, best.pth where it is the best so far, and last.pth.

        In this order: what a kill in between leaves is written again when the epoch is repeated from last.pth.
        """
        if not self.world.is_main:
            return
        self.history.add(row)
        if self._best() is row:
            save_checkpoint(self.run_dir.best, self._checkpoint(training=False))
        self._save_last()
        self.talk.say(_line(row, self.config.train.epochs))
        ratios = [past.columns.get("plateau_ratio", 0) for past in self.history.rows[-PLATEAU_EPOCHS:]]
        if len(ratios) == PLATEAU_EPOCHS and min(ratios) > PLATEAU_RATIO:
            self.talk.say(
                "warning: the loss stays where a network that puts all pairs at one distance has it; nothing is "
                "learnt yet (try a lower train.learning_rate)"
            )

    def _best(self) -> EpochResult:
        """Return the row of the best epoch: the first with the highest validation mAP, else the newest."""
        rows = self.history.rows
        return rows[-1] if self.validation is None else max(rows, key=lambda row: row.columns[JUDGED_BY])

    def _save_last(self) -> None:
        if self.world.is_main:
            save_checkpoint(self.run_dir.last, self._checkpoint(training=True))

    def _checkpoint(self, *, training: bool) -> Checkpoint:
        rows = self.history.rows
        return Checkpoint(
            config=self.config,
            categories=self.data.pack.categories,
            epoch=self.trainer.epoch,
            metrics=rows[-1].columns if rows else {},
            weights=self.trainer.encoder.state_dict(),
            training=self.trainer.state() if training else None,
            dataset=dataset_digest(self.data),
        )

    def _interrupted(self) -> Interrupted:
        if self.world.is_main:
            self._draw()
        return Interrupted(
            f"stopped in epoch {self.trainer.epoch + 1}; the state is saved in {self.run_dir.last}; "
            f"continue with `sketchy train --resume {self.run_dir.path}`"
        )

    def _fit_layout(self) -> None:
        """Teach best.pth where things lie, and judge it anew."""
        if self.config.model.layout is None:
            return
        best = load_checkpoint(self.run_dir.best)
        encoder = best.encoder().to(self.world.device)
        train, share = self.data.parts["train"], self.config.model.layout.share
        if not fit_layout(encoder, self.data.pack, train, share, self.config.train.seed, self.talk):
            self.talk.say("warning: model.layout is left out: no sketch traces one of several photos of its category")
            return
        row = EpochResult(best.epoch, best.metrics | self._validate(encoder))
        save_checkpoint(self.run_dir.best, replace(best, weights=encoder.state_dict(), metrics=row.columns))
        self.talk.say(f"with where things lie: {_line(row, self.config.train.epochs)}")

    def _calibrate(self) -> None:
        """Put the calibrated score, and a few sketches to try indexes with, into best.pth."""
        if self.validation is not None:
            best = load_checkpoint(self.run_dir.best)
            calibration, probes = calibrate(best.encoder().to(self.world.device), self.data, self.validation)
            save_checkpoint(self.run_dir.best, replace(best, calibration=calibration, probes=probes))

    def _draw(self) -> None:
        """Draw curves.png and retrievals.png; a picture that fails must not cost a finished training."""
        subset = self.validation or self.data.parts["test"]
        try:
            if self.history.rows:
                self.history.draw(self.run_dir.curves)
            if len(subset.sketches) and len(subset.photos):
                judgement = judge(self.trainer.encoder, self.data, subset)
                sheet = retrievals_sheet(judgement, self.data, spread_queries(judgement, PICTURED_QUERIES))
                with replacing(self.run_dir.retrievals) as temporary:
                    sheet.save(temporary, format="png")
        except SketchyError as error:
            self.talk.say(f"warning: no pictures were drawn: {error}")


def _line(row: EpochResult, epochs: int) -> str:
    """Put an epoch in one line."""
    shown = {
        "loss": "loss",
        "positive_distance": "positive",
        "negative_distance": "negative",
        "val_map_all": "val mAP",
        "val_p_at_1": "val P@1",
        "val_instance_r_at_1": "val instance R@1",
    }
    figures = "  ".join(f"{label} {row.columns[name]:.3f}" for name, label in shown.items() if name in row.columns)
    return f"epoch {row.epoch}/{epochs}  {figures}  {row.columns['seconds']:.1f} s"
