"""The routes of the API for single photos: thumbnails, what is known about them, and their files."""

import os
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, StreamingResponse

from sketchy.errors import ImageError
from sketchy.image import image_size, photo_suffixes, read_content
from sketchy.web.api import BINARY, Served, error_responses, name_of
from sketchy.web.catalogue import to_unicode
from sketchy.web.limits import MAX_K
from sketchy.web.originals import is_local, original, zipped
from sketchy.web.schemas import About, Size

ID = "^[0-9a-f]{24}$"
PhotoId = Annotated[str, Path(pattern=ID, description="The id of a result.")]
PhotoIds = Annotated[
    list[Annotated[str, Query(pattern=ID)]], Query(min_length=1, max_length=MAX_K, description="The ids of results.")
]
FILE: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": BINARY}}}

photo_router = APIRouter(responses=error_responses(400, 403, 404, 422, 500))


@photo_router.get(
    "/api/photos/{photo}",
    responses={200: {"content": {"image/jpeg": BINARY}}, 304: {"description": "Not changed."}},
    response_class=Response,
)
async def photo(
    request: Request,
    service: Served,
    photo: PhotoId,
    size: Annotated[
        Size, Query(description="Side in pixels of the square that the photo is shrunk to fit.")
    ] = Size.FULL,
) -> Response:
    """Return a photo as JPEG, shrunk to fit a square."""
    tag, jpeg = await service.thumbnails.get(photo, size)
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, max-age=600"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(jpeg, media_type="image/jpeg", headers=headers)


@photo_router.get("/api/photos/{photo}/about")
def about(request: Request, service: Served, photo: PhotoId) -> About:
    """Return the path of a photo, the size of its file, and its copies."""
    path = service.catalogue.path_of(photo)
    known = About(id=photo, name=name_of(path), path=to_unicode(path))
    try:
        file = service.catalogue.file_of(photo)
        content = read_content(file) if isinstance(file, FilePath) else file
        known.bytes = len(content)
        known.width, known.height = image_size(content)
    except (HTTPException, ImageError, OSError):
        return known  # its path may still help to find it
    known.can_open = isinstance(file, FilePath) and service.launch is not None and is_local(request)
    known.copies = [to_unicode(copy) for copy in service.index.copies(path)]
    return known


@photo_router.get("/api/photos/{photo}/file", responses=FILE, response_class=Response)
def file(service: Served, photo: PhotoId) -> Response:
    """Return the original file of a photo, with its metadata."""
    name, found = original(service.catalogue, photo)
    if isinstance(found, bytes):
        return Response(found, headers=_attachment(name), media_type="application/octet-stream")
    return FileResponse(found, filename=name, media_type="application/octet-stream")


@photo_router.post("/api/photos/{photo}/open", status_code=204, responses=error_responses(503))
def open_file(
    request: Request,
    service: Served,
    photo: PhotoId,
    where: Annotated[
        Literal["program", "folder"], Query(description="The program for photos, or the file manager.")
    ] = "program",
) -> None:
    """Open a photo, or its folder, on the machine of the server; only for a page on the same machine."""
    if service.launch is None or not is_local(request):
        raise HTTPException(403, "photos are opened only from the machine of the server; download the photo instead")
    _, found = original(service.catalogue, photo)
    if isinstance(found, bytes):
        raise HTTPException(404, "this photo is in an archive and has no file of its own; download it instead")
    is_folder = where == "folder" or found.suffix.lower() not in photo_suffixes()  # another name may run something
    if service.launch(os.fspath(found), is_folder) != 0:
        raise HTTPException(503, f"no {'file manager' if is_folder else 'program for photos'} answers on this machine")


@photo_router.get("/api/zip", responses={**error_responses(413), **FILE}, response_class=Response)
def download_zip(service: Served, id: PhotoIds) -> Response:
    """Return the original files of photos in a zip."""
    files = [original(service.catalogue, each) for each in dict.fromkeys(id)]
    size = sum(len(each) if isinstance(each, bytes) else each.stat().st_size for _, each in files)
    if size > service.limits.zip:
        raise HTTPException(
            413, f"these photos have {size:,} bytes, at most {service.limits.zip:,} are put into a zip; choose fewer"
        )
    return StreamingResponse(zipped(files), headers=_attachment("photos.zip"), media_type="application/zip")


def _attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": f"attachment; filename*=utf-8''{quote(name)}"}
