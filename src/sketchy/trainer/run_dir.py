"""The run folder: the names of its files, and checks against overwriting one by accident."""

import dataclasses
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sketchy.errors import CheckpointError, ConfigError, RunError
from sketchy.results import Evaluation, TrainResult
from sketchy.storage import os_problem, write_text

if TYPE_CHECKING:
    from sketchy.config import Config


class RunDir:
    """A run folder.

    Attributes:
        path: The folder.
        config: The resolved config.
        history: The metrics, a row per epoch.
        curves: The history, plotted.
        retrievals: A few validation sketches with their nearest photos.
        tensorboard: The folder of TensorBoard's event files.
        best: The weights of the best epoch, for inference.
        exported: The exported model of best.pth, for search without PyTorch.
        last: The newest weights that were saved, with all that a resumed run needs.
        result: The result of the training; it is written last; see `is_finished`.
        evaluation: The newest evaluation of best.pth on the test split.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.history = path / "history.csv"
        self.curves = path / "curves.png"
        self.retrievals = path / "retrievals.png"
        self.tensorboard = path / "tensorboard"
        self.best = path / "best.pth"
        self.exported = path / "best.zip"
        self.last = path / "last.pth"
        self.result = path / "result.json"
        self.evaluation = path / "evaluation.json"

    def kept(self, epoch: int) -> Path:
        """Return the path of the weights of an epoch that `train.keep_every` keeps, for inference."""
        return self.path / f"epoch-{epoch:04}.pth"

    @property
    def checkpoint(self) -> Path:
        """The checkpoint to use: that of the best epoch, or the newest if there is no best one yet."""
        return self.last if self.last.is_file() and not self.best.is_file() else self.best

    def epochs(self) -> tuple[int, int]:
        """Return the number of epochs in the history, and how many the config asks for (at least 1)."""
        with suppress(OSError, ValueError, ConfigError):
            done = len(self.history.read_text(encoding="utf-8").splitlines()) - 1
            from sketchy.config_file import load_config  # takes as long as a search

            return done, load_config(self.config, of_run=True).train.epochs
        return 0, 1

    def is_finished(self) -> bool:
        """Return whether the training is complete, with all that follows its last epoch.

        A run of an earlier version has no `result`. It is finished if its history has all epochs and best.pth, which is
        completed at the very end, was written after last.pth.
        """
        if self.result.is_file():
            return True
        done, planned = self.epochs()
        written = [file.stat().st_mtime_ns for file in (self.last, self.best) if file.is_file()]
        return done >= planned and self.best.is_file() and written == sorted(written)

    def save(self, result: TrainResult | Evaluation) -> None:
        """Save an evaluation, or the result of the training, which marks the run as finished. Raises StorageError."""
        path = self.result if isinstance(result, TrainResult) else self.evaluation
        write_text(path, json.dumps(dataclasses.asdict(result), indent=2))

    def saved(self, path: Path) -> dict[str, Any]:
        """Return what `save` wrote to `result` or `evaluation`; empty if the file is missing or damaged."""
        with suppress(OSError, ValueError):
            tree = json.loads(path.read_text(encoding="utf-8"))
            return tree if isinstance(tree, dict) else {}
        return {}

    def reopen(self) -> None:
        """Mark the run as not finished, since training goes on, and remove its evaluation. Raises RunError."""
        for file in (self.result, self.evaluation):
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                raise RunError(os_problem(error, file)) from None


def refuse_taken(path: Path, *, force: bool) -> None:
    """Check that `create_run` would succeed, and change nothing. Raises RunError as it does."""
    if path.exists() and not path.is_dir():
        raise RunError(f"{path} is a file, not a folder; choose another --name")
    if not force and path.is_dir() and any(path.iterdir()):
        go_on = f"continue it with --resume {path}, " if RunDir(path).last.is_file() else ""
        raise RunError(f"the run {path} exists; {go_on}replace it with --force, or choose another --name")


def create_run(path: Path, *, force: bool) -> None:
    """Create an empty run folder.

    Args:
        path: The folder; an existing run there is refused.
        force: Whether to remove the files of an existing run instead.

    Raises:
        RunError: The folder is not empty, or cannot be created.
    """
    refuse_taken(path, force=force)
    run = RunDir(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        for file in (run.config, run.history, run.curves, run.retrievals, run.best, run.exported, run.last):
            file.unlink(missing_ok=True)
        for file in (*path.glob("epoch-[0-9]*.pth"), *run.tensorboard.glob("events.out.tfevents.*")):
            file.unlink()
    except OSError as error:
        raise RunError(os_problem(error, error.filename or path, elsewhere="choose another --runs")) from None


def existing_run(path: Path) -> RunDir:
    """Open a run to resume. Raises RunError if it has no last.pth."""
    run = RunDir(path)
    if not run.last.is_file():
        raise RunError(f"nothing to resume: no {run.last}; name the folder of a run that has saved an epoch")
    return run


def checkpoint_file(path: Path) -> Path:
    """Return the checkpoint of a run folder, or the file that was named. Raises CheckpointError where there is none."""
    chosen = RunDir(path).checkpoint if path.is_dir() else path
    if not chosen.is_file():
        raise CheckpointError(f"no such checkpoint: {chosen}; train one or name another with --checkpoint")
    return chosen


def with_absolute_paths(config: "Config") -> "Config":
    """Make relative paths absolute, so that the run can be used and resumed from another folder."""
    return config.with_paths(lambda path, _: _absolute(path))


def _absolute(text: str) -> str:
    path = Path(text)
    return str(path.resolve() if ".." in path.parts else path.absolute())
