"""A fair queue in front of the network: one thread computes, and clients are served in turn.

The event loop only waits for futures, so that it answers other requests while a query is embedded. While someone
draws, their page sends a query every moment; the newest replaces their own queries that still wait.
"""

import asyncio
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar

from sketchy.web.refusal import Refusal

T = TypeVar("T")


class _Job(NamedTuple):
    work: Callable[[], Any]
    future: Future[Any]


class FairQueue:
    """A worker thread, and the queries of each client that wait for it.

    Args:
        limit: Queries of all clients that may wait.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: OrderedDict[str, deque[_Job]] = OrderedDict()  # the client to serve next comes first
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="network", daemon=True)
        self._thread.start()

    async def run(self, client: str, work: Callable[[], T], *, newest_only: bool) -> T:
        """Compute in the worker thread when it is the client's turn.

        Args:
            client: Name of the client that asks.
            work: Function to compute.
            newest_only: Drop the queries of this client that still wait.

        Raises:
            Refusal: Too many queries wait, a newer query of the client came, or the server stops.
        """
        return await asyncio.wrap_future(self.submit(client, work, newest_only=newest_only))

    def submit(self, client: str, work: Callable[[], T], *, newest_only: bool) -> Future[T]:
        """Add a query to the queue; see `run`."""
        future: Future[T] = Future()
        with self._changed:
            if newest_only:
                for job in self._waiting.pop(client, ()):
                    _refuse(job, Refusal(409, "superseded by a newer query of the same client"))
            if self._closed:
                raise Refusal(503, "the server is stopping")
            if sum(map(len, self._waiting.values())) >= self._limit:
                raise Refusal(503, "too many queries wait; try again in a moment", {"Retry-After": "1"})
            self._waiting.setdefault(client, deque()).append(_Job(work, future))
            self._changed.notify()
        return future

    def close(self, patience: float = 5) -> None:
        """Refuse all queries that wait, and wait up to `patience` seconds for the one that is being computed."""
        with self._changed:
            self._closed = True
            for jobs in self._waiting.values():
                for job in jobs:
                    _refuse(job, Refusal(503, "the server is stopping"))
            self._waiting.clear()
            self._changed.notify()
        self._thread.join(patience)

    def _next(self) -> _Job | None:
        """Wait for a query and take it; None when the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return None
            client, jobs = self._waiting.popitem(last=False)
            job = jobs.popleft()
            if jobs:
                self._waiting[client] = jobs  # its next query comes after one of each other client
            return job

    def _work(self) -> None:
        while (job := self._next()) is not None:
            if not job.future.set_running_or_notify_cancel():
                continue
            try:
                job.future.set_result(job.work())
            except BaseException as error:  # the error belongs to the request, and must not end the thread
                job.future.set_exception(error)


def _refuse(job: _Job, refusal: Refusal) -> None:
    if job.future.set_running_or_notify_cancel():
        job.future.set_exception(refusal)
