"""Progress of long work, shown by whoever called: the command line draws bars, a library user may draw their own.

Messages go to `logging`, under the logger of each module; the command line shows those from INFO on.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Advance = Callable[[int], object]
"""Called with the number of items done since the last call."""


class Progress(Protocol):
    """Opens a progress bar."""

    def __call__(self, label: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        """Open a bar over `total` items, of which each is one `unit`; the value of the `with` block advances it."""


def no_progress(label: str, total: int, unit: str) -> AbstractContextManager[Advance]:
    """Show nothing: the default of every function that takes a `Progress`."""
    return nullcontext(lambda done: None)
