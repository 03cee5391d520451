import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count

import pytest

from sketchy.ahead import batched, map_ahead


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(3) as threads:
        yield threads


def test_results_come_in_the_order_of_the_items_whichever_is_done_first(pool: ThreadPoolExecutor) -> None:
    def slow_at_first(item: int) -> int:
        time.sleep(0.02 if item == 0 else 0)
        return 10 * item

    assert list(map_ahead(slow_at_first, range(20), pool, 4)) == [10 * item for item in range(20)]
    assert list(map_ahead(slow_at_first, [], pool, 4)) == []


def test_work_goes_on_ahead_of_what_was_taken_but_not_further(pool: ThreadPoolExecutor) -> None:
    read: list[int] = []
    done = threading.Semaphore(0)

    def items() -> Iterator[int]:
        for item in count():
            read.append(item)
            yield item

    with closing(map_ahead(lambda item: done.release(), items(), pool, 5)) as results:
        for taken in range(1, 4):
            next(results)
            assert len(read) == taken + 5
        assert all(done.acquire(timeout=10) for _ in range(3 + 5))


def test_the_items_are_read_by_whoever_takes_the_results(pool: ThreadPoolExecutor) -> None:
    readers: set[int] = set()

    def items() -> Iterator[int]:
        for item in range(9):
            readers.add(threading.get_ident())
            yield item

    workers = set(map_ahead(lambda item: threading.get_ident(), items(), pool, 2))
    assert readers == {threading.get_ident()}
    assert threading.get_ident() not in workers


def test_an_error_comes_in_the_place_of_its_result_and_what_waits_is_never_begun() -> None:
    begun: list[int] = []

    def fail_at_2(item: int) -> int:
        begun.append(item)
        if item == 2:
            raise ValueError("two")
        return item

    with ThreadPoolExecutor(1) as alone:
        results = map_ahead(fail_at_2, range(100), alone, 10)
        assert [next(results), next(results)] == [0, 1]
        with pytest.raises(ValueError, match="two"):
            next(results)
    assert max(begun) <= 2 + 10


def test_closing_it_cancels_what_has_not_begun() -> None:
    begun: list[int] = []
    hold = threading.Event()

    def wait_at_1(item: int) -> None:
        begun.append(item)
        if item == 1:
            hold.wait(10)

    with ThreadPoolExecutor(1) as alone:
        results = map_ahead(wait_at_1, range(100), alone, 10)
        next(results)
        results.close()
        hold.set()
    assert begun in ([0], [0, 1])


def test_batches_are_full_but_the_last() -> None:
    assert list(batched(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(batched([], 2)) == []
