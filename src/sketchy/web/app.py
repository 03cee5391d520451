"""The application: the page, the API, and the error responses."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect

import sketchy
from sketchy.retrieval.follow import Follower
from sketchy.retrieval.index import Index
from sketchy.web.api import Launch, Service, router
from sketchy.web.catalogue import Catalogue
from sketchy.web.fair_queue import FairQueue
from sketchy.web.guard import Guard
from sketchy.web.limits import Limits
from sketchy.web.photos import photo_router
from sketchy.web.thumbnails import Thumbnails
from sketchy.web.token import TokenRequired

STATIC = Path(__file__).parent / "static"
LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"]
FRESH = {"Cache-Control": "no-cache"}
"""Makes browsers revalidate the files of the page, so that old and new files do not mix after an upgrade."""


def create_app(
    index: Index,
    *,
    follower: Follower | None = None,
    root: Path | None = None,
    token: str | None = None,
    limits: Limits | None = None,
    launch: Launch | None = None,
) -> FastAPI:
    """Create the application.

    Args:
        index: The index to search.
        follower: Keeps the index up to date meanwhile; None if nothing in this process does.
        root: Folder that contains all photos; see `Catalogue`.
        token: Token that every request needs, see `TokenRequired`; None answers only requests of this machine.
        limits: Limits of a request; None takes the defaults.
        launch: Opens photos on this machine; only without a token, for a page on the same machine. None refuses to.
    """
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # a malformed form gets an answer, not a message
    limits = limits or Limits()
    catalogue = Catalogue(index, root)
    queue = FairQueue(limits.waiting)

    app = _new_app(queue)
    app.state.service = Service(
        index, follower, catalogue, Thumbnails(catalogue), queue, limits, launch if token is None else None
    )
    app.include_router(router)
    app.include_router(photo_router)
    _add_page(app)
    _add_errors(app)
    if token is not None:
        app.add_middleware(TokenRequired, token=token)
    else:  # prevents DNS rebinding: a site whose name resolves to 127.0.0.1 could read the photos
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=LOOPBACK_NAMES)
    app.add_middleware(Guard, limits=limits)
    return app


def _new_app(queue: FairQueue) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        queue.close()

    return FastAPI(
        title="Sketchy",
        summary="Find a photo by drawing it.",
        version=sketchy.__version__,
        docs_url=None,  # FastAPI's page loads scripts from other hosts
        redoc_url=None,
        lifespan=lifespan,
    )


class _FreshFiles(StaticFiles):
    """Static files that browsers revalidate."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers.update(FRESH)
        return response


def _add_page(app: FastAPI) -> None:
    for address, name in (("/", "index.html"), ("/docs", "docs.html")):
        app.add_api_route(
            address,
            _file_endpoint(STATIC / name),
            methods=["GET", "HEAD"],
            include_in_schema=False,
            response_class=FileResponse,
        )
    app.mount("/static", _FreshFiles(directory=STATIC))


def _file_endpoint(file: Path) -> Callable[[], Awaitable[FileResponse]]:
    async def send() -> FileResponse:
        return FileResponse(file, headers=FRESH)

    return send


def _add_errors(app: FastAPI) -> None:
    """Return every error as one line of JSON."""

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        lines = [f"{'.'.join(map(str, item['loc'][1:]))}: {item['msg']}" for item in error.errors()]
        return _problem(422, "; ".join(lines))

    @app.exception_handler(HTTPException)
    async def failed(request: Request, error: HTTPException) -> JSONResponse:
        return _problem(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(ClientDisconnect)
    async def left(request: Request, error: ClientDisconnect) -> JSONResponse:
        return _problem(400, "the client disconnected")  # never sent, but the log stays free of a traceback


def _problem(status: int, reason: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": reason}, status, headers)
