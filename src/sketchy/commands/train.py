"""`sketchy train`: train a model into a run folder."""

from pathlib import Path

from sketchy.config import Config
from sketchy.progress import Progress, no_progress
from sketchy.results import TrainResult
from sketchy.trainer.run import train


def run(
    config: Config, path: Path, *, resume: bool = False, force: bool = False, progress: Progress = no_progress
) -> TrainResult | None:
    """Train a model or resume a run; see `sketchy.trainer.run.train`."""
    return train(config, path, resume=resume, force=force, progress=progress)
