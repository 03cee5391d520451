"""Recording a run in its folder: history, checkpoints and pictures. Only the main process has a recorder."""

import logging
import time
from dataclasses import replace

import numpy as np
from PIL import Image

from sketchy.config import Config
from sketchy.dataset.further import Further
from sketchy.dataset.loader import Dataset
from sketchy.errors import CheckpointError, MissingExtraError, SketchyError, StorageError
from sketchy.evaluation.evaluate import evaluate_subset
from sketchy.evaluation.lineage import dataset_digest
from sketchy.evaluation.metrics import HEADLINE, label
from sketchy.evaluation.pictures import retrievals_sheet, spread_queries
from sketchy.inference.export import export_model
from sketchy.inference.exported import digest_of
from sketchy.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from sketchy.progress import Progress
from sketchy.results import EpochResult, TrainResult
from sketchy.storage import replacing
from sketchy.trainer.bridge import named_anchors
from sketchy.trainer.complete import validate, validation_part, with_calibration, with_fitted_head
from sketchy.trainer.history import BEST_BY, History
from sketchy.trainer.loop import Trainer
from sketchy.trainer.run_dir import RunDir
from sketchy.trainer.saving import Saver
from sketchy.trainer.tensorboard import Board

log = logging.getLogger(__name__)

PICTURED_QUERIES = 8
PLATEAU_RATIO = 0.98
"""Ratio of the contrastive loss to that of constant embeddings above which an epoch has learnt nothing."""
PLATEAU_EPOCHS = 3
"""Number of such epochs in a row before a warning."""


class Recorder:
    """Validates after every epoch and writes the files of the run folder; `saver` must be closed.

    Args:
        config: The settings of the run.
        run_dir: The run folder.
        trainer: The trainer whose weights and state are saved.
        data: The dataset; its validation split selects the best epoch.
        further: The further sources, on which the score is fitted, too.
        history: The history of the epochs so far.
        progress: Shows the progress.
    """

    def __init__(
        self,
        config: Config,
        run_dir: RunDir,
        trainer: Trainer,
        data: Dataset,
        further: Further,
        history: History,
        progress: Progress,
    ) -> None:
        self.config = config
        self.run_dir = run_dir
        self.trainer = trainer
        self.data = data
        self.further = further
        self.history = history
        self.progress = progress
        self.validation = validation_part(data)
        self.board: Board | None = None
        if config.train.tensorboard and trainer.world.is_main:
            self.board = Board(run_dir.tensorboard, trainer.epoch)
        self.digest = dataset_digest(data)  # once: it takes a fifth of a second for the whole Sketchy Database
        self.saver = Saver(config.train.save_every)
        self._saved = trainer.epoch, trainer.step

    def end_epoch(self, trained: EpochResult) -> None:
        """Validate, add the row to the history, and save if it is time to, or if this epoch is to be kept.

        last.pth is written after the other checkpoints: if the process is killed before, the epochs since the last save
        are repeated, and overwrite their rows and files.
        """
        row = EpochResult(trained.epoch, trained.columns | validate(self.trainer.encoder, self.data))
        self.history.add(row)
        log.info(_line(row, self.config.train.epochs))
        if self._best() is row:
            self.saver.add(self.run_dir.best, self._checkpoint())
        keep_every = self.config.train.keep_every
        if keep_every and row.epoch % keep_every == 0:
            self.saver.add(self.run_dir.kept(row.epoch), self._checkpoint())
            self._save()
        self.save_if_due()
        if self.board is not None:
            self.board.add(row, self._picture() if self._best() is row else None)
        ratios = [past.columns.get("plateau_ratio", 0) for past in self.history.rows[-PLATEAU_EPOCHS:]]
        if len(ratios) == PLATEAU_EPOCHS and min(ratios) > PLATEAU_RATIO:
            log.warning(
                "the loss is no better than with the same distance for all pairs, so nothing has been learnt yet "
                "(try a lower train.learning_rate)"
            )

    def has_stalled(self) -> bool:
        """Return whether validation has not improved for `train.patience` epochs; False without either of them."""
        patience, rows = self.config.train.patience, self.history.rows
        if patience is None or self.validation is None or not rows:
            return False
        return rows[-1].epoch - self._best().epoch >= patience

    def save_if_due(self) -> None:
        """Begin to save if `train.save_every` seconds have passed. Raises StorageError if the save before failed."""
        if self.saver.is_due():
            self._save()

    def save_now(self) -> None:
        """Save what is not saved yet, and wait for the end of it. Raises StorageError."""
        if self._saved != (self.trainer.epoch, self.trainer.step):
            self._save()
        self.saver.wait()

    def _save(self) -> None:
        """Begin to save last.pth, from which the run can be resumed, and the checkpoints that were added."""
        state = self.trainer.state()
        self.saver.save(self.run_dir.last, replace(self._checkpoint(), weights=state["encoder"], training=state))
        self._saved = self.trainer.epoch, self.trainer.step

    def draw(self) -> None:
        """Draw curves.png and retrievals.png; a failure is only a warning, since training is finished."""
        try:
            if self.history.rows:
                self.history.draw(self.run_dir.curves)
            if picture := self._picture():
                with replacing(self.run_dir.retrievals) as temporary:
                    picture.save(temporary, format="png")
        except SketchyError as error:
            log.warning(f"the pictures of the run were not drawn: {error}")

    def _picture(self) -> Image.Image | None:
        """Draw a few queries with their nearest photos; None if there are none, or one cannot be read."""
        subset = self.validation or self.data.parts["test"]
        if not len(subset.sketches) or not len(subset.photos):
            return None
        details = evaluate_subset(self.trainer.encoder, self.data, subset)
        try:
            return retrievals_sheet(details, self.data, spread_queries(details, PICTURED_QUERIES))
        except SketchyError as error:
            log.warning(f"the retrievals were not drawn: {error}")
            return None

    def finish(self, started: float) -> TrainResult:
        """Draw the pictures, complete best.pth, and return the result; `started` is a time of `perf_counter`."""
        self.draw()
        self.trainer.free()
        self._fit_head()
        self._calibrate()
        self._export()
        best = self._best()
        return TrainResult(
            run=str(self.run_dir.path),
            epochs=self.trainer.epoch,
            best_epoch=best.epoch,
            best=best.columns | load_checkpoint(self.run_dir.best).metrics,
            seconds=time.perf_counter() - started,
        )

    def _best(self) -> EpochResult:
        """Return the first row with the highest validation mAP, or the last row if nothing is validated."""
        rows = self.history.rows
        return rows[-1] if self.validation is None else max(rows, key=lambda row: row.columns[BEST_BY])

    def _checkpoint(self) -> Checkpoint:
        rows = self.history.rows
        return Checkpoint(
            config=self.config,
            categories=self.data.pack.categories,
            epoch=self.trainer.epoch,
            metrics=rows[-1].columns if rows else {},
            weights=self.trainer.encoder.state_dict(),
            dataset=self.digest,
            anchors=named_anchors(self.trainer.loss, self._trained_categories()),
        )

    def _trained_categories(self) -> dict[int, str]:
        """Return the dataset's own categories that are trained on, by label: a zero-shot protocol leaves some out."""
        pack, part = self.data.pack, self.data.parts["train"]
        return {label: pack.categories[label] for label in np.unique(pack.photo_category[part.photos]).tolist()}

    def _fit_head(self) -> None:
        """Fit the spatial head of best.pth, and validate it again, with its anchors."""
        if self.config.model.spatial is None and self.config.model.anchors is None:
            return
        best = load_checkpoint(self.run_dir.best)
        fitted = with_fitted_head(best, self.data, self.trainer.world.device, self.progress)
        if fitted is None:
            log.warning("the spatial embedding is left out: no sketch traces one of several photos of its category")
            return
        save_checkpoint(self.run_dir.best, fitted)
        row = EpochResult(fitted.epoch, fitted.metrics)
        log.info(f"the finished model: {_line(row, self.config.train.epochs)}")

    def _calibrate(self) -> None:
        """Add the calibration and the probe embeddings to best.pth."""
        device = self.trainer.world.device
        calibrated = with_calibration(load_checkpoint(self.run_dir.best), self.data, self.further, device)
        save_checkpoint(self.run_dir.best, calibrated)

    def _export(self) -> None:
        """Write the exported model of best.pth; without it, which is only a warning, search needs PyTorch."""
        best = self.run_dir.best
        try:
            export_model(load_checkpoint(best), self.run_dir.exported, digest_of(best))
        except (CheckpointError, MissingExtraError, StorageError) as error:
            log.warning(f"the model was not exported, so search with it takes PyTorch: {error}")


def _line(row: EpochResult, epochs: int) -> str:
    """Format the metrics of an epoch as one line of the log."""
    shown = {"loss": "loss", "positive_distance": "positive", "negative_distance": "negative"}
    shown |= {f"val_{key}": f"val {label(key)}" for key in HEADLINE}
    figures = "  ".join(f"{text} {row.columns[name]:.3f}" for name, text in shown.items() if name in row.columns)
    return f"epoch {row.epoch}/{epochs}  {figures}  {row.columns['seconds']:.1f} s"
