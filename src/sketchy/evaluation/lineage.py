"""Whether a dataset is the one that a checkpoint comes from."""

import logging

from sketchy.dataset.loader import Dataset
from sketchy.dataset.records import digest
from sketchy.model.checkpoint import Checkpoint

log = logging.getLogger(__name__)


def dataset_digest(data: Dataset) -> str:
    """Hash which readable images a dataset has: the split, and so what was trained on, depends on it alone."""
    return digest(data.pack.photo_records + data.pack.sketch_records)


def warn_if_changed(checkpoint: Checkpoint, data: Dataset) -> None:
    """Warn when images came or went since the checkpoint was saved; nothing where it does not know."""
    if checkpoint.dataset not in (None, dataset_digest(data)):
        log.warning(
            f"{data.source.path} holds other images than the run was trained with; the split has moved, and "
            "what is tested on now may have been trained on"
        )
