"""The routes of the API."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

import sketchy
from sketchy.containers import detect_format
from sketchy.errors import ImageError
from sketchy.image import image_size
from sketchy.retrieval.follow import Follower
from sketchy.retrieval.index import Index
from sketchy.retrieval.words import spoken
from sketchy.web.catalogue import Catalogue, to_unicode
from sketchy.web.fair_queue import FairQueue
from sketchy.web.limits import MAX_K, Limits
from sketchy.web.schemas import (
    Bounds,
    Category,
    Folder,
    Health,
    Indexing,
    Info,
    Problem,
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


async def _service(request: Request) -> Service:  # async, as a dependency that is not is run in a thread
    return cast(Service, request.app.state.service)


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of error responses."""
    return {status: {"model": Problem} for status in statuses}


router = APIRouter(responses=error_responses(400, 403, 422, 500))
Served = Annotated[Service, Depends(_service)]

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
IMAGE_BODY = {
    "requestBody": {
        "required": True,
        "description": "A PNG, JPEG, WebP, HEIC or AVIF.",
        "content": {**dict.fromkeys(ACCEPTED.values(), BINARY), "multipart/form-data": FORM},
    }
}


@router.post(
    "/api/convert",
    responses={**error_responses(408, 413, 415), 200: {"content": {"image/jpeg": BINARY}}},
    response_class=Response,
    openapi_extra=IMAGE_BODY,
)
async def convert(request: Request, service: Served) -> Response:
    """Return an image as JPEG, for browsers that cannot open its format."""
    image = await read_image(request)
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
        words=sorted(map(spoken, index.model.words)),
        spatial_share=index.model.spatial and index.model.spatial.share,
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
        unreadable=state.unreadable,
    )
    return Status(photos=len(service.index), updates=state.updates, indexing=indexing)


@router.get("/healthz")
async def healthz() -> Health:
    """Report that the server is running."""
    return Health(status="ok")


async def read_image(request: Request) -> bytes:
    """Read the image from the body, or from the first file of a multipart form."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/"):
        return await request.body()
    async with request.form(max_files=1, max_fields=8) as form:
        for value in form.values():
            if isinstance(value, UploadFile):
                return await value.read()
    raise HTTPException(400, "the form holds no file; send a PNG, JPEG, WebP, HEIC or AVIF in it")


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


def name_of(path: str) -> str:
    """Return the file name of a photo for display."""
    return to_unicode(PurePath(path).name)
