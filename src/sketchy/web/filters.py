"""The filter on the photos in the parameters of a query."""

from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Query, Request
from starlette.exceptions import HTTPException

from sketchy.errors import GalleryError
from sketchy.retrieval.search import where_of
from sketchy.retrieval.store.base import Where
from sketchy.web.limits import MAX_CATEGORIES

DAY = r"^\d{4}(-\d{2}){0,2}$"


async def _filter(  # async, as a dependency that is not is run in a thread
    request: Request,
    category: Annotated[
        list[str] | None, Query(max_length=MAX_CATEGORIES, description="Return only photos of these categories.")
    ] = None,
    folder: Annotated[
        str | None, Query(max_length=4096, description="Return only photos in this folder, at any depth.")
    ] = None,
    since: Annotated[
        str | None, Query(pattern=DAY, description="Return only photos taken since 2023 or 2023-07-14.")
    ] = None,
    until: Annotated[
        str | None, Query(pattern=DAY, description="Return only photos taken until 2023 or 2023-07-14.")
    ] = None,
    name: Annotated[
        str | None, Query(min_length=1, max_length=256, description="Return only files whose name matches, as *.png.")
    ] = None,
) -> Where:
    """Return the filter. Raises HTTPException for a folder without photos, or a date that is none."""
    try:
        where = where_of(categories=category, folder=folder, since=since, until=until, name=name)
        return replace(where, folders=tuple(map(request.app.state.service.catalogue.folders.find, where.folders)))
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    except GalleryError as error:
        raise HTTPException(404, str(error)) from None


Filter = Annotated[Where, Depends(_filter)]
