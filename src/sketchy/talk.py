"""What long work says to whoever watches: lines and progress bars.

Nothing below the command line prints. A function that takes long takes a `Talk`; `SILENT` is for those who
do not want to hear. The command line's own talk writes to stderr.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from sketchy.progress import Progress

Advance = Callable[[int], object]
"""Called with the number of items done since the last call."""


class Talk(Protocol):
    """The two things long work may do to be noticed."""

    def say(self, message: str) -> None:
        """Show one line."""

    def bar(self, label: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        """Open a progress bar over `total` items; the value of the `with` block advances it."""


class Silent:
    """Says nothing."""

    def say(self, message: str) -> None:
        """Drop the line."""

    def bar(self, label: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        """Count nothing."""
        return nullcontext(lambda done: None)


SILENT = Silent()


class LoggingTalk:
    """Hands lines to `logging` and bars to a `Progress`: for callees that still take a `Talk`."""

    def __init__(self, progress: Progress) -> None:
        self.bar = progress

    def say(self, message: str) -> None:
        """Log the line."""
        logging.getLogger("sketchy").info(message)
