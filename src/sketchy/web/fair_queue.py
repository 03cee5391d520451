"""A fair queue of queries: one worker thread computes them, and serves the clients in turn.

The event loop only awaits futures, so that it can handle other requests while a query is embedded. The page sends many
queries while the user draws; the newest replaces waiting queries of the same client.
"""

import asyncio
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar

from starlette.exceptions import HTTPException

T = TypeVar("T")


class _Job(NamedTuple):
    work: Callable[[], Any]
    future: Future[Any]


class FairQueue:
    """A worker thread with a queue for each client.

    Args:
        limit: Largest number of waiting queries, of all clients together.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: OrderedDict[str, deque[_Job]] = OrderedDict()  # the client to serve next comes first
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="network", daemon=True)
        self._thread.start()

    async def run(self, client: str, work: Callable[[], T], *, newest_only: bool) -> T:
        """Call a function in the worker thread when it is the client's turn, and return its result.

        Args:
            client: Id of the client.
            work: The function to call.
            newest_only: Whether to drop waiting queries of this client.

        Raises:
            HTTPException: Too many queries wait, a newer query replaced this one, or the server is stopping.
        """
        return await asyncio.wrap_future(self.submit(client, work, newest_only=newest_only))

    def submit(self, client: str, work: Callable[[], T], *, newest_only: bool) -> Future[T]:
        """Add a query to the queue; see `run`."""
        future: Future[T] = Future()
        with self._changed:
            if newest_only:
                for job in self._waiting.pop(client, ()):
                    _refuse(job, HTTPException(409, "superseded by a newer query of the same client"))
            if self._closed:
                raise HTTPException(503, "the server is stopping")
            if sum(map(len, self._waiting.values())) >= self._limit:
                raise HTTPException(503, "too many queries wait; try again in a moment", {"Retry-After": "1"})
            self._waiting.setdefault(client, deque()).append(_Job(work, future))
            self._changed.notify()
        return future

    def close(self, patience: float = 5) -> None:
        """Refuse all waiting queries, and wait up to `patience` seconds for the one that is being computed."""
        with self._changed:
            self._closed = True
            for jobs in self._waiting.values():
                for job in jobs:
                    _refuse(job, HTTPException(503, "the server is stopping"))
            self._waiting.clear()
            self._changed.notify()
        self._thread.join(patience)

    def _next(self) -> _Job | None:
        """Wait for the next query and remove it from the queue; return None when the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return None
            client, jobs = self._waiting.popitem(last=False)
            job = jobs.popleft()
            if jobs:
                self._waiting[client] = jobs  # behind all other clients
            return job

    def _work(self) -> None:
        while (job := self._next()) is not None:
            if not job.future.set_running_or_notify_cancel():
                continue
            try:
                job.future.set_result(job.work())
            except BaseException as error:  # raised in the request; the thread must go on
                job.future.set_exception(error)


def _refuse(job: _Job, error: HTTPException) -> None:
    if job.future.set_running_or_notify_cancel():
        job.future.set_exception(error)
