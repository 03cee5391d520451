"""Going through all images of a dataset on all cores."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any

from sketchy.dataset.records import Record
from sketchy.dataset.source import Source
from sketchy.errors import ImageError
from sketchy.image import Kind
from sketchy.processes import processes
from sketchy.talk import Advance, Talk

CHUNK_IMAGES = 32
"""Images a task: enough that handing it over costs nothing beside decoding them."""

CHUNK_BYTES = 4 * 2**20
"""A task is full also with this much of files: it bounds what waiting tasks hold in memory."""

IMAGES_EACH = 1000
"""A process that prepares fewer than this is not worth starting: that takes half a second."""

Chunk = list[tuple[int, str]]
"""Places in the list of records, with names inside the source."""

Prepare = Callable[[bytes, Kind], Any]
"""Turns the content of a file into what is worked on; raises ImageError if it is unusable. Can be pickled."""

Work = Callable[[int, Any], object]
"""Takes the place of a record in the list, and the content of its file or what was made of it; may raise ImageError."""


def for_each_image(
    source: Source, records: Sequence[Record], work: Work, label: str, talk: Talk, prepare: Prepare | None = None
) -> dict[int, str]:
    """Read every image and call `work` on it, in threads: Pillow lets go of Python's lock.

    Memory does not grow with the number of images. Any error but ImageError ends it all.

    Args:
        source: where the records were found.
        records: what to read.
        work: called from several threads at once, in no order.
        label: of the progress bar.
        talk: shows the progress bar.
        prepare: what is done to each content first; in processes where there are many, as NumPy's small steps hold the
            lock.

    Returns:
        Place to reason, in order, of the records whose image was unusable.

    Raises:
        DataError: a process was killed.
    """
    failures: dict[int, str] = {}
    cores = _cores()
    with ExitStack() as stack:
        helpers = None
        if prepare and cores > 1 and len(records) >= cores * IMAGES_EACH:
            helpers = stack.enter_context(processes(cores))
        do = _Chunks(records, work, prepare, helpers).do
        advance = stack.enter_context(talk.bar(label, len(records), "images"))
        # One thread more than processes, so that each of them has something to do while a result is worked on.
        pool = stack.enter_context(ThreadPoolExecutor(cores + bool(helpers)))
        tasks: deque[tuple[int, Future[dict[int, str]]]] = deque()
        try:
            for chunk in _chunks(source, records):
                read = _read_ahead(source, chunk) if source.sequential else source.read
                tasks.append((len(chunk), pool.submit(do, chunk, read)))
                if len(tasks) > 2 * cores:
                    _finish_first(tasks, failures, advance)
            while tasks:
                _finish_first(tasks, failures, advance)
        finally:  # when it ends early, what has not begun never does
            for _, task in tasks:
                task.cancel()
    return dict(sorted(failures.items()))


class _Chunks:
    """What is done to every chunk."""

    def __init__(
        self, records: Sequence[Record], work: Work, prepare: Prepare | None, helpers: Executor | None
    ) -> None:
        self.records = records
        self.work = work
        self.prepare = prepare
        self.helpers = helpers

    def do(self, chunk: Chunk, read: Callable[[str], bytes]) -> dict[int, str]:
        """Read, prepare and work on the images of a chunk; return the failures."""
        failures: dict[int, str] = {}
        if self.prepare is None or self.helpers is None:
            for place, name in chunk:
                try:
                    content = read(name)
                    self.work(place, self.prepare(content, self.records[place].kind) if self.prepare else content)
                except ImageError as error:
                    failures[place] = str(error)
            return failures
        contents: dict[int, bytes] = {}
        for place, name in chunk:
            try:
                contents[place] = read(name)
            except ImageError as error:
                failures[place] = str(error)
        given = [(content, self.records[place].kind) for place, content in contents.items()]
        made = self.helpers.submit(_prepare_all, self.prepare, given).result()
        for place, prepared in zip(contents, made, strict=True):
            try:
                if isinstance(prepared, ImageError):
                    raise prepared
                self.work(place, prepared)
            except ImageError as error:
                failures[place] = str(error)
        return failures


def _prepare_all(prepare: Prepare, given: Sequence[tuple[bytes, Kind]]) -> list[Any]:
    """Prepare images in another process; an ImageError stands where one is unusable."""
    made: list[Any] = []
    for content, kind in given:
        try:
            made.append(prepare(content, kind))
        except ImageError as error:
            made.append(error)
    return made


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


def _finish_first(tasks: deque[tuple[int, Future[dict[int, str]]]], failures: dict[int, str], advance: Advance) -> None:
    count, task = tasks.popleft()
    failures.update(task.result())
    advance(count)
