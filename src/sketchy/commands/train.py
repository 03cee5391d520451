"""`sketchy train`: from a config to a run folder."""

from pathlib import Path

from sketchy.config import Config
from sketchy.results import TrainResult
from sketchy.talk import SILENT, Talk
from sketchy.trainer.run import train


def run(
    config: Config, path: Path, *, resume: bool = False, force: bool = False, talk: Talk = SILENT
) -> TrainResult | None:
    """Train a model, or resume a run; arguments, result and errors as `train`."""
    return train(config, path, resume=resume, force=force, talk=talk)
