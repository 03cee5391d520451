"""The public Python functions, which the package `sketchy` exports together with `Model`, `Index` and `Hit`."""

import os
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sketchy.extras import require_torch
from sketchy.paths import as_path, expanded
from sketchy.progress import Progress, no_progress
from sketchy.results import Evaluation, TrainResult
from sketchy.retrieval.model import Model, load_model
from sketchy.trainer.choose import choose_checkpoint

if TYPE_CHECKING:
    from sketchy.config import Config

PathType = str | PathLike[str]


def load(source: PathType | None = None, device: str = "auto") -> Model:
    """Load a trained model.

    Args:
        source: The name of a run under runs/, a run folder, a .pth file, an exported model or "bundled"; None loads the
            bundled model.
        device: "auto", "cpu", "cuda" or "cuda:N"; "auto" selects a GPU if there is one.

    Raises:
        CheckpointError: The checkpoint is missing or cannot be used.
        ConfigError: The device is not available.
    """
    return load_model(_checkpoint(source), device)


def train(
    config: "Config | PathType | Mapping[str, Any]",
    out: PathType,
    *,
    resume: bool = False,
    force: bool = False,
    progress: Progress = no_progress,
) -> TrainResult | None:
    """Train a model or resume a run, like `sketchy train`.

    Args:
        config: The settings, as a `Config`, the name of a config of the package, a .yaml file, or a mapping such as
            {"data": {"root": "data/demo"}}; settings that are left out have their defaults.
        out: The run folder.
        resume: Whether to resume the run in this folder; bit-exact if the settings are the same.
        force: Whether to replace the run in this folder.
        progress: Shows the progress.

    Returns:
        The run folder and the metrics of the best epoch; None in all processes but the main one.

    Raises:
        ConfigError: Settings are wrong; the message lists all of them.
        Interrupted: The process received a signal to stop; the state is saved.
        SketchyError: Any other error that the user can correct.
    """
    require_torch("training")
    from sketchy.bundled_configs import config_path
    from sketchy.commands import train as command
    from sketchy.config import Config
    from sketchy.config_file import load_config, parse_config

    if isinstance(config, Mapping):
        config = parse_config(dict(config), "the settings")
    elif not isinstance(config, Config):
        config = load_config(config_path(expanded(os.fspath(config))))
    return command.run(config, as_path(os.fspath(out)), resume=resume, force=force, progress=progress)


def evaluate(
    source: PathType | None = None,
    *,
    data: PathType | None = None,
    protocol: str = "all",
    device: str = "auto",
    progress: Progress = no_progress,
) -> Evaluation:
    """Evaluate a model on images that it was not trained on, like `sketchy evaluate`.

    Args:
        source: See `load`; None evaluates the bundled model, which needs `data`.
        data: Path of the dataset; None takes the path from training.
        protocol: "all", "category", "instance", "zero-shot-25" or "zero-shot-21"; see docs/protocols.md.
        device: See `load`.
        progress: Shows the progress.

    Returns:
        The metrics, each with its chance level.

    Raises:
        CheckpointError: The checkpoint is missing, or was trained on the categories of the zero-shot protocol.
        DataError: The dataset is missing or unusable.
    """
    require_torch("evaluating")
    from sketchy.commands import evaluate as command

    root = None if data is None else as_path(os.fspath(data))
    return command.run(_checkpoint(source), data=root, protocol=protocol, device=device, progress=progress)


def _checkpoint(source: PathType | None) -> Path:
    return choose_checkpoint(None if source is None else expanded(os.fspath(source)), Path("runs"))
