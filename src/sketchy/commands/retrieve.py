"""`sketchy retrieve`: find the photos nearest to a sketch."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

from sketchy.errors import DataError, GalleryError, ImageError, StorageError
from sketchy.image import open_image, read_content
from sketchy.progress import Progress, no_progress
from sketchy.results import Advice, Hit, Hits, Retrieval
from sketchy.retrieval.collect import How, collect, refuse_folder
from sketchy.retrieval.contact_sheet import EDGE, PAPER, TILE, Tile, contact_sheet
from sketchy.retrieval.images import AnyKind, naming_image
from sketchy.retrieval.index import Index
from sketchy.retrieval.model import Model, load_model
from sketchy.retrieval.open import open_index
from sketchy.retrieval.query import Extras, Query, make_query
from sketchy.retrieval.scan import DEFAULT_SCAN, Scan
from sketchy.retrieval.search import Request, calibration_of
from sketchy.retrieval.store.base import as_tuple
from sketchy.retrieval.unused import log_new_unused, log_unused
from sketchy.runtime import keep_freed_memory
from sketchy.storage import refuse_replacing, refuse_unwritable, replacing
from sketchy.text import amount

log = logging.getLogger(__name__)

SHOWN = 10
"""Photos that are shown in a terminal."""
NO_EXTRAS = Extras()


def run(  # noqa: PLR0913 - one per option, by keyword
    queries: Sequence[Path],
    request: Request,
    checkpoint: Path,
    gallery: str | None = None,
    *,
    kind: AnyKind = "auto",
    extras: Extras = NO_EXTRAS,
    scan: Scan = DEFAULT_SCAN,
    save: Path | None = None,
    show: Callable[[Image.Image], object] | None = None,
    collect_in: tuple[Path, How] | None = None,
    device: str = "auto",
    progress: Progress = no_progress,
) -> Retrieval:
    """Find the photos nearest to a sketch, to several sketches of one object, to a photo, or to words.

    Args:
        queries: Image files, pipes, or "-" for the standard input; the embeddings of several are averaged.
        gallery: Gallery to search; see `open_index`.
        kind: Kind of the queries.
        extras: Words and examples beside or without queries.
        save: Contact sheet to write, as PNG or JPEG by its suffix.
        show: Called with a contact sheet of the first hits, for a terminal.
        collect_in: A folder, and whether to copy the photos to it, or to make links to them in it.

    Raises:
        SketchyError: Files or the gallery cannot be used, a word is unknown, or no photo passes the filters.
    """
    _refuse_outputs(save, collect_in, queries)
    contents = _read(queries, kind)
    model = load_model(checkpoint, device)
    keep_freed_memory()  # opening a folder without an index embeds its photos
    query = _query(model, queries, contents, kind, extras, request)
    with open_index(model, gallery, scan=scan, progress=progress) as index:
        _refuse_photo(save, index)
        hits = _search(index, query, request, scan)
        name = " + ".join([*map(str, queries), *as_tuple(extras.get("text", ())), *query.like])
        _output(index, hits, _tile_of_query(contents, queries, name), save, show, collect_in)
        return _retrieval(name, checkpoint, index, hits, query)


def _retrieval(name: str, checkpoint: Path, index: Index, hits: Hits, query: Query) -> Retrieval:
    return Retrieval(name, str(checkpoint), index.name, tuple(hits), index.left_out, hits.advice, query.kind)


def _refuse_outputs(save: Path | None, collect_in: tuple[Path, How] | None, queries: Sequence[Path]) -> None:
    """Raise StorageError, before any work, if an output cannot be written or would replace a query."""
    if save is not None:
        refuse_unwritable(save)
        refuse_replacing(save, queries, "query")
    if collect_in is not None:
        refuse_folder(collect_in[0])


def _refuse_photo(save: Path | None, index: Index) -> None:
    """Raise StorageError if the contact sheet would replace a photo of the gallery."""
    if save is not None and save.is_file() and index.holds(save):
        raise StorageError(f"{save} is a photo of {index.name} and would be replaced; choose another file name")


def _query(
    model: Model, paths: Sequence[Path], contents: Sequence[bytes], kind: AnyKind, extras: Extras, request: Request
) -> Query:
    """Embed a query, and log what it is taken for if it is no drawing. Fails if hits will lack a score they need."""
    query = make_query(model, contents, kind, [str(path) for path in paths], **extras)
    calibration_of(model, query, request)
    if kind == "auto" and query.kind == "photo":
        log.info(f"taken for a photo: {' + '.join(map(str, paths))}; --kind sketch takes it for a drawing")
    return query


def _read(paths: Sequence[Path], kind: AnyKind) -> list[bytes]:
    """Read each image once, since pipes and the standard input cannot be read again."""
    contents = []
    for path in paths:
        with naming_image(str(path), kind):
            contents.append(read_content(path))
    return contents


def _search(index: Index, query: Query, request: Request, scan: Scan) -> Hits:
    """Search, and log what was not searched and which filters match no photo.

    Raises:
        GalleryError: No photo passes all filters.
    """
    log.info(f"searched {index.name}: {amount(len(index), 'photo')}")
    _log_unused(index, every=scan.name_left_out)
    if request.k > len(index) and request.where.everything:
        log.info(f"the gallery has fewer than k = {request.k} photos; all of them are listed")
    hits = index.find(query, request)
    if hits.advice == Advice.KEEP_DRAWING:
        log.warning("the sketch is only a dot or a line; draw more")
    if request.where.everything or (hits and len(request.where.categories) < 2):
        return hits
    problems = index.unmatched(request.where)
    if hits or index.find(query, Request(1, request.where)):
        for line in problems:
            log.info(line)
    else:
        together = "no photo passes all these filters together; leave one of them out"
        raise GalleryError(" and ".join(problems) or together)
    return hits


def _log_unused(index: Index, *, every: bool) -> None:
    """Report the files that are not searched: `every` one, else those that are new since the last search."""
    if every:
        log_unused(index.skipped, index.left_out, every=True)
    elif index.skipped or index.left_out:  # only those of a folder, whose index is in the cache
        log_new_unused(index)


def _tile_of_query(contents: Sequence[bytes], paths: Sequence[Path], name: str) -> Tile:
    """Return a tile with the first image of the query; without one, blank paper with the name of the query."""
    if contents:
        return Tile(open_image(contents[0]), paths[0].name)
    return Tile(Image.new("RGB", (TILE, TILE), PAPER), name)


def _sheet(query: Tile, index: Index, hits: Sequence[Hit]) -> Image.Image:
    """Draw the contact sheet of a query and its hits."""
    return contact_sheet([(query, [_tile(index, hit, rank) for rank, hit in enumerate(hits, start=1)])])


def _output(
    index: Index,
    hits: Hits,
    query: Tile,
    save: Path | None,
    show: Callable[[Image.Image], object] | None,
    collect_in: tuple[Path, How] | None,
) -> None:
    """Save the contact sheet, show that of the first hits, and collect the photos, as far as that is asked for."""
    if save is not None:
        _save_sheet(save, _sheet(query, index, hits))
    if show is not None:
        show(_sheet(query, index, hits[:SHOWN]))
    if collect_in is not None:
        collect(index, hits, *collect_in)


def _save_sheet(path: Path, sheet: Image.Image) -> None:
    with replacing(path) as temporary:
        sheet.save(temporary, format="jpeg" if path.suffix.lower() in (".jpg", ".jpeg") else "png")


def _tile(index: Index, hit: Hit, rank: int) -> Tile:
    """Return a tile with a photo, its rank and its distance, or a grey tile with the reason why it cannot be shown."""
    caption = f"{rank}  {hit.category or Path(hit.path).name}\n"
    score = "" if hit.score is None else f"  score {hit.score:.2f}"
    try:
        return Tile(open_image(index.image(hit.path)), f"{caption}distance {hit.distance:.3f}{score}")
    except (ImageError, DataError, GalleryError) as error:
        log.info(f"cannot show {hit.path} on the contact sheet: {error}")
        return Tile(Image.new("RGB", (TILE, TILE), EDGE), f"{caption}{error}")
