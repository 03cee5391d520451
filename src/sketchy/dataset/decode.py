"""Going through all images of a dataset on all cores."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from sketchy.dataset.records import Record
from sketchy.dataset.source import Source
from sketchy.errors import ImageError
from sketchy.talk import Advance, Talk

CHUNK_IMAGES = 32
"""Images a task: enough that handing it over costs nothing beside decoding them."""

CHUNK_BYTES = 4 * 2**20
"""A task is full also with this much of files: it bounds what waiting tasks hold in memory."""

Chunk = list[tuple[int, str]]
"""Places in the list of records, with names inside the source."""

Work = Callable[[int, bytes], object]
"""Takes the place of a record in the list and the content of its file; raises ImageError if that is unusable."""


def for_each_image(source: Source, records: Sequence[Record], work: Work, label: str, talk: Talk) -> dict[int, str]:
    """Read every image and call `work` on it, in threads: Pillow and NumPy let go of Python's lock.

    Memory does not grow with the number of images. Any error but ImageError ends it all.

    Args:
        source: where the records were found.
        records: what to read.
        work: called from several threads at once, in no order.
        label: of the progress bar.
        talk: shows the progress bar.

    Returns:
        Place to reason, in order, of the records whose image was unusable.
    """
    failures: dict[int, str] = {}
    cores = _cores()
    with talk.bar(label, len(records), "images") as advance, ThreadPoolExecutor(cores) as pool:
        tasks: deque[tuple[int, Future[dict[int, str]]]] = deque()
        try:
            for chunk in _chunks(source, records):
                read = _read_ahead(source, chunk) if source.sequential else source.read
                tasks.append((len(chunk), pool.submit(_do_chunk, chunk, read, work)))
                if len(tasks) > 2 * cores:
                    _finish_first(tasks, failures, advance)
            while tasks:
                _finish_first(tasks, failures, advance)
        finally:  # when it ends early, what has not begun never does
            for _, task in tasks:
                task.cancel()
    return dict(sorted(failures.items()))


def _cores() -> int:
    """Cores this process may use, of which there can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _chunks(source: Source, records: Sequence[Record]) -> Iterator[Chunk]:
    """Cut the records into tasks, in the order of the source's entries."""
    places = {record.name: place for place, record in enumerate(records)}
    chunk: Chunk = []
    size = 0
    for entry in source.entries():
        if entry.name not in places:
            continue
        chunk.append((places[entry.name], entry.name))
        size += entry.size
        if len(chunk) == CHUNK_IMAGES or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _read_ahead(source: Source, chunk: Chunk) -> Callable[[str], bytes]:
    """Read the files now, in order; return what gives them by name, or raises why not."""
    contents: dict[str, bytes] = {}
    for _, name in chunk:
        with suppress(ImageError):
            contents[name] = source.read(name)
    return lambda name: contents[name] if name in contents else source.read(name)


def _do_chunk(chunk: Chunk, read: Callable[[str], bytes], work: Work) -> dict[int, str]:
    failures: dict[int, str] = {}
    for place, name in chunk:
        try:
            work(place, read(name))
        except ImageError as error:
            failures[place] = str(error)
    return failures


def _finish_first(tasks: deque[tuple[int, Future[dict[int, str]]]], failures: dict[int, str], advance: Advance) -> None:
    count, task = tasks.popleft()
    failures.update(task.result())
    advance(count)
