"""Ctrl-C and SIGTERM, from the first line of the program to the last.

Both are heard also where the program was started with SIGINT ignored (a background job of a script, say): training and
serving can be continued, so that stopping costs nothing, and whoever sends the signal means it.
"""

import os
import signal
from contextlib import suppress
from types import FrameType
from typing import NoReturn

STOPPED = 130
"""Exit code of a command that was stopped."""
_NUMBERS = (signal.SIGINT, signal.SIGTERM)


def quit_at_once() -> None:
    """End the process on these signals, while there is nothing to tidy up.

    An exception would be lost or misread in the middle of an import: libraries catch what fails there.
    """
    for number in _NUMBERS:
        signal.signal(number, _quit)


def raise_instead() -> None:
    """Raise KeyboardInterrupt on these signals, so that work is ended tidily; only if they quit at once so far."""
    for number in _NUMBERS:
        if signal.getsignal(number) is _quit:
            signal.signal(number, signal.default_int_handler)


def _quit(number: int, frame: FrameType | None) -> NoReturn:
    with suppress(OSError):
        os.write(2, b"stopped\n")
    os._exit(STOPPED)
