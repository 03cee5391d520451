"""Ctrl-C, SIGTERM and SIGHUP: finish the step, save, then stop."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from sketchy.interrupts import stop_signals


@dataclass
class StopRequest:
    """Whether the user or the system has asked to stop."""

    asked: bool = False


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn the first of `stop_signals` into a request; a second SIGINT interrupts at once. Main thread only."""
    request = StopRequest()

    def ask(received: int, frame: FrameType | None) -> None:
        request.asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {name: signal.signal(name, ask) for name in stop_signals()}
    try:
        yield request
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
