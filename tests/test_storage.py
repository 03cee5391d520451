import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from sketchy.errors import StorageError
from sketchy.storage import (
    cache_folder,
    os_problem,
    os_reason,
    refuse_replacing,
    refuse_unwritable,
    replacing,
    temporary_name,
    write_text,
)


@pytest.fixture
def old(tmp_path) -> Path:
    path = tmp_path / "file.txt"
    path.write_text("old")
    return path


def is_untouched(path: Path) -> bool:
    """The old text is there, and nothing beside it."""
    return path.read_text() == "old" and list(path.parent.iterdir()) == [path]


def test_new_text_replaces_old_text(old):
    write_text(old, "new, été\n")
    assert old.read_bytes() == "new, été\n".encode()
    assert list(old.parent.iterdir()) == [old]


def test_missing_parent_folders_are_made(tmp_path):
    write_text(tmp_path / "a" / "b" / "c.txt", "text")
    assert (tmp_path / "a" / "b" / "c.txt").read_text() == "text"


def test_the_old_file_stays_until_the_new_one_is_complete(old):
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


def test_an_open_reader_keeps_the_old_file(old):
    with old.open() as reader:
        write_text(old, "new")
        assert reader.read() == "old"
    assert old.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError("wrong"), KeyboardInterrupt()])
def test_an_error_while_writing_keeps_the_old_file_and_is_raised(old, error):
    with pytest.raises(type(error)):
        write_half(old, error)
    assert is_untouched(old)


def test_an_error_of_the_system_becomes_one_line_with_a_remedy(old):
    with pytest.raises(StorageError, match=r"cannot write .*file.txt: No space left on device; free some space there"):
        write_half(old, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert is_untouched(old)


REMEDIES = [
    # Codes; reason; remedy if reading failed; remedy if writing failed.
    ("ENOSPC EDQUOT", "", "free some space there and run", "free some space there and run the command again, or ELSE"),
    ("EACCES EPERM", "", "change its permissions", "ELSE, or change the permissions"),
    ("EROFS", "Read-only file system", "check the path", "ELSE"),
    ("ENOENT", "no such file", "check the path", "check the path"),
    ("ENOTDIR", "a part of the path is a file", "check the path", "ELSE"),
    ("EISDIR", "is a folder", "name a file", "choose another name"),
    ("EEXIST", "", "check the path", "ELSE"),
    ("ENAMETOOLONG", "File name too long", "choose a shorter name", "choose a shorter name"),
    ("ELOOP", "", "correct the symbolic links", "correct the symbolic links"),
    ("EMFILE ENFILE", "", "(`ulimit -n`)", "(`ulimit -n`)"),
    ("EIO ESTALE ENOTCONN EHOSTDOWN ETIMEDOUT ENXIO", "", "network share is connected", "network share is connected"),
    ("EBUSY ETXTBSY", "", "close the program that uses it", "close the program that uses it"),
    ("EFBIG", "File too large", "check the path", "(`ulimit -f`)"),
    ("EINVAL EILSEQ", "", "check the name", "check the name"),
    ("ENOMEM", "", "free some memory", "free some memory"),
    ("EPROTO", "Protocol error", "check the path and its permissions", "ELSE"),  # one that is not in the table
]


@pytest.mark.parametrize(
    ("name", "reason", "reading", "writing"), [(name, *row) for names, *row in REMEDIES for name in names.split()]
)
def test_each_error_of_the_system_has_its_own_remedy(name, reason, reading, writing):
    number = getattr(errno, name)
    error = OSError(number, os.strerror(number), "a name of ours")
    reason = reason or os.strerror(number)
    for action, remedy in (("read", reading), ("use", reading), ("write", writing)):
        line = os_problem(error, "a/b", action, "ELSE")
        assert line.startswith(f"cannot {action} a/b: {reason}; ")
        assert remedy in line
        assert ("ELSE" in line) == ("ELSE" in remedy)
        assert "ours" not in line
    assert os_reason(error) == reason


def test_a_more_specific_reason_than_the_systems_is_kept():
    assert os_reason(NotADirectoryError(errno.ENOTDIR, "up is a file")) == "up is a file"
    assert os_reason(OSError("cannot be read again")) == "cannot be read again"


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"])
def test_an_invalid_name_is_refused(tmp_path, name):
    with pytest.raises(StorageError, match=r"cannot write .*: not a valid file name; check the name"):
        write_text(tmp_path / name, "text")


def test_an_error_in_the_cache_names_its_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("SKETCHY_CACHE", str(tmp_path / "cache"))
    denied = PermissionError(errno.EACCES, "Permission denied")
    assert "; set SKETCHY_CACHE to a folder" in os_problem(denied, tmp_path / "cache" / "galleries" / "x")
    assert "; choose a place" in os_problem(denied, tmp_path / "x")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_device_without_space_keeps_the_old_file(old):
    temporary_name(old).symlink_to("/dev/full")
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


def test_a_process_killed_while_writing_leaves_the_old_file(old):
    script = (
        "import os, sys, pathlib, sketchy.storage as storage\n"
        "with storage.replacing(pathlib.Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(old)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert old.read_text() == "old"
    write_text(old, "new")  # the file that it left does not matter
    assert old.read_text() == "new"


@pytest.mark.parametrize("below", ["new.txt", "folder/new.txt"])
def test_a_file_where_a_folder_should_be_is_named(old, below):
    with pytest.raises(StorageError, match=r"cannot write .*new.txt: .*; choose a place"):
        write_text(old / below, "text")
    assert is_untouched(old)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("file.txt/new.txt", "file.txt is a file; choose a place"),
        ("file.txt/folder/new.txt", "file.txt is a file; choose a place"),
        (".", "it is a folder; choose another name"),
        ("n" * 300, "File name too long; choose a shorter name"),
    ],
)
def test_a_path_that_cannot_be_written_is_refused_before_the_work(old, place, reason):
    with pytest.raises(StorageError, match=rf"cannot write .*: .*{reason}"):
        refuse_unwritable(old.parent / place)
    assert is_untouched(old)


def test_a_folder_without_permission_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root, who may run the tests, may write everywhere
    with pytest.raises(StorageError, match=rf"no permission to write in {tmp_path}; choose a place"):
        refuse_unwritable(tmp_path / "new" / "file.txt")


def test_a_read_only_disk_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=os.ST_RDONLY))
    with pytest.raises(StorageError, match=r"Read-only file system; choose a place that can be written to$"):
        refuse_unwritable(tmp_path / "new" / "file.txt")


@pytest.mark.parametrize("place", ["file.txt", "new.txt", "a/b/new.txt"])
def test_a_path_that_can_be_written_is_accepted_and_nothing_is_made(old, place, monkeypatch):
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


def test_writing_nothing_is_an_error_and_makes_no_empty_file(old):
    with pytest.raises(StorageError, match=r"file.txt"), replacing(old):
        pass
    assert is_untouched(old)


@pytest.mark.parametrize(
    ("given", "environment", "expected"),
    [
        ("own", {"SKETCHY_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, "own"),
        (None, {"SKETCHY_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, "/a"),
        (None, {"SKETCHY_CACHE": "~/a", "HOME": "/home/me"}, "/home/me/a"),
        (None, {"SKETCHY_CACHE": "~no-such-user/a"}, "~no-such-user/a"),
        (None, {"XDG_CACHE_HOME": "~/b", "HOME": "/home/me"}, "/home/me/b/sketchy"),
        (None, {"XDG_CACHE_HOME": "/b"}, "/b/sketchy"),
        (None, {"HOME": "/home/me"}, "/home/me/.cache/sketchy"),
        (None, {"SKETCHY_CACHE": "", "HOME": "/home/me"}, "/home/me/.cache/sketchy"),
    ],
)
def test_the_cache_folder_follows_the_most_specific_setting(monkeypatch, given, environment, expected):
    for name in ("SKETCHY_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert cache_folder(Path(given) if given else None) == Path(expected)


def test_an_output_never_replaces_an_input(old, tmp_path):
    (tmp_path / "link").symlink_to(old)
    for path in (old, tmp_path / "link"):
        with pytest.raises(StorageError, match=r"would replace the photo .*file.txt; choose another name for it"):
            refuse_replacing(path, [tmp_path / "nowhere", old], "photo")
    refuse_replacing(tmp_path / "new", [old], "photo")
    assert old.read_text() == "old"
