"""Middleware around the routes: limits on requests, and security headers on responses."""

import asyncio
import json
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sketchy.web.limits import Limits

POLICY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """ASGI middleware that refuses requests from other sites, and requests that are too large or too slow.

    Args:
        app: The wrapped application.
        limits: Limits on the body of a request.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        begun = False

        async def send_guarded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in POLICY.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._check(Headers(scope=scope))
        except HTTPException as error:
            await _send_error(error, send_guarded)
            return
        try:
            await self._app(scope, self._bounded(receive), send_guarded)
        except asyncio.CancelledError:  # the server is stopping, and this request took too long
            if not begun:
                await _send_error(HTTPException(503, "the server is stopping"), send_guarded)
        except Exception:
            if not begun:
                reason = "an internal error; see the terminal in which the server was started"
                await _send_error(HTTPException(500, reason), send_guarded)
            raise  # so that it is logged

    def _check(self, headers: Headers) -> None:
        host = headers.get("host", "")
        origin = headers.get("origin")
        if origin is not None and _netloc(origin) != host:
            raise HTTPException(403, "requests of other sites are not answered")
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length[:20]) > self._limits.body:
            raise self._too_large()

    def _bounded(self, receive: Receive) -> Receive:
        """Limit the size of the body, and the time until it is complete."""
        deadline = asyncio.get_running_loop().time() + self._limits.upload
        received, complete = 0, False

        async def receive_bounded() -> Message:
            nonlocal received, complete
            if complete:
                return await receive()  # only the end of the connection is left to receive
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, "the body did not arrive in time", {"Connection": "close"}) from None
            received += len(message.get("body", b""))
            if received > self._limits.body:
                raise self._too_large()
            complete = not message.get("more_body", False)
            return message

        return receive_bounded

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"the body is too large; at most {self._limits.body:,} bytes are taken")


def _netloc(origin: str) -> str | None:
    """Return host and port of an origin, or None if it has none (a sandboxed frame sends `null`)."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None


async def _send_error(error: HTTPException, send: Send) -> None:
    body = json.dumps({"error": error.detail}).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(error.headers or {})}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.status_code, "headers": raw})
    await send({"type": "http.response.body", "body": body})
