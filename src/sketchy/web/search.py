"""The route that searches."""

import time
from contextlib import nullcontext
from functools import partial
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.exceptions import HTTPException

from sketchy.errors import CheckpointError, ImageError, SketchyError, UnknownWordError
from sketchy.results import Hit, Hits
from sketchy.retrieval.images import AnyKind
from sketchy.retrieval.query import Extras, make_query
from sketchy.retrieval.query import Query as PhotoQuery
from sketchy.retrieval.search import Request as SearchRequest
from sketchy.web.api import IMAGE_BODY, Served, Service, check_image, error_responses, name_of, read_image
from sketchy.web.catalogue import Catalogue
from sketchy.web.filters import Filter
from sketchy.web.limits import MAX_EXAMPLES, MAX_K, MAX_WORDS
from sketchy.web.photos import ID
from sketchy.web.schemas import Result, Results

router = APIRouter(responses=error_responses(400, 403, 422, 500))
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
Word = Annotated[str, Query(min_length=1, max_length=64)]
Ids = Annotated[list[Annotated[str, Query(pattern=ID)]] | None, Query(max_length=MAX_EXAMPLES)]
Kind = Annotated[
    AnyKind, Query(description="What the image is; a photo finds similar photos, and auto takes it for what it is.")
]


async def _extras(  # async, as a dependency that is not is run in a thread
    service: Served,
    text: Annotated[
        list[Word] | None,
        Query(max_length=MAX_WORDS, description="Names of things; /api/info lists those that are known."),
    ] = None,
    like: Ids = None,
    unlike: Ids = None,
    without: Ids = None,
) -> Extras:
    """Return the words, and the paths of the photos whose ids are given. Raises HTTPException for an unknown id."""
    liked, unliked, left_out = ([*map(service.catalogue.path_of, ids or ())] for ids in (like, unlike, without))
    return Extras(text=text or (), like=liked, unlike=unliked, without=left_out)


@router.post(
    "/api/search",
    response_model=Results,
    responses=error_responses(404, 408, 409, 413, 415, 503),
    openapi_extra={"requestBody": IMAGE_BODY["requestBody"] | {"required": False}},
)
async def search(
    request: Request,
    service: Served,
    where: Filter,
    extras: Annotated[Extras, Depends(_extras)],
    k: Annotated[int, Query(ge=1, le=MAX_K, description="Number of photos to return.")] = 10,
    kind: Kind = "auto",
    spatial_share: SpatialShare = None,
    client: Client = None,
) -> Response:
    """Find the photos nearest to an image, to words, or to photos of the gallery; or to all of them together.

    `like`, `unlike` and `without` have ids of photos to be like, to be unlike, and to leave out; none is returned.

    The header Server-Timing gives the milliseconds in the queue, for the embedding, for the search, and in total since
    the body was received.
    """
    image = await read_image(request)
    started = time.perf_counter()
    if image or not (extras.get("text") or extras.get("like")):
        check_image(image, service.limits.pixels)
    wanted = SearchRequest(k, where, spatial_share=spatial_share)
    work = partial(_search, service, image, kind, wanted, extras)
    address = request.client.host if request.client else ""
    try:
        found = await service.queue.run(f"{address} {client or ''}", work, newest_only=client is not None)
    except UnknownWordError as error:
        raise HTTPException(404, str(error)) from None
    except (ImageError, CheckpointError) as error:  # the latter: no spatial embedding to weigh
        raise HTTPException(422, str(error)) from None
    except SketchyError as error:  # the gallery is damaged, or its server cannot be reached
        raise HTTPException(503, str(error)) from None
    if not found.hits:
        service.catalogue.refuse_unknown(where.categories)
    results = [_result(hit, rank, service.catalogue) for rank, hit in enumerate(found.hits, start=1)]
    content = Results(results=results, advice=found.hits.advice, kind=found.query.kind).model_dump_json()
    timing = {"Server-Timing": _timing(found, started)}
    return Response(content, headers=timing, media_type="application/json")  # FastAPI would validate all once more


class _Found(NamedTuple):
    """The query, its hits, and the times of its steps, in seconds of `time.perf_counter`."""

    query: PhotoQuery
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


def _search(service: Service, image: bytes, kind: AnyKind, request: SearchRequest, extras: Extras) -> _Found:
    index, follower = service.index, service.follower
    began = time.perf_counter()
    with nullcontext() if follower is None else follower.first():
        query = make_query(index.model, [image] if image else [], kind, ["the image"] if image else [], **extras)
        embedded = time.perf_counter()
        hits = index.find(query, request)
    return _Found(query, hits, began, embedded, time.perf_counter())


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
