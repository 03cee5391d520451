import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sketchy.dataset.cache import make_once
from sketchy.errors import DataError, StorageError


def load(folder: Path) -> str | None:
    """What is made here: one file that ends in a full stop when it is whole."""
    try:
        text = (folder / "text").read_text()
    except OSError:
        return None
    return text if text.endswith(".") else None


def write(text: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / "text").write_text(text)

    return make


def never(folder: Path) -> None:
    raise AssertionError("it is made once only")


def names(cache: Path) -> list[str]:
    """What is in the cache, but for the empty files that processes lock."""
    return sorted(path.name for path in cache.iterdir() if path.suffix != ".lock" or path.stat().st_size)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "key"


def test_it_is_made_the_first_time_and_loaded_after_that(folder: Path) -> None:
    assert make_once(folder, load, write("made.")) == "made."
    assert make_once(folder, load, never) == "made."
    assert names(folder.parent) == ["key"]


def test_what_is_not_whole_is_made_anew(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "text").write_text("hal")
    (folder / "rubbish").write_text("old")
    assert make_once(folder, load, write("whole.")) == "whole."
    assert [path.name for path in folder.iterdir()] == ["text"]


def test_nobody_sees_it_before_it_is_whole(folder: Path) -> None:
    def make(into: Path) -> None:
        assert into.parent == folder.parent
        assert not folder.exists()
        write("made.")(into)

    make_once(folder, load, make)
    assert folder.exists()


@pytest.mark.parametrize("error", [DataError("no images"), KeyboardInterrupt(), ValueError("a bug")])
def test_an_error_while_making_passes_and_leaves_nothing(folder: Path, error: BaseException) -> None:
    def make(into: Path) -> None:
        write("hal")(into)
        raise error

    with pytest.raises(type(error)):
        make_once(folder, load, make)
    assert names(folder.parent) == []
    assert make_once(folder, load, write("made.")) == "made."


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (
            errno.ENOSPC,
            "free some space there and run the command again, or set data.cache or SKETCHY_CACHE to a folder",
        ),
        (errno.EROFS, "set data.cache or SKETCHY_CACHE to a folder that can be written to"),
        (errno.EIO, "see that the drive or network share is connected"),
    ],
)
def test_what_the_disk_refuses_is_a_storage_error_that_names_the_cache(folder: Path, number: int, remedy: str) -> None:
    def make(into: Path) -> None:
        write("hal")(into)
        raise OSError(number, os.strerror(number))

    with pytest.raises(StorageError) as caught:
        make_once(folder, load, make)
    assert f"cannot write {folder.parent}: {os.strerror(number)}; {remedy}" in str(caught.value)
    assert names(folder.parent) == []


def test_a_cache_that_is_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(StorageError, match=r"cannot write .*cache: .*; set data.cache or SKETCHY_CACHE"):
        make_once(tmp_path / "cache" / "key", load, never)


def test_what_cannot_be_read_back_is_a_storage_error_and_not_an_endless_try(folder: Path) -> None:
    with pytest.raises(StorageError, match="what was written cannot be read again"):
        make_once(folder, load, write("never whole"))


def test_what_a_killed_process_left_is_removed_and_not_taken(folder: Path) -> None:
    script = """
import os, sys
from pathlib import Path
from sketchy.dataset.cache import make_once

def make(folder):
    (folder / "text").write_text("hal")
    os.kill(os.getpid(), 9)

make_once(Path(sys.argv[1]), lambda folder: None, make)
"""
    killed = subprocess.run([sys.executable, "-c", script, str(folder)], check=False, timeout=60)
    assert killed.returncode == -9
    assert [name for name in names(folder.parent) if name.endswith(".part")]
    assert not folder.exists()
    assert make_once(folder.with_name("other"), load, write("other.")) == "other."
    assert make_once(folder, load, write("made.")) == "made."
    assert names(folder.parent) == ["key", "other"]


def test_of_two_at_once_one_makes_it_and_the_other_says_that_it_waits(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    made: list[str] = []
    begun = threading.Event()

    def make(into: Path) -> None:
        made.append("once")
        begun.set()
        for _ in range(1000):
            if caplog.messages:
                break
            time.sleep(0.01)
        write("made.")(into)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(make_once, folder, load, make)
        assert begun.wait(10)
        second = pool.submit(make_once, folder, load, make)
        assert (first.result(), second.result()) == ("made.", "made.")
    assert made == ["once"]
    assert caplog.messages == ["waiting for another process that packs the same images"]


def test_what_another_one_is_still_making_is_not_taken_for_a_leftover(folder: Path) -> None:
    def make(into: Path) -> None:
        make_once(folder.with_name("other"), load, write("other."))
        assert into.is_dir()
        write("made.")(into)

    assert make_once(folder, load, make) == "made."
    assert names(folder.parent) == ["key", "other"]


def test_several_processes_make_it_once(folder: Path) -> None:
    script = """
import sys, time
from pathlib import Path
from sketchy.dataset.cache import make_once

def load(folder):
    return (folder / "text").read_text() if folder.exists() else None

def make(folder):
    with (folder.parent.parent / "log").open("a") as log:
        log.write("x")
    time.sleep(0.3)
    (folder / "text").write_text("made.")

assert make_once(Path(sys.argv[1]), load, make) == "made."
"""
    started = [subprocess.Popen([sys.executable, "-c", script, str(folder)]) for _ in range(3)]
    assert [process.wait(60) for process in started] == [0, 0, 0]
    assert (folder.parent.parent / "log").read_text() == "x"


def test_where_files_cannot_be_locked_the_first_one_counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refuse(file: object, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)

    def make(into: Path) -> None:
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(make_once, folder, load, write("first.")).result() == "first."
        write("second.")(into)  # still there, though nothing shows that it is alive

    assert make_once(folder, load, make) == "first."
    assert names(folder.parent) == ["key"]
