"""Ctrl-C, SIGTERM and SIGHUP: finish the step, save, then stop."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from sketchy.interrupts import stop_signals


class StopRequest:
    """True once the user or the system has asked to stop."""

    def __init__(self) -> None:
        self.asked = False

    def __bool__(self) -> bool:
        return self.asked


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
