"""The interface for progress bars: the command line draws bars, and users of the library can draw their own.

Messages go to the logger of each module; the command line shows those from INFO on.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Advance = Callable[[int], object]
"""Called with the number of items done since the last call."""


class Progress(Protocol):
    """Opens a progress bar."""

    def __call__(self, label: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        """Open a progress bar.

        Args:
            label: Text beside the bar.
            total: Number of items.
            unit: Name of an item, in the singular.

        Returns:
            A context manager whose value advances the bar.
        """


def no_progress(label: str, total: int, unit: str) -> AbstractContextManager[Advance]:
    """Open no progress bar; the default of functions that take a `Progress`."""
    return nullcontext(lambda done: None)
