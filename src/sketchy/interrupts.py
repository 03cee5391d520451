"""Handling of Ctrl-C and SIGTERM, from the first line of the program to the last.

Both signals stop the program even if it was started with SIGINT ignored, as background jobs of scripts are: whoever
sends one wants the program to stop, and training and serving can be continued.
"""

import os
import signal
from contextlib import suppress
from types import FrameType
from typing import NoReturn

STOPPED = 130
"""Exit code of a command that was stopped."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def quit_at_once() -> None:
    """End the process on these signals, as long as there is nothing to clean up.

    An exception could get lost during an import, as libraries catch exceptions there.
    """
    for signum in _SIGNALS:
        signal.signal(signum, _quit)


def raise_instead() -> None:
    """Raise KeyboardInterrupt on these signals, so that work can clean up; only after `quit_at_once`."""
    for signum in _SIGNALS:
        if signal.getsignal(signum) is _quit:
            signal.signal(signum, signal.default_int_handler)


def _quit(signum: int, frame: FrameType | None) -> NoReturn:
    with suppress(OSError):
        os.write(2, b"stopped\n")
    os._exit(STOPPED)
