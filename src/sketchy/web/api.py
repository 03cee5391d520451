"""The routes of the API."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath
from typing import Annotated, Any, NamedTuple, cast

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

import sketchy
from sketchy.containers import detect_format
from sketchy.errors import CheckpointError, ImageError, SketchyError
from sketchy.image import Kind, image_size
from sketchy.results import Advice, Hit, Hits
from sketchy.retrieval.follow import Follower
from sketchy.retrieval.index import Index
from sketchy.retrieval.search import Request as SearchRequest
from sketchy.web.catalogue import Catalogue, to_unicode
from sketchy.web.fair_queue import FairQueue
from sketchy.web.filters import Filter
from sketchy.web.limits import MAX_K, Limits
from sketchy.web.schemas import (
    Bounds,
    Category,
    Folder,
    Health,
    Indexing,
    Info,
    Problem,
    Result,
    Results,
    Size,
    Status,
)
from sketchy.web.thumbnails import Thumbnails

Launch = Callable[[str, bool], int]
"""Opens a file on this machine, or if the flag is set its folder, and returns 0 if there is a program for it."""


@dataclass(frozen=True)
class Service:
    """The objects that the routes share."""

    index: Index
    follower: Follower | None
    catalogue: Catalogue
    thumbnails: Thumbnails
    queue: FairQueue
    limits: Limits
    launch: Launch | None


def _service(request: Request) -> Service:
    return cast(Service, request.app.state.service)


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of error responses."""
    return {status: {"model": Problem} for status in statuses}


router = APIRouter(responses=error_responses(400, 403, 422, 500))
Served = Annotated[Service, Depends(_service)]
SpatialShare = Annotated[
    float | None, Query(ge=0, le=1, description="How much it counts how things lie, against what they are.")
]
Client = Annotated[
    str | None,
    Query(
        pattern="^[A-Za-z0-9]{1,32}$",
        description="Client id; a newer query replaces waiting ones of the same client.",
    ),
]

ACCEPTED = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "HEIF": "image/heic", "AVIF": "image/avif"}
"""Media types of the accepted formats; others are refused, so that clients cannot reach their decoders."""
BINARY = {"schema": {"type": "string", "format": "binary"}}
FORM = {
    "schema": {
        "type": "object",
        "required": ["image"],
        "properties": {"image": {"type": "string", "format": "binary"}},
    }
}
BODY = {
    "requestBody": {
        "required": True,
        "description": "A PNG, JPEG, WebP, HEIC or AVIF.",
        "content": {**dict.fromkeys(ACCEPTED.values(), BINARY), "multipart/form-data": FORM},
    }
}


@router.post("/api/search", responses=error_responses(404, 408, 409, 413, 415, 503), openapi_extra=BODY)
async def search(
    request: Request,
    response: Response,
    service: Served,
    where: Filter,
    k: Annotated[int, Query(ge=1, le=MAX_K, description="Number of photos to return.")] = 10,
    kind: Annotated[Kind, Query(description="Kind of the image; photo finds similar photos.")] = "sketch",
    spatial_share: SpatialShare = None,
    client: Client = None,
) -> Results:
    """Find the photos nearest to an image.

    The header Server-Timing gives the milliseconds in the queue, for the embedding, for the search, and in total since
    the body was received.
    """
    image = await _read_image(request)
    started = time.perf_counter()
    check_image(image, service.limits.pixels)
    wanted = SearchRequest(k, where, spatial_share=spatial_share)
    work = partial(_search, service, image, kind, wanted)
    address = request.client.host if request.client else ""
    try:
        found = await service.queue.run(f"{address} {client or ''}", work, newest_only=client is not None)
    except (ImageError, CheckpointError) as error:  # the latter: no spatial embedding to weigh
        raise HTTPException(422, str(error)) from None
    except SketchyError as error:  # the gallery is damaged, or its server cannot be reached
        raise HTTPException(503, str(error)) from None
    if not found.hits:
        service.catalogue.refuse_unknown(where.categories)
    response.headers["Server-Timing"] = _timing(found, started)
    results = [_result(hit, rank, service.catalogue) for rank, hit in enumerate(found.hits, start=1)]
    return Results(results=results, advice=found.hits.advice)


@router.post(
    "/api/convert",
    responses={**error_responses(408, 413, 415), 200: {"content": {"image/jpeg": BINARY}}},
    response_class=Response,
    openapi_extra=BODY,
)
async def convert(request: Request, service: Served) -> Response:
    """Return an image as JPEG, for browsers that cannot open its format."""
    image = await _read_image(request)
    check_image(image, service.limits.pixels)
    try:
        jpeg = await service.thumbnails.convert(image, Size.SCREEN)
    except ImageError as error:
        raise HTTPException(422, str(error)) from None
    return Response(jpeg, media_type="image/jpeg")


@router.get("/api/info")
def info(
    service: Served,
) -> Info:  # not async, so that it runs in a thread: a gallery on a server is reached over the network
    """Describe the gallery, its categories, the model and the limits."""
    index, limits, config = service.index, service.limits, service.index.model.config
    service.catalogue.refresh()
    return Info(
        version=sketchy.__version__,
        gallery=to_unicode(index.name),
        photos=len(index),
        categories=[Category(name=name, photos=count) for name, count in service.catalogue.categories.items()],
        folders=[Folder(name=name, photos=count) for name, count in service.catalogue.tree()],
        model={
            "backbone": config.model.backbone,
            "image_size": config.image.size,
            "embedding_size": config.model.embedding_size,
        },
        has_scores=index.model.calibration is not None,
        limits=Bounds(body=limits.body, pixels=limits.pixels, k=MAX_K),
    )


@router.get("/api/status")
def status(service: Served) -> Status:
    """Report how far the index is; the page asks again and again."""
    if service.follower is None:
        return Status(photos=len(service.index), updates=0, indexing=None)
    state = service.follower.state
    indexing = Indexing(
        running=state.running,
        done=state.done,
        total=state.total,
        seconds_left=state.seconds_left,
        error=state.error and to_unicode(state.error),
    )
    return Status(photos=len(service.index), updates=state.updates, indexing=indexing)


@router.get("/healthz")
async def healthz() -> Health:
    """Report that the server is running."""
    return Health(status="ok")


async def _read_image(request: Request) -> bytes:
    """Read the image from the body, or from the first file of a multipart form."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/"):
        return await request.body()
    async with request.form(max_files=1, max_fields=8) as form:
        for value in form.values():
            if isinstance(value, UploadFile):
                return await value.read()
    raise HTTPException(400, "the form holds no file; send a PNG, JPEG, WebP, HEIC or AVIF in it")


class _Found(NamedTuple):
    """The hits of a query, and the times of its steps, in seconds of `time.perf_counter`."""

    hits: Hits
    began: float
    embedded: float
    ended: float


def _timing(found: _Found, started: float) -> str:
    """Return the value of the header Server-Timing, in milliseconds."""
    parts = {
        "queue": found.began - started,
        "embed": found.embedded - found.began,
        "search": found.ended - found.embedded,
        "total": time.perf_counter() - started,
    }
    return ", ".join(f"{name};dur={1000 * seconds:.1f}" for name, seconds in parts.items())


def _search(service: Service, image: bytes, kind: Kind, request: SearchRequest) -> _Found:
    index, follower = service.index, service.follower
    began = time.perf_counter()
    with nullcontext() if follower is None else follower.first():
        query = index.model.query([image], kind, ["the image"])
        embedded = time.perf_counter()
        hits = index.find(query, request, kind)
        if index.model.is_single_mark([image], kind):
            hits.advice = Advice.KEEP_DRAWING
    return _Found(hits, began, embedded, time.perf_counter())


def check_image(content: bytes, pixels: int) -> None:
    """Raise HTTPException unless the content has an accepted format and at most `pixels` pixels; nothing is decoded."""
    if not content:
        raise HTTPException(400, "the request has no image; send a PNG, JPEG, WebP, HEIC or AVIF as the body")
    try:
        accepted = detect_format(content) in ACCEPTED
    except ImageError:
        accepted = False
    if not accepted:
        raise HTTPException(415, "not a PNG, JPEG, WebP, HEIC or AVIF; export the image as PNG first")
    try:
        width, height = image_size(content)
    except ImageError as error:
        raise HTTPException(400, f"the image cannot be read: {error}") from None
    if width * height > pixels:
        raise HTTPException(
            413, f"the image has {width}x{height} pixels, at most {pixels:,} are taken; shrink it first"
        )


def _result(hit: Hit, rank: int, catalogue: Catalogue) -> Result:
    return Result(
        rank=rank,
        id=catalogue.id_of(hit.path),
        name=name_of(hit.path),
        distance=hit.distance,
        category=hit.category,
        folder=catalogue.folder_of(hit.path),
        taken=hit.taken,
        score=hit.score,
    )


def name_of(path: str) -> str:
    """Return the file name of a photo for display."""
    return to_unicode(PurePath(path).name)
