"""The HTTP server: a socket, uvicorn, and a clean end."""

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from sketchy.errors import ServeError
from sketchy.web.fair_queue import FairQueue

HEAD_SECONDS = 10.0
"""From the first byte of a request, or the opening of a connection, to the end of the request's head."""
GRACE_SECONDS = 2
"""For requests in flight after Ctrl-C."""


def open_socket(host: str, port: int) -> socket.socket:
    """Listen on a port, 0 for any free one; requests are answered from `Server.run` on.

    Raises:
        ServeError: The port is taken or not allowed, or the host is no address of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        taken = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that no host can have
        why = getattr(error, "strerror", None) or "not the name of a host"
        raise ServeError(f"cannot listen on {host}: {why}; name another with --host") from None
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        taken.listen()  # at once, as two sockets with SO_REUSEADDR could both be bound
    except OSError as error:
        taken.close()
        why = (error.strerror or str(error)).lower()
        raise ServeError(f"cannot listen on {host} port {port}: {why}; name another with --port or --host") from None
    return taken


def is_loopback(opened: socket.socket) -> bool:
    """Whether only this machine can connect."""
    return ipaddress.ip_address(opened.getsockname()[0].partition("%")[0]).is_loopback


def address_of(opened: socket.socket) -> str:
    """Return what to type into a browser on this machine."""
    host, port = opened.getsockname()[:2]
    if ipaddress.ip_address(host.partition("%")[0]).is_unspecified:
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """Answers requests until Ctrl-C or SIGTERM; what is in flight then gets some seconds to end.

    `run` raises KeyboardInterrupt when it was Ctrl-C, after all has ended.

    Args:
        app: The application that `create_app` made.
        opened: The socket that `open_socket` made; closed at the end.
        ready: Called when the first request can be answered.
    """

    def __init__(self, app: FastAPI, opened: socket.socket, ready: Callable[[], object]) -> None:
        config = uvicorn.Config(
            app,
            http=HeaderTimeoutProtocol,
            ws="none",
            log_config=None,
            log_level="error",  # malformed requests are no errors of the server
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        super().__init__(config)
        self._opened = opened
        self._ready = ready
        self._queue: FairQueue = app.state.service.queue

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve on the socket."""
        super().run([self._opened])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the query that is being computed end, and refuse at once what waits behind it."""
        self._queue.close(patience=0)
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()


class HeaderTimeoutProtocol(H11Protocol):
    """uvicorn's HTTP protocol with a timeout for the head of a request, which uvicorn has no setting for.

    Connections that never send one would hold file handles for ever. Middleware sees a request only after its head.
    """

    head_seconds = HEAD_SECONDS
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(self.head_seconds, self._close_if_idle)

    def data_received(self, data: bytes) -> None:
        """Stop waiting when a head is complete, else begin at its first byte."""
        super().data_received(data)
        if self._is_answering():
            self._stop_waiting()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_seconds, self._close_if_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _is_answering(self) -> bool:
        cycle: Any = self.cycle  # None before the first request
        return cycle is not None and not cycle.response_complete

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _close_if_idle(self) -> None:
        self._head_timer = None
        if not self._is_answering() and not self.transport.is_closing():
            self.transport.close()
