"""Going through all images of a dataset on all cores."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from sketchy.ahead import map_ahead
from sketchy.dataset.records import Record
from sketchy.dataset.source import Source
from sketchy.errors import ImageError
from sketchy.image import Kind
from sketchy.processes import processes
from sketchy.progress import Progress, no_progress

CHUNK_IMAGES = 32
"""Images in a task: enough that starting it costs little compared to decoding them."""

CHUNK_BYTES = 4 * 2**20
"""A task is full also with this many bytes of files, which bounds the memory of waiting tasks."""

IMAGES_EACH = 1000
"""A process is not worth starting for fewer images than this: that takes half a second."""

Chunk = list[tuple[int, str]]
"""Indices of records, with their names inside the source."""

Prepare = Callable[[bytes, Kind], Any]
"""Prepares the content of a file; raises ImageError if it is unusable. Can be pickled."""

Work = Callable[[int, Any], object]
"""Takes the index of a record, and the content of its file or what was prepared from it; may raise ImageError."""


def for_each_image(
    source: Source,
    records: Sequence[Record],
    work: Work,
    label: str,
    *,
    prepare: Prepare | None = None,
    progress: Progress = no_progress,
    cores: int | None = None,
    images_each: int = IMAGES_EACH,
) -> dict[int, str]:
    """Read every image and call `work` on it, in threads: Pillow releases Python's lock.

    Memory does not grow with the number of images. Any error but ImageError ends it all.

    Args:
        source: Where the records were found.
        records: The images to read.
        work: Called from several threads at once, in no order.
        label: Label of the progress bar.
        prepare: Applied to each content first, in processes if there are many: NumPy's small steps hold Python's lock.
        progress: Opens the progress bar.
        cores: Number of threads, and of processes; None takes all that this process may use.
        images_each: Number of images for which a process is worth starting.

    Returns:
        Index to reason, in order, of the records whose image is unusable.

    Raises:
        DataError: A process was killed.
    """
    cores = cores or _cores()
    failures: dict[int, str] = {}
    with ExitStack() as stack:
        helpers = None
        if prepare and cores > 1 and len(records) >= cores * images_each:
            helpers = stack.enter_context(processes(cores))

        def do(task: tuple[Chunk, list[Any] | None]) -> tuple[int, dict[int, str]]:
            chunk, contents = task
            if contents is None:
                contents = _read_all(source, chunk)
            if prepare:
                kinds = [records[index].kind for index, _ in chunk]
                if helpers:
                    contents = helpers.submit(_prepare_all, prepare, contents, kinds).result()
                else:
                    contents = _prepare_all(prepare, contents, kinds)
            return len(chunk), _work_on_all(work, chunk, contents)

        advance = stack.enter_context(progress(label, len(records), "images"))
        # One thread more than processes, so that none of these waits while a result is worked on.
        pool = stack.enter_context(ThreadPoolExecutor(cores + bool(helpers)))
        # A source that must be read in order is read here, in one thread.
        tasks = ((chunk, _read_all(source, chunk) if source.sequential else None) for chunk in _chunks(source, records))
        for count, failed in map_ahead(do, tasks, pool, 2 * cores):
            failures |= failed
            advance(count)
    return dict(sorted(failures.items()))


def _chunks(source: Source, records: Sequence[Record]) -> Iterator[Chunk]:
    """Cut the records into tasks, in the order of the source's entries."""
    indices = {record.name: index for index, record in enumerate(records)}
    chunk: Chunk = []
    size = 0
    for entry in source.entries():
        if entry.name not in indices:
            continue
        chunk.append((indices[entry.name], entry.name))
        size += entry.size
        if len(chunk) == CHUNK_IMAGES or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _read_all(source: Source, chunk: Chunk) -> list[bytes | ImageError]:
    return [_attempt(source.read, name) for _, name in chunk]


def _prepare_all(prepare: Prepare, contents: Sequence[bytes | ImageError], kinds: Sequence[Kind]) -> list[Any]:
    return [
        content if isinstance(content, ImageError) else _attempt(prepare, content, kind)
        for content, kind in zip(contents, kinds, strict=True)
    ]


def _work_on_all(work: Work, chunk: Chunk, contents: Sequence[Any]) -> dict[int, str]:
    """Return index to reason of those that are unusable."""
    failures: dict[int, str] = {}
    for (index, _), content in zip(chunk, contents, strict=True):
        outcome = content if isinstance(content, ImageError) else _attempt(work, index, content)
        if isinstance(outcome, ImageError):
            failures[index] = str(outcome)
    return failures


def _attempt(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function; an ImageError is returned, not raised."""
    try:
        return function(*arguments)
    except ImageError as error:
        return error


def _cores() -> int:
    """Cores that this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
