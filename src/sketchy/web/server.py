"""The HTTP server: uvicorn on a socket of ours, with a clean shutdown."""

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
"""Longest time from the first byte of a request, or from opening the connection, to the end of its head, in seconds."""
GRACE_SECONDS = 2
"""Time for requests in flight to finish after Ctrl-C, in seconds."""


def open_socket(host: str, port: int) -> socket.socket:
    """Listen on a port, 0 for any free one; requests are answered from `Server.run` on.

    Raises:
        ServeError: The port is in use or not allowed, or the host is not an address of this machine.
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
    """Return whether only this machine can connect to a socket."""
    return ipaddress.ip_address(opened.getsockname()[0].partition("%")[0]).is_loopback


def address_of(opened: socket.socket, *, elsewhere: bool = False) -> str:
    """Return the URL of the page for a browser on this machine, or `elsewhere` on the network."""
    host, port = opened.getsockname()[:2]
    if ipaddress.ip_address(host.partition("%")[0]).is_unspecified:
        host = (_outward(opened.family) if elsewhere else None) or "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _outward(family: int) -> str | None:
    """Return the address from which this machine reaches others; None if it has no network."""
    target = ("2001:db8::1", 9) if family == socket.AF_INET6 else ("192.0.2.1", 9)  # reserved for documentation
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(target)  # sends nothing
        except OSError:
            return None
        return str(probe.getsockname()[0])


class Server(uvicorn.Server):
    """Handles requests until Ctrl-C or SIGTERM, then gives those in flight GRACE_SECONDS to finish.

    After Ctrl-C, `run` raises KeyboardInterrupt when the shutdown is complete.

    Args:
        app: The application that `create_app` made.
        opened: The socket that `open_socket` made; closed at the end.
        ready: Called when the server accepts requests.
    """

    def __init__(self, app: FastAPI, opened: socket.socket, ready: Callable[[], object]) -> None:
        config = uvicorn.Config(
            app,
            http=HeaderTimeoutProtocol,
            ws="none",
            log_config=None,
            log_level="error",  # malformed requests are not errors of the server
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
        """Refuse waiting queries at once, and let the one that is being computed finish."""
        self._queue.close(patience=0)
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and call `ready`."""
        await super().startup(sockets)
        if self.started:
            self._ready()


class HeaderTimeoutProtocol(H11Protocol):
    """uvicorn's HTTP protocol with a timeout for the head of a request, for which uvicorn has no setting.

    Connections that never send a head would keep file handles open forever; middleware runs only after the head.
    """

    head_seconds = HEAD_SECONDS
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer for the head of the first request."""
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(self.head_seconds, self._close_if_idle)

    def data_received(self, data: bytes) -> None:
        """Stop the timer when the head is complete, or start it at the first byte of a head."""
        super().data_received(data)
        if self._is_responding():
            self._stop_timer()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_seconds, self._close_if_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def _is_responding(self) -> bool:
        cycle: Any = self.cycle  # None before the first request
        return cycle is not None and not cycle.response_complete

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _close_if_idle(self) -> None:
        self._head_timer = None
        if not self._is_responding() and not self.transport.is_closing():
            self.transport.close()
