"""The run folder: what a training leaves, where it lies, and never writing over one by accident."""

from dataclasses import dataclass
from pathlib import Path

from sketchy.config import Config
from sketchy.errors import RunError
from sketchy.storage import os_problem

PLACES = ("root", "cache", "extra_sketches")
"""Settings of the data section that name files."""


@dataclass(frozen=True)
class RunDir:
    """Names of the files of one run."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved config."""
        return self.path / "config.yaml"

    @property
    def history(self) -> Path:
        """A row an epoch."""
        return self.path / "history.csv"

    @property
    def curves(self) -> Path:
        """The history, drawn."""
        return self.path / "curves.png"

    @property
    def retrievals(self) -> Path:
        """A few validation sketches with their nearest photos."""
        return self.path / "retrievals.png"

    @property
    def best(self) -> Path:
        """The weights of the best epoch, for inference."""
        return self.path / "best.pth"

    @property
    def last(self) -> Path:
        """The newest weights, with all that resuming needs."""
        return self.path / "last.pth"

    @property
    def checkpoint(self) -> Path:
        """The weights to use: those of the best epoch, or the newest where no epoch has been best yet."""
        return self.last if self.last.is_file() and not self.best.is_file() else self.best


def refuse_taken(path: Path, *, force: bool) -> None:
    """Check that `create_run` would go through, and change nothing. Raises RunError as it does."""
    if path.exists() and not path.is_dir():
        raise RunError(f"{path} is a file, not a folder; choose another --name")
    if not force and path.is_dir() and any(path.iterdir()):
        go_on = f"continue it with --resume {path}, " if RunDir(path).last.is_file() else ""
        raise RunError(f"the run {path} exists; {go_on}replace it with --force, or choose another --name")


def create_run(path: Path, *, force: bool) -> RunDir:
    """Make a fresh run folder.

    Args:
        path: where; an existing run there is refused.
        force: remove the files of an existing run instead.

    Raises:
        RunError: something is there already, or the folder cannot be made.
    """
    refuse_taken(path, force=force)
    run = RunDir(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        for file in (run.config, run.history, run.curves, run.retrievals, run.best, run.last):
            file.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(os_problem(error, error.filename or path, elsewhere="choose another --runs")) from None
    return run


def existing_run(path: Path) -> RunDir:
    """Open a run to resume. Raises RunError when there is nothing to resume from."""
    run = RunDir(path)
    if not run.last.is_file():
        raise RunError(f"nothing to resume: no {run.last}; name the folder of a run that has saved an epoch")
    return run


def newest_checkpoint(runs: Path) -> Path | None:
    """Return the checkpoint to use of the newest run; None where no run has one."""
    made = (RunDir(path).checkpoint for path in (runs.iterdir() if runs.is_dir() else ()))
    return max((file for file in made if file.is_file()), key=lambda file: file.stat().st_mtime, default=None)


def with_absolute_places(config: Config) -> Config:
    """Take relative places from the current folder, so that the run can be used and continued from another."""
    data = config.data
    places = {name: _absolute(place) for name in PLACES if (place := getattr(data, name))}
    return config.model_copy(update={"data": data.model_copy(update=places)})


def _absolute(place: str) -> str:
    path = Path(place)
    return str(path.resolve() if ".." in path.parts else path.absolute())
