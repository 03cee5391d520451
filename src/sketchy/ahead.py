"""Working ahead of whoever takes the results: in order, and a bounded number of items ahead."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def map_ahead(function: Callable[[T], R], items: Iterable[T], pool: Executor, ahead: int) -> Generator[R, None, None]:
    """Yield `function(item)` for each item, in order, while the pool works on the items that follow.

    `items` is read in the thread that takes the results, and only as far ahead as needed, so that it may be a generator
    that itself reads files or a store. An error of `function` is raised in place of its result. After such an error,
    and when the generator is closed (`contextlib.closing`), what has not begun never does.

    Args:
        function: Called in the pool.
        items: What to work on; may be endless.
        pool: Threads or processes.
        ahead: Number of items, 1 or more, that may be under way or waiting to be taken: what bounds the memory.
    """
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
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
