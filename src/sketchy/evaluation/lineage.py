"""Checking whether a dataset is still the one that a checkpoint was trained on."""

import hashlib
import logging

from sketchy.dataset.loader import Dataset
from sketchy.model.checkpoint import Checkpoint

log = logging.getLogger(__name__)


def dataset_digest(data: Dataset) -> str:
    """Hash the names of the readable images by kind and category, which alone determine the split.

    The digest is the same in any folder and in any order.
    """
    records = data.pack.photo_records + data.pack.sketch_records
    names = sorted(f"{record.kind}/{record.category}/{record.name.rpartition('/')[2]}" for record in records)
    return hashlib.sha256("\n".join(names).encode(errors="surrogateescape")).hexdigest()


def warn_if_changed(checkpoint: Checkpoint, data: Dataset) -> None:
    """Warn if images were added or removed since training; checkpoints without a digest are not checked."""
    if checkpoint.dataset not in (None, dataset_digest(data)):
        log.warning(
            f"{data.source.path} holds other images than the run was trained with; its split has changed, so that "
            "test images may have been trained on"
        )
