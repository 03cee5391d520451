"""Checking whether a dataset is still the one that a checkpoint was trained on."""

import logging

from sketchy.dataset.loader import Dataset
from sketchy.dataset.records import digest
from sketchy.model.checkpoint import Checkpoint

log = logging.getLogger(__name__)


def dataset_digest(data: Dataset) -> str:
    """Hash the list of readable images of a dataset, which alone determines the split."""
    return digest(data.pack.photo_records + data.pack.sketch_records)


def warn_if_changed(checkpoint: Checkpoint, data: Dataset) -> None:
    """Warn if images were added or removed since training; checkpoints without a digest are not checked."""
    if checkpoint.dataset not in (None, dataset_digest(data)):
        log.warning(
            f"{data.source.path} holds other images than the run was trained with; its split has changed, so that "
            "test images may have been trained on"
        )
