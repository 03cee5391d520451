"""Timing of variants that take turns, so that a change of the machine's speed meets all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping

Work = Callable[[], object]
"""One run of a variant. If it returns a float, it has timed itself, in seconds."""
Row = dict[str, float]
"""A row of a table: figures by column."""
Table = dict[str, Row]
"""The rows of a section by the name of the variant."""


def in_turns(variants: Mapping[str, Work], amount: int, turns: int) -> Table:
    """Run each variant once to warm up, then all of them in turn.

    Args:
        variants: What to run, by name; the first one is ours.
        amount: Number of items that one run processes.
        turns: Number of timed runs of each variant.

    Returns:
        For each variant, items per second (median, least and most over the turns) and the median of the ratio of our
        speed to its speed.
    """
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(turns + 1):
        for name, work in variants.items():
            taken = _timed(work)
            if turn:
                seconds[name].append(taken)
    ours = next(iter(seconds.values()))
    return {
        name: {
            "a second": amount / statistics.median(taken),
            "least": amount / max(taken),
            "most": amount / min(taken),
            "ours beside it": statistics.median(b / a for a, b in zip(ours, taken, strict=True)),
        }
        for name, taken in seconds.items()
    }


def _timed(work: Work) -> float:
    started = time.perf_counter()
    result = work()
    return result if isinstance(result, float) else time.perf_counter() - started
