"""The functions that Python users call; `sketchy` itself names them, with `Model`, `Index` and `Hit`."""

import os
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from sketchy.commands import evaluate as evaluate_command
from sketchy.commands import train as train_command
from sketchy.config import Config
from sketchy.config_file import load_config, parse_config
from sketchy.model.bundled import BUNDLED
from sketchy.paths import as_path
from sketchy.progress import Progress, no_progress
from sketchy.results import Evaluation, TrainResult
from sketchy.retrieval.model import Model, load_model
from sketchy.trainer.run_dir import checkpoint_file

PathType = str | PathLike[str]


def load(source: PathType | None = None, device: str = "auto") -> Model:
    """Load a trained model.

    Args:
        source: A .pth file or a run folder; None takes the bundled model.
        device: "auto", "cpu", "cuda" or "cuda:N"; "auto" takes a GPU where there is one.

    Raises:
        CheckpointError: There is no such checkpoint, or it cannot be used.
        ConfigError: The device is not there.
    """
    return load_model(_checkpoint(source), device)


def train(
    config: Config | PathType | Mapping[str, Any],
    out: PathType,
    *,
    resume: bool = False,
    force: bool = False,
    progress: Progress = no_progress,
) -> TrainResult | None:
    """Train a model, or go on with a run, as `sketchy train` does.

    Args:
        config: Settings: a YAML file, or a mapping like one, such as {"data": {"root": "data/demo"}}; what is left out
            has its default.
        out: The run folder.
        resume: Whether to go on with the run that is there, bit for bit if the settings are the same.
        force: Whether to replace the run that is there.
        progress: Shows the progress.

    Returns:
        Where the run lies and how good its best epoch was; None in all processes but the first.

    Raises:
        ConfigError: A setting is wrong; the message names all that are.
        Interrupted: The process was asked to stop; the state is saved.
        SketchyError: Any other error that the user can correct.
    """
    if isinstance(config, Mapping):
        config = parse_config(dict(config), "the settings")
    elif not isinstance(config, Config):
        config = load_config(as_path(os.fspath(config)))
    return train_command.run(config, as_path(os.fspath(out)), resume=resume, force=force, progress=progress)


def evaluate(
    source: PathType | None = None,
    *,
    data: PathType | None = None,
    protocol: str = "all",
    device: str = "auto",
    progress: Progress = no_progress,
) -> Evaluation:
    """Judge a model on what it was not trained on, with chance beside each figure, as `sketchy evaluate` does.

    Args:
        source: A .pth file or a run folder; None takes the bundled model, which needs `data`.
        data: Where the dataset lies; None takes the place where it was trained on.
        protocol: "all", "category", "instance", "zero-shot-25" or "zero-shot-21"; see docs/protocols.md.
        device: As for `load`.
        progress: Shows the progress.

    Raises:
        CheckpointError: There is no such checkpoint, or it was trained on the categories of the zero-shot protocol.
        DataError: The dataset is missing or unusable.
    """
    place = None if data is None else as_path(os.fspath(data))
    return evaluate_command.run(_checkpoint(source), data=place, protocol=protocol, device=device, progress=progress)


def _checkpoint(source: PathType | None) -> Path:
    return BUNDLED if source is None else checkpoint_file(as_path(os.fspath(source)))
