"""Going on with a run: what is loaded, and what may differ."""

from pathlib import Path
from typing import Any

from sketchy.config import Config
from sketchy.dataset.loader import refuse_moved
from sketchy.errors import CheckpointError, RunError
from sketchy.model.checkpoint import Checkpoint, load_checkpoint
from sketchy.trainer.loop import Trainer
from sketchy.trainer.run_dir import existing_run

FREE = frozenset({"data.root", "data.cache", "data.extra_sketches", "model.pretrained"})
"""Settings outside of `augment`, `sampler` and `train` that a continued run may change: places of files."""

BOUND = frozenset(f"train.{name}" for name in ("ema", "precision", "optimizer", "freeze", "backbone_rate"))
"""Settings of `train` that it may not: the saved state is of them."""


def load_run(path: Path, config: Config) -> Checkpoint:
    """Load the run that is to be continued with a config.

    Raises:
        RunError: there is none, or the config asks for other images, another split, network or loss.
        CheckpointError: it cannot be read or is not for continuing.
        DataError: its dataset is no longer there.
    """
    last = existing_run(path).last
    saved = load_checkpoint(last)
    if saved.training is None:
        raise CheckpointError(f"{last} holds nothing to go on from; restore it or start a new run")
    refuse_moved(config, "say where it lies now with --set data.root=PLACE")
    before, after = _flat(saved.config), _flat(config)
    changes = [
        f"{name} was {before.get(name, 'not set')}, is {after.get(name, 'not set')}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name) and not _may_change(name)
    ]
    if changes:
        raise RunError(f"cannot continue {path} with another config; {', '.join(changes)}; start a new run")
    return saved


def restore(trainer: Trainer, saved: Checkpoint, path: Path) -> None:
    """Bring a trainer to where the run at `path` was saved. Raises CheckpointError when its state is damaged."""
    assert saved.training is not None
    try:
        trainer.restore(saved.training)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"cannot continue {path}; its last.pth is damaged: {reason}; start a new run") from None


def _may_change(name: str) -> bool:
    return name in FREE or (name.split(".")[0] in ("augment", "sampler", "train") and name not in BOUND)


def _flat(config: Config) -> dict[str, Any]:
    """Return the settings by dotted name."""
    sections = config.model_dump(mode="json").items()
    return {f"{section}.{name}": value for section, values in sections for name, value in values.items()}
