"""Going through all images of a dataset on all cores, in memory that does not grow with their number."""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from itertools import chain
from typing import TypeVar

from sketchy.ahead import map_ahead
from sketchy.dataset.records import Record
from sketchy.dataset.source import Source
from sketchy.errors import ImageError
from sketchy.image import Kind
from sketchy.processes import processes
from sketchy.progress import Progress, no_progress
from sketchy.runtime import usable_cores

T = TypeVar("T")

CHUNK_IMAGES = 32
"""Images in a task: enough that starting it costs little compared to decoding them."""

CHUNK_BYTES = 4 * 2**20
"""A task is full also with this many bytes of files, which bounds the memory of waiting tasks."""

Chunk = list[tuple[int, Record]]
"""Records with their indices."""


def for_each_image(
    source: Source,
    records: Sequence[Record],
    prepare: Callable[[bytes, Kind], T],
    use: Callable[[int, T], object],
    label: str,
    *,
    per_process: int | None = None,
    progress: Progress = no_progress,
    cores: int | None = None,
) -> dict[int, str]:
    """Read and prepare every image on all cores, and use the results in the calling thread, in the source's order.

    Args:
        source: Where the records were found.
        records: The images to read.
        prepare: Converts the content of a file into what is used; raises ImageError if it is unusable.
        use: Takes the index of a record and what was prepared from it.
        label: Label of the progress bar.
        per_process: Number of images for which a process is worth starting, for a `prepare` that can be pickled and
            holds Python's lock, as small NumPy steps do. None always takes threads.
        progress: Shows the progress.
        cores: Number of threads, or of processes; None takes all that this process may use.

    Returns:
        Index to reason, in order, of the records whose image is unusable.

    Raises:
        DataError: A process was killed; an error of `prepare` other than ImageError, or of `use`, is raised as it is.
    """
    failures: dict[int, str] = {}
    results = _prepared(source, records, prepare, cores or usable_cores(), per_process)
    with progress(label, len(records), "images") as advance, closing(results):
        for index, prepared in results:
            if isinstance(prepared, ImageError):
                failures[index] = str(prepared)
            else:
                use(index, prepared)
            advance(1)
    return dict(sorted(failures.items()))


def _prepared(
    source: Source, records: Sequence[Record], prepare: Callable[[bytes, Kind], T], cores: int, per_process: int | None
) -> Generator[tuple[int, T | ImageError], None, None]:
    """Yield the prepared images with their indices; reading and preparing go on ahead of the caller."""
    many = per_process is not None and cores > 1 and len(records) >= cores * per_process
    read = partial(_read_all, source)
    with ExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(cores))
        chunks = _chunks(source, records)
        # A source that must be read in order is read in this thread.
        contents = map(read, chunks) if source.sequential else map_ahead(read, chunks, threads, cores)
        pool = stack.enter_context(processes(cores)) if many else threads
        done = stack.enter_context(closing(map_ahead(partial(_prepare_all, prepare), contents, pool, 2 * cores)))
        yield from chain.from_iterable(done)


def _chunks(source: Source, records: Sequence[Record]) -> Iterator[Chunk]:
    """Cut the records into tasks, in the order of the source's entries."""
    indices = {record.name: index for index, record in enumerate(records)}
    chunk: Chunk = []
    size = 0
    for entry in source.entries():
        if (index := indices.get(entry.name)) is None:
            continue
        chunk.append((index, records[index]))
        size += entry.size
        if len(chunk) == CHUNK_IMAGES or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _read_all(source: Source, chunk: Chunk) -> list[tuple[int, Kind, bytes | ImageError]]:
    return [(index, record.kind, _attempt(source.read, record.name)) for index, record in chunk]


def _prepare_all(
    prepare: Callable[[bytes, Kind], T], contents: list[tuple[int, Kind, bytes | ImageError]]
) -> list[tuple[int, T | ImageError]]:
    return [
        (index, content if isinstance(content, ImageError) else _attempt(prepare, content, kind))
        for index, kind, content in contents
    ]


def _attempt(function: Callable[..., T], *arguments: object) -> T | ImageError:
    """Call a function; an ImageError is returned, not raised."""
    try:
        return function(*arguments)
    except ImageError as error:
        return error
