"""Saving checkpoints while training goes on: by time, in a thread, from copies."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sketchy.model.checkpoint import Checkpoint, save_checkpoint


class Saver:
    """Writes the checkpoints of a run, all of them together, so that none on the disk is newer than last.pth.

    Args:
        every: Least number of seconds from the end of one write to the start of the next that is due.
    """

    def __init__(self, every: float) -> None:
        self._every = every
        self._added: dict[Path, Checkpoint] = {}
        self._pool = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None
        self._written = float("-inf")  # the first is due at once: it shows early whether the disk takes it

    def add(self, path: Path, checkpoint: Checkpoint) -> None:
        """Copy a checkpoint on its device, to be written when `save` is next called."""
        self._added[path] = _copied(checkpoint)

    def is_due(self) -> bool:
        """Return whether it is time to save again."""
        is_idle = self._writing is None or self._writing.done()
        return is_idle and time.monotonic() - self._written >= self._every

    def has_failed(self) -> bool:
        """Return whether the last write failed; `wait` raises its error."""
        return self._writing is not None and self._writing.done() and self._writing.exception() is not None

    def save(self, path: Path, checkpoint: Checkpoint) -> None:
        """Begin to write what was added, and then a checkpoint, each from a copy in the memory of the CPU.

        Raises:
            StorageError: The write before failed.
        """
        self.wait()
        cpu = torch.device("cpu")
        files = [(added, _copied(one, cpu, copy=False)) for added, one in self._added.items()]
        self._added.clear()
        self._writing = self._pool.submit(self._write, [*files, (path, _copied(checkpoint, cpu))])

    def wait(self) -> None:
        """Wait for the end of the write, if there is one. Raises StorageError if it failed."""
        if self._writing is not None:
            self._writing.result()

    def close(self) -> None:
        """Wait for the end of the write, whether it fails or not, and save nothing more."""
        self._pool.shutdown()

    def _write(self, files: list[tuple[Path, Checkpoint]]) -> None:
        while files:
            save_checkpoint(*files.pop(0))  # each is freed once it is written
        self._written = time.monotonic()


def _copied(checkpoint: Checkpoint, device: torch.device | None = None, *, copy: bool = True) -> Checkpoint:
    """Return a checkpoint with its tensors on a device, or each on its own; without `copy` those there are shared."""
    made: dict[int, Tensor] = {}  # weights that are also in the training state are copied, and written, once

    def copied(entry: Any) -> Any:
        if isinstance(entry, Tensor):
            if id(entry) not in made:
                made[id(entry)] = entry.detach().to(device or entry.device, copy=copy)
            return made[id(entry)]
        if isinstance(entry, dict):
            return {key: copied(value) for key, value in entry.items()}
        if isinstance(entry, list | tuple):
            return type(entry)(copied(value) for value in entry)
        return entry

    return replace(checkpoint, **{name: copied(entry) for name, entry in vars(checkpoint).items()})
