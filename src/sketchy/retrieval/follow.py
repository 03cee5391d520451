"""Keeping an index up to date in a thread while it is searched."""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from sketchy.errors import LockedError, SketchyError, StorageError
from sketchy.progress import Advance, Progress, no_progress
from sketchy.results import left_out_text
from sketchy.retrieval.index import Index
from sketchy.retrieval.open import check_found
from sketchy.retrieval.scan import raw_remedy
from sketchy.retrieval.update import INDEXING
from sketchy.retrieval.update_result import UpdateResult
from sketchy.retrieval.watch import RETRY_SECONDS, rounds
from sketchy.text import amount

log = logging.getLogger(__name__)

NICENESS = 10
"""Lowers the priority of the thread, so that searches come first where cores are few."""
RATE_SECONDS = 15.0
"""Time over which the speed is measured that the time left is computed from."""
STOP_SECONDS = 5.0
"""Longest wait for the thread at the end; what it has committed is safe."""


@dataclass(frozen=True)
class Following:
    """The state of an index that is kept up to date.

    Attributes:
        running: Whether an update is under way.
        done: Photos that the update has handled.
        total: Photos that the update has found; 0 while it looks for them.
        seconds_left: Estimated time to the end of the update; None if unknown.
        error: What went wrong with the last update, in one line; None if nothing did.
        updates: Number of updates that changed something, with the one under way.
        unreadable: Number of files that the last update could not read.
    """

    running: bool = False
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    error: str | None = None
    updates: int = 0
    unreadable: int = 0


class _StopUpdate(Exception):
    """Ends an update before its next forward pass."""


class Follower:
    """A thread that updates an index, and again whenever its folders change. A context manager.

    Args:
        index: Index with sources; see `Index.sources`.
        progress: Shows the progress of each update.
    """

    def __init__(self, index: Index, progress: Progress = no_progress) -> None:
        self._index = index
        self._shown = progress
        self._stop = threading.Event()
        self._free = threading.Event()  # no search is under way
        self._free.set()
        self._searching = 0
        self._mutex = threading.Lock()
        self._state = Following(running=True)
        self._samples: deque[tuple[float, int]] = deque()
        self._thread = threading.Thread(target=self._run, name="indexing", daemon=True)

    @property
    def state(self) -> Following:
        """The state now."""
        return self._state

    @contextmanager
    def first(self) -> Iterator[None]:
        """Let a block, such as a search, go before the update, which pauses after its current forward passes."""
        with self._mutex:
            self._searching += 1
            self._free.clear()
        try:
            yield
        finally:
            with self._mutex:
                self._searching -= 1
                if not self._searching:
                    self._free.set()

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop the thread after its current step."""
        self._stop.set()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        with suppress(OSError, AttributeError):  # only Linux has priorities of threads
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        with suppress(_StopUpdate):
            for _ in rounds(self._index.sources, Path(str(self._index.address)), self._stop):
                while not self._update():
                    if self._stop.wait(RETRY_SECONDS):
                        return

    def _update(self) -> bool:
        """Update the index once; return False if it is to be tried again soon."""
        before = self._state
        self._state = replace(before, running=True, done=0, total=0, seconds_left=None)
        error: str | None = None
        again = False
        changes = UpdateResult()
        try:
            changes = self._index.update(progress=self._progress, pause=self._pause)
            check_found(changes, len(self._index), self._index.sources)
        except SketchyError as problem:
            error, again = str(problem), isinstance(problem, LockedError | StorageError)
        except _StopUpdate:
            raise
        except Exception as problem:  # a bug, which must not go unnoticed in a thread
            error = f"indexing failed: {type(problem).__name__}: {problem}"
        changed = bool(changes.embedded or changes.reused or changes.removed)
        self._report(changes, error, first=before.updates == 0, changed=changed)
        updates = before.updates + (changed or before.updates == 0)
        self._state = Following(error=error, updates=updates, unreadable=len(changes.skipped))
        return not again

    def _report(self, changes: UpdateResult, error: str | None, *, first: bool, changed: bool) -> None:
        if error is not None:
            if error != self._state.error:
                log.warning(f"{error}; searching the {len(self._index):,} photos indexed so far")
            return
        unreadable = f"; {len(changes.skipped):,} cannot be read" if changes.skipped else ""
        if first:
            left_out = [left_out_text(changes.left_out), raw_remedy(changes.left_out)]
            counts = amount(len(self._index), "photo") + unreadable
            log.info("; ".join(filter(None, [f"searching {self._index.name}: {counts}", *left_out])))
        elif changed:
            renamed = f", {changes.reused:,} copied or renamed" if changes.reused else ""
            counts = f"{changes.embedded:,} new or changed{renamed}, {changes.removed:,} gone"
            log.info(f"{self._index.name} changed: {counts}{unreadable}")

    def _pause(self) -> None:
        """Wait while a search is under way. Raises _StopUpdate."""
        while not self._free.wait(0.5):
            self._check_stop()
        self._check_stop()

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise _StopUpdate

    @contextmanager
    def _progress(self, label: str, total: int, unit: str) -> Iterator[Advance]:
        """Show the progress, and record that of the photos; see `Progress`."""
        if label != INDEXING:
            with self._shown(label, total, unit) as advance:
                yield advance
            return
        self._state = replace(self._state, done=0, total=total, seconds_left=None)
        self._samples = deque([(time.monotonic(), 0)])
        with self._shown(label, total, unit) as advance:

            def record(count: int) -> None:
                self._check_stop()
                if count:
                    self._state = self._advanced(count)
                    advance(count)

            yield record

    def _advanced(self, count: int) -> Following:
        """Return the state after `count` further photos, with a new estimate of the time left."""
        now, done = time.monotonic(), self._state.done + count
        self._samples.append((now, done))
        while len(self._samples) > 2 and now - self._samples[0][0] > RATE_SECONDS:
            self._samples.popleft()
        since, earlier = self._samples[0]
        left = None if done == earlier else (self._state.total - done) * (now - since) / (done - earlier)
        return replace(self._state, done=done, seconds_left=left)
