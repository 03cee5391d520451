"""`sketchy retrieve`: the photos nearest to a sketch."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from sketchy.errors import CheckpointError, DataError, GalleryError, ImageError, StorageError
from sketchy.image import Kind, open_image
from sketchy.model.checkpoint import load_checkpoint
from sketchy.results import Hit, Retrieval
from sketchy.retrieval.embed import Embedder
from sketchy.retrieval.gallery import Gallery
from sketchy.retrieval.opening import identity_of, open_gallery
from sketchy.retrieval.query import Request, ask, embed_queries, read_queries
from sketchy.retrieval.sheet import Tile, contact_sheet
from sketchy.runtime import keep_freed_memory, pick_device
from sketchy.storage import refuse_unwritable, replacing
from sketchy.talk import SILENT, Talk


def run(
    queries: Sequence[Path],
    request: Request,
    *,
    checkpoint: Path,
    kind: Kind = "sketch",
    gallery: str | None = None,
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
        save: where to write a contact sheet, as PNG or JPEG by its suffix.

    Raises:
        ImageError: a query cannot be read or is blank.
        CheckpointError: it cannot be loaded, or has no calibration and a least score is asked for.
        DataError, GalleryError, StorageError: what is missing or unusable.
    """
    if save is not None:
        _refuse_place(save, queries, kind)
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
    photos = open_gallery(gallery, loaded, identity_of(loaded, checkpoint), embedder, exact=request.exact, talk=talk)
    try:
        count = photos.count()
        talk.say(f"searched {photos.name}: {count:,} photos")
        if request.k > count:
            talk.say(f"k = {request.k} is more than the gallery holds; all of it follows")
        found = ask(photos, query, request, calibration)
        if save is not None:
            _save_sheet(save, Tile(open_image(images[0]), queries[0].name), photos, found)
    finally:
        photos.close()
    return Retrieval(" + ".join(map(str, queries)), str(checkpoint), photos.name, found, photos.skipped)


def _refuse_place(save: Path, queries: Sequence[Path], kind: Kind) -> None:
    refuse_unwritable(save)
    for query in queries:
        if save.exists() and query.exists() and save.samefile(query):
            raise StorageError(f"the contact sheet would replace the {kind} {query}; choose another name for it")


def _save_sheet(path: Path, sketch: Tile, gallery: Gallery, found: tuple[Hit, ...]) -> None:
    tiles = [Tile(_picture(gallery, hit.path), f"{hit.rank}  {hit.category or ''}\n{_measured(hit)}") for hit in found]
    sheet = contact_sheet([(sketch, tiles)])
    with replacing(path) as temporary:
        sheet.save(temporary, format="jpeg" if path.suffix.lower() in (".jpg", ".jpeg") else "png")


def _measured(hit: Hit) -> str:
    score = "" if hit.score is None else f"  score {hit.score:.2f}"
    return f"distance {hit.distance:.3f}{score}"


def _picture(gallery: Gallery, path: str) -> Image.Image:
    try:
        return open_image(gallery.image(path))
    except (ImageError, DataError, GalleryError) as error:
        raise ImageError(f"cannot put {path} on the contact sheet: {error}; run again without --save") from None
