import os
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sketchy.dataset.decode import CHUNK_BYTES, CHUNK_IMAGES, for_each_image
from sketchy.dataset.records import Record
from sketchy.dataset.source import Entry, open_source
from sketchy.errors import ImageError
from sketchy.progress import Advance


class Listed:
    """A source of so many files that hold their own names; those named "gone" cannot be read."""

    path = Path("listed")

    def __init__(self, names: list[str], sequential: bool = False, size: int = 1) -> None:
        self.sequential = sequential
        self.size = size
        self.names = names
        self.readers: list[tuple[str, int]] = []

    def entries(self) -> list[Entry]:
        return [Entry(name, self.size, 0) for name in self.names]

    def read(self, name: str) -> bytes:
        self.readers.append((name, threading.get_ident()))
        if "gone" in name:
            raise ImageError("no such file")
        return name.encode()

    def locate(self, name: str) -> str:
        return name

    def close(self) -> None:
        """Nothing is open."""


def same(content: bytes, kind: str) -> bytes:
    return content


def unused(index: int, prepared: object) -> None:
    """Drop it."""


def records(names: list[str]) -> list[Record]:
    return [Record("photo", "cat", name, name) for name in names]


NAMES = [f"{number}.jpg" for number in range(300)]


@pytest.mark.parametrize("sequential", [False, True])
def test_every_image_is_used_once_with_its_own_index(sequential: bool) -> None:
    seen: list[tuple[int, bytes]] = []
    shuffled = NAMES[::-1]
    failures = for_each_image(
        Listed(NAMES, sequential), records(shuffled), same, lambda *done: seen.append(done), "packing"
    )
    assert failures == {}
    assert sorted(seen) == [(index, name.encode()) for index, name in enumerate(shuffled)]


def test_files_that_are_no_records_are_not_read() -> None:
    source = Listed([*NAMES, "notes.txt"])
    for_each_image(source, records(NAMES[:40]), same, unused, "packing")
    assert sorted(name for name, _ in source.readers) == sorted(NAMES[:40])


@pytest.mark.parametrize("sequential", [False, True])
def test_what_cannot_be_read_or_used_is_named_in_order_and_the_rest_is_done(sequential: bool) -> None:
    names = [*NAMES[:90], "gone.jpg", *NAMES[90:], "gone too.jpg"]
    done: list[int] = []

    def prepare(content: bytes, kind: str) -> bytes:
        if content in (b"5.jpg", b"200.jpg"):
            raise ImageError("truncated")
        return content

    def use(index: int, content: bytes) -> None:
        done.append(index)

    failures = for_each_image(Listed(names[::-1], sequential), records(names), prepare, use, "packing")
    assert list(failures.items()) == [
        (5, "truncated"),
        (90, "no such file"),
        (201, "truncated"),
        (301, "no such file"),
    ]
    assert sorted(done) == sorted(set(range(302)) - failures.keys())


def test_a_source_that_must_not_go_back_is_read_in_order_by_one_thread() -> None:
    source = Listed(NAMES, sequential=True)
    for_each_image(source, records(NAMES[::-1]), same, unused, "packing")
    assert [name for name, _ in source.readers] == NAMES
    assert {thread for _, thread in source.readers} == {threading.get_ident()}


def test_any_other_error_ends_it_and_what_waits_is_never_begun() -> None:
    begun: list[int] = []

    def prepare(content: bytes, kind: str) -> None:
        if content == b"0.jpg":
            raise ValueError("a bug")
        begun.append(int(content.removesuffix(b".jpg")))
        time.sleep(0.002)

    with pytest.raises(ValueError, match="a bug"):
        for_each_image(Listed(NAMES), records(NAMES), prepare, unused, "packing", cores=1)
    assert max(begun, default=0) < 2 * CHUNK_IMAGES


def test_an_error_in_using_a_result_ends_it_too() -> None:
    begun: list[bytes] = []

    def prepare(content: bytes, kind: str) -> None:
        begun.append(content)
        time.sleep(0.002)

    def use(index: int, content: None) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        for_each_image(Listed(NAMES), records(NAMES), prepare, use, "packing", cores=1)
    assert len(begun) <= 2 * CHUNK_IMAGES


def test_the_bar_counts_every_image_also_the_failed_ones() -> None:
    opened: list[tuple[str, int, str]] = []
    steps: list[int] = []

    @contextmanager
    def heard(label: str, total: int, unit: str) -> Iterator[Advance]:
        opened.append((label, total, unit))
        yield steps.append

    names = [*NAMES, "gone.jpg"]
    for_each_image(Listed(names), records(names), same, unused, "packing", progress=heard)
    assert opened == [("packing", 301, "images")]
    assert sum(steps) == 301
    assert len(steps) > 5


@pytest.mark.parametrize("sequential", [False, True])
@pytest.mark.parametrize("size", [1, CHUNK_BYTES])
def test_reading_ahead_stays_within_bounds(size: int, sequential: bool) -> None:
    source = Listed(NAMES, sequential, size)
    used: list[int] = []
    ahead: list[int] = []

    def use(index: int, content: bytes) -> None:
        used.append(index)
        ahead.append(len(source.readers) - len(used))

    for_each_image(source, records(NAMES), same, use, "packing", cores=2)
    images_a_task = CHUNK_IMAGES if size == 1 else 1
    assert max(ahead) <= (8 if not sequential else 5) * images_a_task


def test_no_records_are_no_work() -> None:
    assert for_each_image(Listed([]), [], same, unused, "packing") == {}


def test_a_compressed_tar_gives_each_record_its_own_content(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in NAMES[:80]:
        (tmp_path / "in" / name).write_text(name)
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as packed:
        packed.add(tmp_path / "in", ".")
    source = open_source(tmp_path / "a.tar.gz")
    seen: dict[int, bytes] = {}
    for_each_image(source, records(NAMES[:80]), same, seen.__setitem__, "packing")
    source.close()
    assert seen == {index: name.encode() for index, name in enumerate(NAMES[:80])}


def upper(content: bytes, kind: str) -> tuple[bytes, str, int]:
    if content == b"7.jpg":
        raise ImageError("truncated")
    return content.upper(), kind, os.getpid()


@pytest.mark.parametrize("each", [1, 1000])
def test_many_images_are_prepared_in_other_processes_and_few_here(each: int) -> None:
    names = [*NAMES[:90], "gone.jpg"]
    seen: dict[int, tuple[bytes, str, int]] = {}
    failures = for_each_image(
        Listed(names), records(names), upper, seen.__setitem__, "packing", per_process=each, cores=2
    )
    assert failures == {7: "truncated", 90: "no such file"}
    assert {index: done[0] for index, done in seen.items()} == {
        index: name.upper().encode() for index, name in enumerate(names) if index not in failures
    }
    assert {done[1] for done in seen.values()} == {"photo"}
    assert (os.getpid() in {done[2] for done in seen.values()}) == (each == 1000)
