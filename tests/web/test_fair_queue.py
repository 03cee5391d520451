"""The fair queue in front of the network."""

import threading

import pytest
from starlette.exceptions import HTTPException

from sketchy.web.fair_queue import FairQueue


@pytest.fixture
def queue():
    made = FairQueue(limit=8)
    yield made
    made.close()


@pytest.fixture
def hold(queue):
    """Keep the worker busy until it is let go."""
    go, started = threading.Event(), threading.Event()

    def wait():
        started.set()
        go.wait(10)

    queue.submit("first", wait, newest_only=False)
    started.wait(10)
    yield go
    go.set()


def test_clients_take_turns_however_many_queries_one_has(queue, hold):
    order = []
    for client, number in [("a", 1), ("a", 2), ("a", 3), ("b", 1), ("c", 1), ("b", 2)]:
        last = queue.submit(client, lambda done=f"{client}{number}": order.append(done), newest_only=False)
    end = queue.submit("a", lambda: None, newest_only=False)
    hold.set()
    last.result(10)
    end.result(10)
    assert order == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_the_newest_query_of_a_client_replaces_only_its_own(queue, hold):
    old = queue.submit("a", lambda: "old", newest_only=True)
    other = queue.submit("b", lambda: "other", newest_only=True)
    new = queue.submit("a", lambda: "new", newest_only=True)
    with pytest.raises(HTTPException, match="superseded"):
        old.result(10)
    hold.set()
    assert (other.result(10), new.result(10)) == ("other", "new")


def test_too_many_queries_are_refused_at_once(queue, hold):
    for _ in range(8):
        queue.submit("a", lambda: None, newest_only=False)
    with pytest.raises(HTTPException, match="too many queries wait") as refused:
        queue.submit("b", lambda: None, newest_only=False)
    assert (refused.value.status_code, refused.value.headers) == (503, {"Retry-After": "1"})


def test_an_error_belongs_to_its_query_and_the_next_is_computed(queue):
    broken = queue.submit("a", lambda: 1 / 0, newest_only=False)
    with pytest.raises(ZeroDivisionError):
        broken.result(10)
    assert queue.submit("a", lambda: 7, newest_only=False).result(10) == 7


def test_a_cancelled_query_is_not_computed(queue, hold):
    computed = []
    queue.submit("a", lambda: computed.append(1), newest_only=False).cancel()
    queue.submit("b", lambda: None, newest_only=False)
    hold.set()
    queue.submit("c", lambda: None, newest_only=False).result(10)
    assert computed == []


def test_closing_refuses_what_waits_and_what_comes(queue, hold):
    waiting = queue.submit("a", lambda: None, newest_only=False)
    queue.close(patience=0)
    with pytest.raises(HTTPException, match="stopping"):
        waiting.result(10)
    with pytest.raises(HTTPException, match="stopping"):
        queue.submit("a", lambda: None, newest_only=False)
