"""Index folders in unusual states: other formats, permissions, stale files, folders in place of files."""

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import zlib
from contextlib import closing
from datetime import date
from pathlib import Path

import numpy as np
import pytest

import sketchy
from sketchy.errors import DamagedError, FormatError, GalleryError, StorageError
from sketchy.retrieval.dates import first_second
from sketchy.retrieval.store.base import Identity, Photo, Where
from sketchy.retrieval.store.embedded import Tuning
from sketchy.retrieval.store.folder import is_index, open_to_read, open_to_write

SIZE = 8
IDENTITY = Identity("a" * 64, SIZE, "runs/a/best.pth")


def photos(start: int, stop: int) -> list[Photo]:
    return [Photo(f"/{n:05}.jpg", n, 1, f"{n:064x}", None) for n in range(start, stop)]


def vectors(start: int, stop: int) -> np.ndarray:
    return np.stack([np.random.default_rng(n).standard_normal(SIZE, np.float32) for n in range(start, stop)])


def make(folder: Path) -> Path:
    """Make an index of 100 photos."""
    with closing(open_to_write(folder, IDENTITY)) as store:
        store.upsert(photos(0, 100), vectors(0, 100))
    return folder


def count(folder: Path) -> int:
    with closing(open_to_read(folder, IDENTITY)) as store:
        assert store.search(vectors(42, 43)[0], 1)[0].path == "/00042.jpg"
        return store.count()


def add(folder: Path, start: int, stop: int) -> None:
    with closing(open_to_write(folder, IDENTITY)) as store:
        store.upsert(photos(start, stop), vectors(start, stop))


@pytest.fixture
def folder(tmp_path) -> Path:
    return make(tmp_path / "index")


def test_a_file_is_no_place_for_an_index(tmp_path):
    (tmp_path / "a.txt").write_text("mine")
    with pytest.raises(
        StorageError, match=r"a\.txt: it is a file, and an index is a folder; choose a place with --out"
    ):
        open_to_write(tmp_path / "a.txt", IDENTITY, force=True)


@pytest.fixture
def public(open_folder) -> Path:
    """An index that every user may read and only its owner may write."""
    folder = make(open_folder / "index")
    folder.chmod(0o755)
    for file in folder.iterdir():
        file.chmod(0o644)
    return folder


def describe(folder: Path, change) -> None:
    """Change the metadata of an index, with a valid checksum."""
    with closing(sqlite3.connect(folder / "index.sqlite")) as db, db:
        content = json.loads(db.execute("SELECT content FROM meta").fetchone()[0])
        change(content)
        text = json.dumps(content)
        db.execute("UPDATE meta SET content = ?, crc = ?", (text, zlib.crc32(text.encode())))


# Formats.


@pytest.mark.parametrize("number", [0, 9, "x"])
def test_an_index_of_another_format_raises_an_error_with_both_remedies(folder, number):
    describe(folder, lambda content: content.update(format=number))
    for open_it in (open_to_read, open_to_write):
        with pytest.raises(
            FormatError,
            match=rf"index {folder} has format {number}, .* reads up to 2; upgrade .*--out {folder} --force",
        ):
            open_it(folder, IDENTITY)
    with closing(open_to_write(folder, IDENTITY, force=True)) as store:
        assert store.count() == 0


def test_an_index_of_format_1_is_searched_by_the_times_of_the_files_and_gets_dates_when_it_is_written(folder):
    describe(folder, lambda content: content.update(format=1))
    with closing(sqlite3.connect(folder / "index.sqlite")) as db:
        db.execute("ALTER TABLE files DROP COLUMN taken")
    since_2023, query = Where(since=date(2023, 1, 1)), np.ones(IDENTITY.size, np.float32)
    with closing(open_to_read(folder, IDENTITY)) as reader:
        assert (reader.problems(), reader.meta().format) == ([], 1)
        assert reader.search(query, 5, since_2023) == []
        with closing(open_to_write(folder, IDENTITY)) as store:
            (photo,) = photos(7, 8)
            store.upsert(
                [photo._replace(taken=first_second(date(2023, 1, 1)))], np.ones((1, IDENTITY.size), np.float32)
            )
        assert (reader.problems(), reader.meta().format) == ([], 2)
        assert [hit.path for hit in reader.search(query, 5, since_2023)] == [photo.path]


def test_fields_of_a_later_version_are_ignored(folder):
    describe(folder, lambda content: content.update(further=[1, 2], more="x"))
    assert count(folder) == 100
    add(folder, 100, 110)
    assert count(folder) == 110


@pytest.mark.parametrize("name", ["format", "model", "rows", "generation", "ann_crc"])
def test_a_field_that_is_missing_is_damage(folder, name):
    describe(folder, lambda content: content.pop(name))
    for open_it in (open_to_read, open_to_write):
        with pytest.raises(DamagedError, match=rf"is damaged: its description has no {name}; run `sketchy index"):
            open_it(folder, IDENTITY)


def test_a_database_of_another_program_is_damage(folder):
    (folder / "index.sqlite").unlink()
    with closing(sqlite3.connect(folder / "index.sqlite")) as db:
        db.execute("CREATE TABLE bookmarks (url)")
    with pytest.raises(DamagedError, match="no such table"):
        open_to_read(folder, IDENTITY)


# Permissions.


def test_an_index_of_another_user_is_searched_and_not_changed(public, as_nobody):
    before = sorted(file.name for file in public.iterdir())
    with as_nobody():
        assert count(public) == 100
        with pytest.raises(StorageError, match=rf"no permission to write in {public}; choose a place .*permissions"):
            open_to_write(public, IDENTITY)
    assert sorted(file.name for file in public.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "mode", "opens"),
    [
        ("index.sqlite", 0o600, False),
        ("vectors-1.f32", 0o600, False),
        ("lock.sqlite", 0o600, True),
        ("ann-1.faiss", 0o600, True),
    ],
)
def test_a_file_that_may_not_be_read_is_named_where_it_is_needed(public, as_nobody, name, mode, opens):
    (public / name).touch()
    (public / name).chmod(mode)
    with as_nobody():
        if opens:
            assert count(public) == 100
            return
        with pytest.raises(StorageError, match=rf"cannot read {public / name}: Permission denied; change its perm"):
            count(public)


@pytest.mark.parametrize("name", ["index.sqlite", "vectors-1.f32", "lock.sqlite"])
@pytest.mark.parametrize("mode", [0o444, 0o400])
def test_a_file_that_may_not_be_written_is_named_where_it_is_needed(public, as_nobody, name, mode):
    public.chmod(0o777)
    for file in public.iterdir():
        file.chmod(mode if file.name == name else 0o666)
    with (
        as_nobody(),
        pytest.raises(StorageError, match=rf"cannot (read|write) {public / name}: Permission denied; .*permissions"),
    ):
        add(public, 100, 110)
    assert count(public) == 100


def test_a_folder_that_may_not_be_entered_is_named_alone(public, as_nobody):
    public.chmod(0)
    with as_nobody():
        for ask in (is_index, open_to_read):
            with pytest.raises(StorageError, match=rf"cannot read {public}: Permission denied; change its permissions"):
                ask(public)


def test_a_read_only_user_sees_what_the_owner_adds(public, as_nobody):
    with as_nobody():
        reader = open_to_read(public, IDENTITY)
        assert reader.count() == 100
    for total in (110, 120):
        add(public, total - 10, total)
        with as_nobody():
            assert reader.count() == total
            assert reader.search(vectors(total - 1, total)[0], 1)[0].path == f"/{total - 1:05}.jpg"
    reader.close()


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_folder import IDENTITY, open_to_write, photos, vectors
store = open_to_write(Path(sys.argv[1]), IDENTITY)
store.upsert(photos(100, 150), vectors(100, 150))
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def writer(request):
    """Starts a process that has added 50 photos and keeps the index open."""

    def start(folder: Path) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), str(Path(__file__).parent)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(sketchy.__file__).parents[1])},
        )
        request.addfinalizer(process.communicate)
        request.addfinalizer(process.kill)
        assert process.stdout.readline() == b"ready\n"
        return process

    return start


def test_a_read_only_user_sees_the_commits_of_an_active_writer(public, as_nobody, writer):
    with as_nobody():
        early = open_to_read(public, IDENTITY)
    writer(public)
    with as_nobody():
        assert count(public) == 150
        assert early.count() == 150
        early.close()


def test_the_commits_of_a_killed_writer_are_never_ignored(public, as_nobody, writer):
    process = writer(public)
    process.kill()
    process.communicate()
    with as_nobody():
        assert count(public) == 150
    copy = shutil.copytree(public, public.with_name("copy"))  # as it may come to a disk that can only be read
    (copy / "index.sqlite-shm").unlink()
    with as_nobody(), pytest.raises(StorageError, match=rf"who may write there must first .*sketchy info {copy}"):
        count(copy)
    assert count(copy) == 150  # by its owner
    with as_nobody():
        assert count(copy) == 150


# Strange things.


def test_a_folder_named_like_the_lock_raises_an_error(folder):
    (folder / "lock.sqlite").unlink()
    (folder / "lock.sqlite").mkdir()
    with pytest.raises(StorageError, match=rf"cannot write {folder}/lock.sqlite: is a folder; .*move it away"):
        open_to_write(folder, IDENTITY)
    assert count(folder) == 100


def test_a_folder_named_like_the_database_raises_an_error(folder):
    (folder / "index.sqlite").unlink()
    (folder / "index.sqlite").mkdir()
    for open_it, action in ((open_to_read, "read"), (open_to_write, "write")):
        with pytest.raises(StorageError, match=rf"cannot {action} {folder}/index.sqlite: (it )?is a folder"):
            open_it(folder, IDENTITY)


def test_an_index_may_be_a_link(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    add(tmp_path / "link", 100, 110)
    assert count(tmp_path / "link") == count(folder) == 110


@pytest.mark.parametrize("target", ["nowhere", "link", "file"])
def test_a_broken_link_is_refused(tmp_path, target):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(GalleryError, match="no index at"):
        open_to_read(tmp_path / "link")
    with pytest.raises(StorageError, match=rf"cannot write {tmp_path}/link.*; (choose a place|correct the sym)"):
        open_to_write(tmp_path / "link", IDENTITY)
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.parametrize("name", ["index.sqlite", "vectors-1.f32"])
def test_an_emptied_file_is_damage(folder, name):
    os.truncate(folder / name, 0)
    for open_it in (open_to_read, open_to_write):
        with pytest.raises(DamagedError, match=rf"{folder} is damaged: .*--force"):
            open_it(folder, IDENTITY)


@pytest.mark.parametrize("content", [b"", b"no log of a database" * 1000])
def test_an_invalid_log_is_ignored(folder, content):
    (folder / "index.sqlite-wal").write_bytes(content)
    assert count(folder) == 100
    add(folder, 100, 110)
    assert count(folder) == 110


def test_a_copy_can_be_used_by_whoever_made_it(public, as_nobody):
    home = public.parent / "home"
    home.mkdir()
    home.chmod(0o777)
    with as_nobody():
        copy = shutil.copytree(public, home / "copy")
        add(copy, 100, 110)
        assert count(copy) == 110


# Full disks.


def test_a_disk_too_full_for_the_database_keeps_the_last_commit(folder):
    with closing(open_to_write(folder, IDENTITY)) as store:
        pages = store._metadata._db.execute("PRAGMA page_count").fetchone()[0]
        store._metadata._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StorageError, match=rf"cannot write {folder}/index.sqlite: No space left .*; free some"):
            store.upsert(photos(100, 1000), vectors(100, 1000))
        assert store.count() == 100
        assert store.problems() == []
    assert (folder / "vectors-1.f32").stat().st_size == 100 * SIZE * 4


def test_a_full_disk_during_compaction_loses_nothing(folder, monkeypatch):
    def full(state, start):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with closing(open_to_write(folder, IDENTITY, tuning=Tuning(waste_rows=10))) as store:
        monkeypatch.setattr("sketchy.retrieval.store.state.State.chunk", full)
        store.delete([photo.path for photo in photos(0, 40)])
        monkeypatch.undo()
        assert store.problems() == []
    assert count(folder) == 60
    assert [file.name for file in folder.glob("*.f32")] == ["vectors-1.f32"]


def test_reading_from_a_disconnected_drive_raises_an_error(folder, monkeypatch):
    def gone(path, size, rows):
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    monkeypatch.setattr("sketchy.retrieval.store.state.map_rows", gone)
    with pytest.raises(StorageError, match=r"cannot read .*vectors-1.f32: Input/output error; see that the drive"):
        open_to_read(folder, IDENTITY)
