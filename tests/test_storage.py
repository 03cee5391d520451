import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sketchy.errors import StorageError
from sketchy.storage import refuse_replacing, refuse_unwritable, replacing, write_text


@pytest.fixture
def old(tmp_path) -> Path:
    path = tmp_path / "file.txt"
    path.write_text("old")
    return path


def is_untouched(path: Path) -> bool:
    """The old text is there, and nothing beside it."""
    return path.read_text() == "old" and list(path.parent.iterdir()) == [path]


def test_the_new_text_takes_the_place_of_the_old(old):
    write_text(old, "new, été\n")
    assert old.read_bytes() == "new, été\n".encode()
    assert list(old.parent.iterdir()) == [old]


def test_folders_on_the_way_are_made(tmp_path):
    write_text(tmp_path / "a" / "b" / "c.txt", "text")
    assert (tmp_path / "a" / "b" / "c.txt").read_text() == "text"


def test_readers_see_the_old_file_until_the_new_one_is_whole(old):
    with replacing(old) as temporary:
        assert temporary.parent == old.parent
        temporary.write_text("new")
        assert old.read_text() == "old"
    assert old.read_text() == "new"
    assert not temporary.exists()


def write_half(path: Path, error: BaseException) -> None:
    with replacing(path) as temporary:
        temporary.write_text("half")
        raise error


def test_who_reads_the_old_file_reads_it_to_its_end(old):
    with old.open() as reader:
        write_text(old, "new")
        assert reader.read() == "old"
    assert old.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError("wrong"), KeyboardInterrupt()])
def test_an_error_half_way_keeps_the_old_file_and_goes_on(old, error):
    with pytest.raises(type(error)):
        write_half(old, error)
    assert is_untouched(old)


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "No space left on device; free some space"),
        (errno.EDQUOT, "free some space"),
        (errno.EACCES, "Permission denied; choose a place"),
        (errno.EROFS, "choose a place"),
    ],
)
def test_what_the_system_refuses_is_one_line_with_a_remedy(old, number, remedy):
    with pytest.raises(StorageError, match=rf"cannot write .*file.txt: .*{remedy}"):
        write_half(old, OSError(number, os.strerror(number)))
    assert is_untouched(old)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_device_without_space_keeps_the_old_file(old):
    old.with_name(f".{old.name}.{os.getpid()}.part").symlink_to("/dev/full")
    with pytest.raises(StorageError, match="No space left on device; free some space"):
        write_text(old, "new")
    assert is_untouched(old)


def test_a_limit_on_the_size_of_files_keeps_the_old_file(old):
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StorageError, match="File too large"):
            write_text(old, "x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert is_untouched(old)


def test_a_process_that_is_killed_half_way_leaves_the_old_file(old):
    script = (
        "import os, sys, pathlib, sketchy.storage as storage\n"
        "with storage.replacing(pathlib.Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(old)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert old.read_text() == "old"
    write_text(old, "new")  # what it left lying is in nobody's way
    assert old.read_text() == "new"


@pytest.mark.parametrize("below", ["new.txt", "folder/new.txt"])
def test_a_file_where_a_folder_should_be_is_named(old, below):
    with pytest.raises(StorageError, match=r"cannot write .*new.txt: .*; choose a place"):
        write_text(old / below, "text")
    assert is_untouched(old)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("file.txt/new.txt", "file.txt is a file"),
        ("file.txt/folder/new.txt", "file.txt is a file"),
        (".", "it is a folder"),
        ("n" * 300, "File name too long"),
    ],
)
def test_what_can_never_be_written_is_refused_before_the_work(old, place, reason):
    with pytest.raises(StorageError, match=rf"cannot write .*: .*{reason}; choose a place"):
        refuse_unwritable(old.parent / place)
    assert is_untouched(old)


def test_a_folder_without_permission_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root, who may run the tests, may write everywhere
    with pytest.raises(StorageError, match=rf"no permission to write in {tmp_path}; choose a place"):
        refuse_unwritable(tmp_path / "new" / "file.txt")


@pytest.mark.parametrize("place", ["file.txt", "new.txt", "a/b/new.txt"])
def test_what_can_be_written_is_let_through_and_nothing_is_made(old, place, monkeypatch):
    refuse_unwritable(old.parent / place)
    monkeypatch.chdir(old.parent)
    refuse_unwritable(Path(place))
    assert is_untouched(old)


def test_a_name_that_is_too_long_is_refused(tmp_path):
    with pytest.raises(StorageError, match="File name too long"):
        write_text(tmp_path / ("n" * 300), "text")
    assert not list(tmp_path.iterdir())


def test_a_folder_is_not_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match=r"cannot write .*folder"):
        write_text(tmp_path / "folder", "text")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


def test_nothing_written_is_an_error_not_an_empty_file(old):
    with pytest.raises(StorageError, match=r"file.txt"), replacing(old):
        pass
    assert is_untouched(old)


def test_an_output_never_takes_the_place_of_an_input(old, tmp_path):
    (tmp_path / "link").symlink_to(old)
    for path in (old, tmp_path / "link"):
        with pytest.raises(StorageError, match=r"would replace the photo .*file.txt; choose another name for it"):
            refuse_replacing(path, [tmp_path / "nowhere", old], "photo")
    refuse_replacing(tmp_path / "new", [old], "photo")
    assert old.read_text() == "old"
