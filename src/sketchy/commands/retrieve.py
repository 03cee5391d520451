"""`sketchy retrieve`: find the photos nearest to a sketch."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PIL import Image

from sketchy.errors import DataError, GalleryError, ImageError, StorageError
from sketchy.image import Kind, open_image, read_content
from sketchy.progress import Progress, no_progress
from sketchy.results import Advice, Hit, Hits, Retrieval
from sketchy.retrieval.collect import How, collect, refuse_folder
from sketchy.retrieval.contact_sheet import EDGE, TILE, Tile, contact_sheet
from sketchy.retrieval.index import Index
from sketchy.retrieval.model import load_model, naming_image
from sketchy.retrieval.open import open_index
from sketchy.retrieval.scan import DEFAULT_SCAN, Scan
from sketchy.retrieval.search import Request, calibration_of
from sketchy.retrieval.store.base import Vectors
from sketchy.runtime import keep_freed_memory
from sketchy.storage import refuse_replacing, refuse_unwritable, replacing

log = logging.getLogger(__name__)

SHOWN = 10
"""Photos that are shown in a terminal."""


def run(  # noqa: PLR0913 - one per option, by keyword
    queries: Sequence[Path],
    request: Request,
    checkpoint: Path,
    gallery: str | None = None,
    *,
    kind: Kind = "sketch",
    scan: Scan = DEFAULT_SCAN,
    save: Path | None = None,
    show: Callable[[Image.Image], object] | None = None,
    collect_in: tuple[Path, How] | None = None,
    device: str = "auto",
    progress: Progress = no_progress,
) -> Retrieval:
    """Find the photos nearest to a sketch, to several sketches of one object, or to a photo.

    Args:
        queries: Image files, pipes, or "-" for the standard input; the embeddings of several are averaged.
        gallery: Gallery to search; see `open_index`.
        kind: Whether the queries are sketches or photos.
        save: Contact sheet to write, as PNG or JPEG by its suffix.
        show: Called with a contact sheet of the first hits, for a terminal.
        collect_in: A folder, and whether to copy the photos to it, or to make links to them in it.

    Raises:
        ImageError: A query cannot be read or is blank.
        CheckpointError: The model cannot be loaded, or lacks the calibration that a minimum score needs.
        DataError, GalleryError, StorageError: The gallery or a file cannot be used, or no photo passes the filters.
    """
    _refuse_sheet(save, queries, kind)
    if collect_in is not None:
        refuse_folder(collect_in[0])
    contents = _read(queries, kind)
    model = load_model(checkpoint, device)
    calibration_of(model, kind, request)  # raises early if the calibration is missing
    keep_freed_memory()  # opening a folder without an index embeds its photos
    query = model.query(contents, kind, [str(path) for path in queries])
    with open_index(model, gallery, scan=scan, progress=progress) as index:
        _refuse_photo(save, index)
        hits = _search(index, query, request, kind)
        _advise(hits, model.is_single_mark(contents, kind))
        _draw(partial(_sheet, contents[0], queries[0].name, index), hits, save, show)
        if collect_in is not None:
            collect(index, hits, *collect_in)
        names = " + ".join(map(str, queries))
        return Retrieval(names, str(checkpoint), index.name, tuple(hits), index.skipped, index.left_out, hits.advice)


def _refuse_sheet(save: Path | None, queries: Sequence[Path], kind: Kind) -> None:
    """Raise StorageError, before any work, if the contact sheet cannot be written or would replace a query."""
    if save is not None:
        refuse_unwritable(save)
        refuse_replacing(save, queries, kind)


def _refuse_photo(save: Path | None, index: Index) -> None:
    """Raise StorageError if the contact sheet would replace a photo of the index."""
    if save is not None and save.is_file() and index.holds(save):
        raise StorageError(f"{save} is a photo of {index.name} and would be replaced; choose another file name")


def _read(paths: Sequence[Path], kind: Kind) -> list[bytes]:
    """Read each image once, since pipes and the standard input cannot be read again."""
    contents = []
    for path in paths:
        with naming_image(str(path), kind):
            contents.append(read_content(path))
    return contents


def _search(index: Index, query: Vectors, request: Request, kind: Kind) -> Hits:
    """Search, and log the filters that match no photo. Raises GalleryError if no photo passes all of them."""
    log.info(f"searched {index.name}: {len(index):,} photos")
    if request.k > len(index) and request.where.everything:
        log.info(f"the gallery has fewer than k = {request.k} photos; all of them are listed")
    hits = index.find(query, request, kind)
    if request.where.everything or (hits and len(request.where.categories) < 2):
        return hits
    problems = index.unmatched(query, request.where)
    if hits or index.find(query, Request(1, request.where)):
        for line in problems:
            log.info(line)
    else:
        together = "no photo passes all these filters together; leave one of them out"
        raise GalleryError(" and ".join(problems) or together)
    return hits


def _advise(hits: Hits, single_mark: bool) -> None:
    """Warn if the sketch is only a dot or a line."""
    if single_mark:
        hits.advice = Advice.KEEP_DRAWING
        log.warning("the sketch is only a dot or a line; draw more")


def _sheet(sketch: bytes, name: str, index: Index, hits: Sequence[Hit]) -> Image.Image:
    """Draw the contact sheet of a sketch and its hits."""
    return contact_sheet(
        [(Tile(open_image(sketch), name), [_tile(index, hit, rank) for rank, hit in enumerate(hits, start=1)])]
    )


def _draw(
    sheet: Callable[[Sequence[Hit]], Image.Image],
    hits: Hits,
    save: Path | None,
    show: Callable[[Image.Image], object] | None,
) -> None:
    if save is not None:
        _save_sheet(save, sheet(hits))
    if show is not None:
        show(sheet(hits[:SHOWN]))


def _save_sheet(path: Path, sheet: Image.Image) -> None:
    with replacing(path) as temporary:
        sheet.save(temporary, format="jpeg" if path.suffix.lower() in (".jpg", ".jpeg") else "png")


def _tile(index: Index, hit: Hit, rank: int) -> Tile:
    """Return a tile with a photo, its rank and its distance, or a grey tile with the reason why it cannot be shown."""
    caption = f"{rank}  {hit.category or Path(*Path(hit.path).parts[-3:-1])}\n"
    score = "" if hit.score is None else f"  score {hit.score:.2f}"
    try:
        return Tile(open_image(index.image(hit.path)), f"{caption}distance {hit.distance:.3f}{score}")
    except (ImageError, DataError, GalleryError) as error:
        log.info(f"cannot show {hit.path} on the contact sheet: {error}")
        return Tile(Image.new("RGB", (TILE, TILE), EDGE), f"{caption}{error}")
