"""A pool of processes for work that holds Python's global lock; they always end with the main process."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process

from sketchy.errors import DataError


@contextmanager
def processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """Start `count` processes; leaving the context cancels work that has not begun.

    They are spawned, not forked, as a fork of a process with threads, which torch starts, may hang. A program that uses
    them must therefore keep its main part under `if __name__ == "__main__":`.

    Raises:
        DataError: One of the processes was killed.
    """
    pool = ProcessPoolExecutor(count, get_context("spawn"), _follow_parent)
    try:
        with _interrupts_later():
            pool.submit(int)  # starts all of them
        yield pool
    except BrokenProcessPool:
        raise DataError("one of its processes was killed; perhaps the memory ran out; run the command again") from None
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Delay Ctrl-C, also in processes started meanwhile, until they have set their own handler."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _follow_parent() -> None:
    """Leave Ctrl-C to the parent process, and end when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
