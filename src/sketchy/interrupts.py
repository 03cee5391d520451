"""Handling of Ctrl-C, SIGTERM and SIGHUP, from the first line of the program to the last.

Ctrl-C and SIGTERM stop the program even if it was started with SIGINT ignored, as background jobs of scripts are:
whoever sends one wants the program to stop, and training and serving can be continued. SIGHUP, which a terminal sends
when it is closed, stops it in the same way, unless `nohup` had it ignored.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

STOPPED = 130
"""Exit code of a command that was stopped."""

_raising: set[signal.Signals] = set()
"""Signals that `raise_instead` has changed."""


def stop_signals() -> list[signal.Signals]:
    """Return the signals that stop the program: those of the module's description that this system has."""
    found = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        found.append(signal.SIGHUP)
    return found


def quit_at_once() -> None:
    """End the process on these signals, as long as there is nothing to clean up.

    An exception could get lost during an import, as libraries catch exceptions there.
    """
    for signum in stop_signals():
        signal.signal(signum, _quit)


def raise_instead() -> None:
    """Raise KeyboardInterrupt on these signals, so that work can clean up; only after `quit_at_once`."""
    for signum in stop_signals():
        if signal.getsignal(signum) is _quit:
            signal.signal(signum, signal.default_int_handler)
            _raising.add(signum)


@contextmanager
def quitting() -> Iterator[None]:
    """Quit at once during a block that imports a large library: an exception within its C++ code aborts the program.

    Only signals that `raise_instead` has changed are: a program that imports sketchy keeps its own handlers.
    """
    changed = set(_raising) if threading.current_thread() is threading.main_thread() else set()
    for signum in changed:
        signal.signal(signum, _quit)
    try:
        yield
    finally:
        for signum in changed:
            signal.signal(signum, signal.default_int_handler)


def quit_again() -> None:
    """Undo `raise_instead`: there is nothing to clean up any more, and nobody left to catch an exception."""
    for signum in list(_raising):
        signal.signal(signum, _quit)
        _raising.discard(signum)


def ignore() -> None:
    """Ignore these signals from now on: Python gives them back to the system before its end, which would kill it."""
    for signum in stop_signals():
        signal.signal(signum, signal.SIG_IGN)


def _quit(signum: int, frame: FrameType | None) -> NoReturn:
    with suppress(OSError):
        os.write(2, b"stopped\n")
    os._exit(STOPPED)
