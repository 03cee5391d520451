"""Resuming a run: loading its state, and checking that the config still fits it."""

from pathlib import Path

from sketchy.config import Config
from sketchy.dataset.loader import refuse_moved
from sketchy.errors import CheckpointError, RunError
from sketchy.model.checkpoint import Checkpoint, load_checkpoint
from sketchy.section import Role
from sketchy.trainer.loop import Trainer
from sketchy.trainer.run_dir import existing_run


def load_run(path: Path, config: Config) -> Checkpoint:
    """Load the state of a run that is to be resumed with a config.

    Raises:
        RunError: There is no run, or the config differs in a setting that a resumed run must keep.
        CheckpointError: Its last.pth cannot be read or holds no training state.
        DataError: Its dataset does not exist any more.
    """
    last = existing_run(path).last
    saved = load_checkpoint(last)
    if saved.training is None:
        raise CheckpointError(f"{last} holds no training state; restore it or start a new run")
    refuse_moved(config, "give its new path with --set data.root=PATH")
    before, after = (one.settings(Role.FIXED, Role.EMBEDDING) for one in (saved.config, config))
    changes = [
        f"{name} was {before.get(name, 'not set')}, is {after.get(name, 'not set')}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]
    if changes:
        raise RunError(f"cannot resume {path} with another config; {', '.join(changes)}; start a new run")
    return saved


def restore(trainer: Trainer, saved: Checkpoint, path: Path) -> None:
    """Restore the state in which the run at `path` was saved. Raises CheckpointError if it is damaged."""
    assert saved.training is not None
    try:
        trainer.restore(saved.training)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"cannot resume {path}; its last.pth is damaged: {reason}; start a new run") from None
