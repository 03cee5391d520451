"""Which model is used: the one that is named, that of an index, the newest finished run, or the bundled model."""

import difflib
import logging
from contextlib import suppress
from pathlib import Path

from sketchy.errors import CheckpointError, RunError, SketchyError
from sketchy.inference.bundled import BUNDLED
from sketchy.trainer.run_dir import RunDir, checkpoint_file

log = logging.getLogger(__name__)

BUNDLED_NAME = "bundled"
"""The name by which users ask for the bundled model."""


def choose_checkpoint(
    named: str | None, runs: Path, *, gallery: str | None = None, without_run: str | None = None
) -> Path:
    """Return the checkpoint to use, and log which one it is unless the user named it.

    Args:
        named: What the user named: a run under `runs`, a run folder, a .pth file, an exported model or "bundled"; None
            leaves the choice to this function.
        runs: The folder that contains the runs.
        gallery: The gallery that is searched or updated; an index is used with the model that it was made with.
        without_run: None to use the bundled model; else the newest finished run is used, and this is what the user can
            do if there is none, for the message.

    Raises:
        CheckpointError: There is no such checkpoint.
        RunError: A run is needed, and none is finished.
    """
    if named is not None:
        return checkpoint_file(find_model(named, runs))
    if without_run is not None:
        chosen, reason = _newest_finished(runs, without_run), ", the newest finished run"
    elif made_with := _made_with(gallery):
        chosen, reason = made_with, f", with which {gallery} was made"
    else:
        chosen, reason = BUNDLED, ""
    log.info(f"using {'the bundled model' if chosen == BUNDLED else chosen}{reason}")
    return chosen


def find_model(name: str, runs: Path) -> Path:
    """Return the file or folder of a model from its name or path. Raises CheckpointError if there is no such name."""
    if name == BUNDLED_NAME:
        return BUNDLED
    if "/" in name or name.endswith((".pth", ".zip")):
        return Path(name)
    for folder in (runs / name, Path(name)):
        if folder.exists():
            return folder
    known = [*sorted(run.path.name for run in _runs(runs)), BUNDLED_NAME]
    close = difflib.get_close_matches(name, known, n=3)
    raise CheckpointError(
        f"no run called {name} under {runs}; "
        + (f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(known[-10:])}")
    )


def _newest_finished(runs: Path, remedy: str) -> Path:
    """Return the checkpoint of the newest finished run. Raises RunError if there is none."""
    unfinished = []
    for run in _runs(runs):
        if run.is_finished():
            return run.checkpoint
        done, wanted = run.epochs()
        unfinished.append(
            f"{run.path.name} has {done} of {wanted} epochs"
            if done < wanted
            else f"{run.path.name} was stopped after its last epoch"
        )
    if not unfinished:
        raise RunError(f"there is no run under {runs}; {remedy}")
    newest = next(iter(_runs(runs))).path
    raise RunError(
        f"no run under {runs} is finished: {', '.join(unfinished[:3])}; continue one, for example with "
        f"`sketchy train --resume {newest}`, name one with --checkpoint, or {remedy}"
    )


def _runs(runs: Path) -> list[RunDir]:
    """Return the runs that have a checkpoint, newest first."""
    found = [RunDir(path) for path in (runs.iterdir() if runs.is_dir() else ())]
    with_checkpoint = [run for run in found if run.checkpoint.is_file()]
    return sorted(with_checkpoint, key=lambda run: run.checkpoint.stat().st_mtime, reverse=True)


def _made_with(gallery: str | None) -> Path | None:
    """Return the checkpoint that an index folder was made with; None if it is unknown or gone."""
    if gallery is None:
        return None
    from sketchy.retrieval.store.address import is_server  # here, so that a typo is named without loading numpy
    from sketchy.retrieval.store.folder import is_index, open_to_read

    with suppress(SketchyError, OSError):
        if not is_server(gallery) and is_index(Path(gallery)):
            store = open_to_read(Path(gallery))
            checkpoint = Path(store.meta().checkpoint)
            store.close()
            return checkpoint if checkpoint.is_file() else None
    return None
