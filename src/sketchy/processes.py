"""Work in other processes, for what holds Python's lock; they end with this one, however that ends."""

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
    """Start so many processes; on leaving, what has not begun never does.

    They are spawned, not forked: a fork of a process with threads (torch has some) may hang. A program of one's own
    that gets here must therefore keep its work under `if __name__ == "__main__":`.

    Raises:
        DataError: one of them was killed.
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
    """Hold Ctrl-C back, also in processes that are started meanwhile, until they can leave it to the parent."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _follow_parent() -> None:
    """Leave Ctrl-C to the parent, and end when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
