"""Work that is done before its results are needed: in threads, a bounded number of items ahead."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def map_ahead(work: Callable[[T], R], items: Iterable[T], ahead: int) -> Iterator[R]:
    """Yield the result of every item, in order.

    Args:
        work: Called in several threads at once.
        items: Taken in the thread of the caller, when there is room for their results.
        ahead: Number of results that may wait to be taken, at least 1; it bounds the memory.

    Raises:
        Exception: What `work` or `items` raised, in the place of its item. Work that has not begun is then dropped, as
            it is when the results are no longer wanted.
    """
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor() as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of `size` items, the last one of those that are left (`itertools.batched` is of Python 3.12)."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch
