"""Whether a dataset is the one that a checkpoint comes from."""

from pathlib import Path

from sketchy.config import Config
from sketchy.dataset.loader import Dataset
from sketchy.dataset.records import digest
from sketchy.errors import DataError
from sketchy.model.checkpoint import Checkpoint
from sketchy.talk import Talk


def dataset_digest(data: Dataset) -> str:
    """Hash which readable images a dataset has: the split, and so what was trained on, hangs on it alone."""
    return digest(data.pack.photo_records + data.pack.sketch_records)


def warn_if_changed(checkpoint: Checkpoint, data: Dataset, talk: Talk) -> None:
    """Say when images came or went since the checkpoint was saved; nothing where it does not know."""
    if checkpoint.dataset not in (None, dataset_digest(data)):
        talk.say(
            f"warning: {data.source.path} holds other images than the run was trained with; the split has moved, and "
            "what is tested on now may have been trained on"
        )


def refuse_moved(config: Config, remedy: str) -> None:
    """Check that the dataset of a run still lies where it lay. Raises DataError with the remedy."""
    if not Path(config.data.root).exists():
        raise DataError(f"the dataset of the run is no longer at {config.data.root}; {remedy}")
