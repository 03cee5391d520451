"""`sketchy evaluate`: metrics of a checkpoint on images that it was not trained on."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sketchy.config import Config
from sketchy.dataset.further import Further, load_further
from sketchy.dataset.loader import Dataset, load_dataset, refuse_moved
from sketchy.dataset.pack import Subset
from sketchy.dataset.zero_shot import ZERO_SHOT_CATEGORIES
from sketchy.errors import CheckpointError, DataError, RunError, StorageError
from sketchy.evaluation.evaluate import EvaluationDetails, evaluate_subset
from sketchy.evaluation.extended import Extension, embed_extension
from sketchy.evaluation.further import evaluate_further
from sketchy.evaluation.lineage import warn_if_changed
from sketchy.evaluation.page import About, refuse_other_page, write_page
from sketchy.inference.description import Description
from sketchy.inference.torch_engine import TorchEngine, describe, read_checkpoint
from sketchy.model.checkpoint import Checkpoint
from sketchy.model.encoder import Encoder
from sketchy.progress import Progress, no_progress
from sketchy.results import Evaluation, left_out_text
from sketchy.retrieval.model import Model
from sketchy.retrieval.scan import absolute_sources
from sketchy.runtime import keep_freed_memory, pick_device
from sketchy.section import Role
from sketchy.trainer.history import History
from sketchy.trainer.run_dir import RunDir

log = logging.getLogger(__name__)

WITH_FURTHER = ("all", "category")
"""Protocols under which the held-out images of further sources are evaluated too."""


def run(
    checkpoint: Path,
    *,
    data: Path | None = None,
    protocol: str = "all",
    extended: Path | None = None,
    report: Path | None = None,
    device: str = "auto",
    progress: Progress = no_progress,
) -> Evaluation:
    """Evaluate a checkpoint on the test split of its dataset, or on categories that training left out.

    Args:
        data: Path of the dataset; None takes the path from training.
        protocol: all, category, instance, zero-shot-25 or zero-shot-21; the first two evaluate further sources too.
        extended: Folder of <category>/<photo> with additional gallery photos; only for zero-shot protocols.
        report: Folder to write the report page into; cannot be combined with `extended`.

    Raises:
        CheckpointError: The checkpoint cannot be loaded, or was trained on the categories of the zero-shot protocol.
        DataError, GalleryError, StorageError: The dataset, `extended` or `report` is missing or unusable.
    """
    if report is not None:
        refuse_other_page(report)
    sources = absolute_sources([extended]) if extended is not None else []
    loaded = read_checkpoint(checkpoint)
    _refuse_seen(loaded, checkpoint, protocol)
    keep_freed_memory()
    engine = TorchEngine(loaded.encoder(), pick_device(device))
    dataset = _load_dataset(loaded, data, progress)
    subset = _evaluated_subset(dataset, protocol)
    extension = _extension(sources, dataset, subset, Model(describe(loaded), engine, checkpoint), progress)
    encoder = engine.encoder_for(len(subset.photos) + len(subset.sketches))
    details = evaluate_subset(encoder, dataset, subset, protocol, progress, extension)
    if protocol in WITH_FURTHER:
        details = _with_further(encoder, details, _load_further(loaded.config, dataset, progress), progress)
    if report is not None:
        write_page(details, dataset, report, _about(describe(loaded), checkpoint), progress)
    _keep(details.evaluation, checkpoint, data)
    return details.evaluation


def _about(model: Description, checkpoint: Path) -> About:
    """Collect what the report says of a model; the history of its run only if it is still beside the checkpoint."""
    config, history = model.config, None
    with suppress(RunError):
        history = History.read(RunDir(checkpoint.parent).history)
    facts = {
        "evaluated": datetime.now().strftime("%Y-%m-%d %H:%M"),
        "network": f"{config.model.backbone}, {model.weights_count / 1e6:.1f} million weights",
        "loss": config.loss.name,
        "trained for": f"{model.epoch} epochs",
        "embedding": f"{model.embedding_size} dimensions",
    }
    return About(f"Evaluation of {checkpoint}", facts, config.settings(*Role), history.rows if history else ())


def _keep(evaluation: Evaluation, checkpoint: Path, data: Path | None) -> None:
    """Save an evaluation of the best checkpoint of a run for `sketchy runs`, unless `data` is another dataset."""
    run_dir = RunDir(checkpoint.parent)
    of_run = data is None and checkpoint == run_dir.best and run_dir.is_finished()
    if of_run and evaluation.protocol["name"] in WITH_FURTHER:
        try:
            run_dir.save(evaluation)
        except StorageError as error:
            log.warning(f"`sketchy runs` will not show this evaluation: {error}")


def _refuse_seen(loaded: Checkpoint, path: Path, protocol: str) -> None:
    """Raise CheckpointError unless training left out the categories of the protocol, if it is zero-shot."""
    if protocol in ZERO_SHOT_CATEGORIES and loaded.config.data.zero_shot != protocol:
        raise CheckpointError(
            f"{path} may have been trained on the categories of {protocol}, so this would not be zero-shot; train with "
            f"`--set data.zero_shot={protocol}`"
        )


def _load_dataset(loaded: Checkpoint, data: Path | None, progress: Progress) -> Dataset:
    """Load the dataset at a path, or the one of the training, and warn if it has changed since."""
    if data is None:
        refuse_moved(loaded.config, "give its path with --data PATH")
    dataset = load_dataset(loaded.config, progress=progress, root=data)
    warn_if_changed(loaded, dataset)
    return dataset


def _load_further(config: Config, dataset: Dataset, progress: Progress) -> Further:
    """Load the further sources of the training that are still there, and warn of the others."""
    data = config.data
    kept: dict[str, tuple[str, ...]] = {"sketches": (), "photos": ()}
    for kind, paths in (("sketches", data.sketches), ("photos", data.photos)):
        for path in paths:
            if Path(path).exists():
                kept[kind] += (path,)
            else:
                log.warning(f"no further {kind} at {path} any more; those held out of them are not evaluated")
    return load_further(config.model_copy(update={"data": data.model_copy(update=kept)}), dataset, progress)


def _with_further(
    encoder: Encoder, details: EvaluationDetails, further: Further, progress: Progress
) -> EvaluationDetails:
    found = evaluate_further(encoder, details, further, progress)
    return replace(details, evaluation=replace(details.evaluation, further=found))


def _evaluated_subset(dataset: Dataset, protocol: str) -> Subset:
    """Return the subset that a protocol evaluates, and log its size."""
    zero_shot = protocol in ZERO_SHOT_CATEGORIES
    subset = dataset.parts["zero_shot" if zero_shot else "test"]
    name = f"{'zero-shot categories' if zero_shot else 'test split'} of {dataset.source.path}"
    if not len(subset.sketches) or not len(subset.photos):
        raise DataError(
            f"the {name} has {len(subset.photos)} photos and {len(subset.sketches)} sketches; use a larger dataset"
            + ("" if zero_shot else " or data.test_fraction")
        )
    log.info(f"{name}: {len(subset.sketches):,} sketches, {len(subset.photos):,} photos")
    return subset


def _extension(
    sources: Sequence[Path], dataset: Dataset, subset: Subset, model: Model, progress: Progress
) -> Extension | None:
    """Embed the additional photos, if there are any, and log how many were embedded and left out."""
    if not sources:
        return None
    extension = embed_extension(sources, dataset, subset, model, progress)
    log.info(f"{sources[0]}: {len(extension.embeddings):,} additional photos; {extension.copies:,} copies left out")
    if extension.left_out:
        log.info(left_out_text(extension.left_out))
    if extension.skipped:
        first = extension.skipped[0]
        log.info(f"skipped {len(extension.skipped):,} of its files, the first: {first.path}: {first.reason}")
    return extension
