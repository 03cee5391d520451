"""`sketchy retrieve`: the photos nearest to a sketch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sketchy.errors import CheckpointError, DataError, GalleryError, ImageError, StorageError
from sketchy.image import Kind, open_image
from sketchy.model.checkpoint import load_checkpoint
from sketchy.results import Hit, Retrieval
from sketchy.retrieval.embed import Embedder
from sketchy.retrieval.gallery import Gallery
from sketchy.retrieval.opening import identity_of, open_gallery
from sketchy.retrieval.query import Request, ask, embed_queries, read_queries, unmatched
from sketchy.retrieval.sheet import EDGE, TILE, Tile, contact_sheet
from sketchy.retrieval.walk import USUAL, Scan
from sketchy.runtime import keep_freed_memory, pick_device
from sketchy.storage import refuse_replacing, refuse_unwritable, replacing
from sketchy.talk import SILENT, Talk


def run(  # noqa: PLR0913 - one an option, by keyword
    queries: Sequence[Path],
    request: Request,
    *,
    checkpoint: Path,
    kind: Kind = "sketch",
    gallery: str | None = None,
    scan: Scan = USUAL,
    save: Path | None = None,
    device: str = "auto",
    talk: Talk = SILENT,
) -> Retrieval:
    """Find the photos nearest to a sketch, to several drawn of one thing, or to a photo.

    Args:
        queries: image files, at least one; several are averaged. They are read once, so that pipes will do; "-" is the
            standard input.
        request: how many, and which.
        checkpoint: a .pth file.
        kind: what the queries are.
        gallery: as `open_gallery`.
        scan: how a folder is looked through.
        save: where to write a contact sheet, as PNG or JPEG by its suffix.

    Raises:
        ImageError: a query cannot be read or is blank.
        CheckpointError: it cannot be loaded, or has no calibration and a least score is asked for.
        GalleryError: it is unusable, or no photo of it is of the categories or paths that are asked for.
        DataError, StorageError: what is missing or unusable.
    """
    if save is not None:
        refuse_unwritable(save)
        refuse_replacing(save, queries, kind)
    images = read_queries(queries, kind)
    loaded = load_checkpoint(checkpoint)
    calibration = loaded.calibration if kind == "sketch" else None  # it says nothing of photos among themselves
    if request.min_score is not None and calibration is None:
        why = (
            "a photo as query has none"
            if kind == "photo"
            else f"{checkpoint} has none, only best.pth of a finished run does"
        )
        raise CheckpointError(f"no calibrated score; {why}; use --max-distance")
    keep_freed_memory()  # a folder without an index is indexed first
    embedder = Embedder.of(loaded, pick_device(device))
    query = embed_queries(embedder, images, kind, [str(path) for path in queries])
    identity = identity_of(loaded, checkpoint)
    photos = open_gallery(gallery, loaded, identity, embedder, exact=request.exact, scan=scan, talk=talk)
    try:
        if save is not None and save.is_file() and photos.holds(save):
            raise StorageError(f"{save} would replace a photo of {photos.name}; choose another name for it")
        count = photos.count()
        talk.say(f"searched {photos.name}: {count:,} photos")
        if request.k > count and request.where.everything:
            talk.say(f"k = {request.k} is more than the gallery holds; all of it follows")
        found = ask(photos, query, request, calibration)
        _tell_unmatched(photos, query, request, found, talk)
        if save is not None:
            _save_sheet(save, Tile(open_image(images[0]), queries[0].name), photos, found, talk)
    finally:
        photos.close()
    return Retrieval(
        " + ".join(map(str, queries)), str(checkpoint), photos.name, found, photos.skipped, photos.left_out
    )


def _tell_unmatched(
    gallery: Gallery, query: NDArray[np.float32], request: Request, found: tuple[Hit, ...], talk: Talk
) -> None:
    """Say which filters nothing fits. Raises GalleryError when no photo fits all of them."""
    if request.where.everything or (found and len(request.where.categories) < 2):
        return
    told = unmatched(gallery, query, request.where)
    if found or gallery.search(query, 1, request.where):
        for line in told:
            talk.say(line)
    else:
        raise GalleryError(" and ".join(told) or "no photo fits both --category and --path-glob; leave one of them out")


def _save_sheet(path: Path, sketch: Tile, gallery: Gallery, found: tuple[Hit, ...], talk: Talk) -> None:
    tiles = [_tile(gallery, hit, talk) for hit in found]
    sheet = contact_sheet([(sketch, tiles)])
    with replacing(path) as temporary:
        sheet.save(temporary, format="jpeg" if path.suffix.lower() in (".jpg", ".jpeg") else "png")


def _tile(gallery: Gallery, hit: Hit, talk: Talk) -> Tile:
    """Show a photo with its rank and distance, or a grey tile with the reason why it cannot be shown."""
    caption = f"{hit.rank}  {hit.category or ''}\n"
    try:
        return Tile(open_image(gallery.image(hit.path)), f"{caption}{_measured(hit)}")
    except (ImageError, DataError, GalleryError) as error:
        talk.say(f"cannot show {hit.path} on the contact sheet: {error}")
        return Tile(Image.new("RGB", (TILE, TILE), EDGE), f"{caption}{error}")


def _measured(hit: Hit) -> str:
    score = "" if hit.score is None else f"  score {hit.score:.2f}"
    return f"distance {hit.distance:.3f}{score}"
