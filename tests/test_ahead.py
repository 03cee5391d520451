import threading

import pytest

from sketchy.ahead import batched, map_ahead


def test_results_come_in_the_order_of_the_items():
    assert list(map_ahead(lambda item: item * item, range(100), 7)) == [item * item for item in range(100)]
    assert list(map_ahead(str, [], 7)) == []


def test_no_more_items_are_taken_than_may_wait():
    taken = []
    items = (taken.append(item) or item for item in range(100))
    results = map_ahead(str, items, 3)
    assert [next(results), next(results)] == ["0", "1"]
    assert taken == [0, 1, 2, 3, 4]
    results.close()


def test_work_goes_on_while_nothing_is_taken():
    done = [threading.Event() for _ in range(3)]
    results = map_ahead(lambda item: done[item].set(), range(3), 2)
    next(results)
    assert all(event.wait(10) for event in done)
    results.close()


def test_an_error_comes_in_the_place_of_its_item_and_ends_the_rest():
    results = map_ahead(lambda item: 1 / item, [2, 1, 0, 4], 2)
    assert [next(results), next(results)] == [0.5, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert list(results) == []


def test_batches_are_full_but_the_last():
    assert list(batched(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(batched([], 2)) == []
