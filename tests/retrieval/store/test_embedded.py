"""The index folder: commits, readers, compaction, damage."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import sketchy
from sketchy.errors import DamagedError, GalleryError, StorageError
from sketchy.retrieval.store import embedded
from sketchy.retrieval.store.base import Identity, Photo
from sketchy.retrieval.store.embedded import Tuning
from sketchy.retrieval.store.folder import open_to_read, open_to_write

SIZE = 8
IDENTITY = Identity("a" * 64, SIZE, "runs/a/best.pth")


def photos(start: int, stop: int) -> list[Photo]:
    return [Photo(f"/{n:05}.jpg", n, 1, f"{n:064x}", None) for n in range(start, stop)]


def vectors(start: int, stop: int) -> np.ndarray:
    """Distinct rows: a search for row n must find photo n."""
    return np.stack([np.random.default_rng(n).standard_normal(SIZE) for n in range(start, stop)]).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    """An index of 100 photos."""
    store = open_to_write(tmp_path / "index", IDENTITY)
    store.upsert(photos(0, 100), vectors(0, 100))
    store.close()
    return tmp_path / "index"


def assert_healthy(folder) -> None:
    store = open_to_read(folder)
    assert store.problems() == []
    store.close()


def found(store, number: int) -> str:
    return store.search(vectors(number, number + 1)[0], 1)[0].path


def test_at_rest_an_index_is_three_files(folder):
    assert {file.name for file in folder.iterdir()} == {"index.sqlite", "vectors-1.f32", "lock.sqlite"}
    assert (folder / "vectors-1.f32").stat().st_size == 100 * SIZE * 4


def test_the_vectors_are_plain_float32(folder):
    np.testing.assert_array_equal(np.fromfile(folder / "vectors-1.f32", "<f4").reshape(100, SIZE), vectors(0, 100))


def test_a_second_writer_gets_an_error(folder):
    first = open_to_write(folder, IDENTITY)
    with pytest.raises(GalleryError, match=r"another process is writing the index .*; wait until it is done"):
        open_to_write(folder, IDENTITY)
    first.close()
    open_to_write(folder, IDENTITY).close()


def test_readers_see_whole_commits_while_it_is_written(folder):
    """Every commit adds 10 photos; a reader never counts anything else, and finds what it counts."""
    reader, seen, problems = open_to_read(folder), set(), []

    def read():
        while not done.is_set():
            count = reader.count()
            seen.add(count)
            if len(reader.search(vectors(5, 6)[0], 10_000)) % 10 or count % 10:
                problems.append(count)

    done = threading.Event()
    thread = threading.Thread(target=read)
    thread.start()
    writer = open_to_write(folder, IDENTITY)
    for start in range(100, 400, 10):
        writer.upsert(photos(start, start + 10), vectors(start, start + 10))
    done.set()
    thread.join()
    assert not problems
    assert len(seen) > 1
    assert found(reader, 399) == "/00399.jpg"
    reader.close()
    writer.close()


def test_compaction_keeps_the_live_rows_and_readers_follow(folder):
    reader, writer = open_to_read(folder), open_to_write(folder, IDENTITY, tuning=Tuning(waste_rows=10))
    assert found(reader, 60) == "/00060.jpg"
    writer.delete([photo.path for photo in photos(0, 50)])
    assert [file.name for file in folder.glob("*.f32")] == ["vectors-2.f32"]
    assert (folder / "vectors-2.f32").stat().st_size == 50 * SIZE * 4
    for store in (reader, writer):
        assert store.count() == 50
        assert all(found(store, number) == f"/{number:05}.jpg" for number in range(50, 100))
        assert found(store, 0) != "/00000.jpg"
    writer.upsert(photos(100, 120), vectors(100, 120))
    assert found(reader, 110) == "/00110.jpg"
    reader.close()
    writer.close()
    assert_healthy(folder)


def test_a_reader_follows_a_compaction_that_removes_the_file_it_is_opening(folder, monkeypatch):
    writer = open_to_write(folder, IDENTITY, tuning=Tuning(waste_rows=10))
    fstat = os.fstat

    def compact_first(descriptor):
        monkeypatch.setattr(os, "fstat", fstat)
        writer.delete([photo.path for photo in photos(0, 50)])
        assert not (folder / "vectors-1.f32").exists()
        return fstat(descriptor)

    monkeypatch.setattr(os, "fstat", compact_first)
    reader = open_to_read(folder)
    assert found(reader, 60) == "/00060.jpg"
    reader.close()
    writer.close()


def test_a_few_deletions_do_not_start_a_compaction(folder):
    writer = open_to_write(folder, IDENTITY)
    writer.delete(["/00003.jpg"])
    writer.close()
    assert (folder / "vectors-1.f32").stat().st_size == 100 * SIZE * 4
    assert_healthy(folder)


def test_uncommitted_vectors_of_a_killed_writer_are_truncated(folder):
    with (folder / "vectors-1.f32").open("ab") as file:
        file.write(b"half a row of a change that was never committed"[:37])
    (folder / "vectors-2.f32").write_bytes(b"a compaction that did not end")
    reader = open_to_read(folder)
    assert found(reader, 42) == "/00042.jpg"
    writer = open_to_write(folder, IDENTITY)
    assert (folder / "vectors-1.f32").stat().st_size == 100 * SIZE * 4
    assert not (folder / "vectors-2.f32").exists()
    writer.upsert(photos(100, 101), vectors(100, 101))
    assert found(reader, 100) == "/00100.jpg"
    reader.close()
    writer.close()


WRITER = """
import sys
import numpy as np
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_embedded import IDENTITY, open_to_write, photos, vectors
store = open_to_write(Path(sys.argv[1]), IDENTITY)
for start in range(100, 100_000, 7):
    store.upsert(photos(start, start + 7), vectors(start, start + 7))
    store.delete([f"/{start:05}.jpg"])
    print(start, flush=True)
"""


def test_a_killed_writer_loses_nothing_that_was_committed(folder):
    words = [sys.executable, "-c", WRITER, str(folder), str(Path(__file__).parent)]
    environment = {**os.environ, "PYTHONPATH": str(Path(sketchy.__file__).parents[1])}
    last = 100
    for _ in range(2):
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(20):
            last = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        store = open_to_write(folder, IDENTITY)
        assert store.problems() == []
        assert all(found(store, n) == f"/{n:05}.jpg" for n in range(last + 1, last + 7))
        assert store.get([f"/{last:05}.jpg"]) == {}
        store.close()


def test_an_index_of_another_model_is_an_error_with_the_remedy(folder):
    other = Identity("b" * 64, SIZE, "runs/b/best.pth")
    for open_it in (open_to_read, open_to_write):
        with pytest.raises(
            GalleryError, match=r"another model, runs/a/best.pth; name that one .*--force` to rebuild it"
        ):
            open_it(folder, other)
    store = open_to_write(folder, other, force=True)
    assert (store.identity, store.count()) == (other, 0)
    store.close()


def test_a_folder_with_other_files_never_becomes_an_index(tmp_path):
    (tmp_path / "letters.txt").write_text("dear")
    for force in (False, True):
        with pytest.raises(GalleryError, match="holds other files and is not an index"):
            open_to_write(tmp_path, IDENTITY, force=force)
    assert (tmp_path / "letters.txt").read_text() == "dear"


def test_a_killed_creation_is_started_again(tmp_path):
    (tmp_path / "vectors-1.f32").touch()
    (tmp_path / ".index.sqlite").write_bytes(b"half")
    store = open_to_write(tmp_path, IDENTITY)
    assert store.count() == 0
    store.close()


def test_an_index_cannot_lie_in_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="is a file; choose a place"):
        open_to_write(tmp_path / "file" / "index", IDENTITY)


def test_the_log_of_a_deleted_database_is_not_applied_to_a_new_one(folder, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(sketchy.__file__).parents[1])},
    )
    process.stdout.readline()
    process.kill()
    process.communicate()
    assert (folder / "index.sqlite-wal").stat().st_size
    (folder / "index.sqlite").unlink()
    (folder / "vectors-1.f32").unlink()
    store = open_to_write(folder, IDENTITY)
    assert (store.count(), store.problems()) == (0, [])
    store.close()


def test_using_a_closed_store_is_not_reported_as_damage(folder):
    store = open_to_read(folder)
    store.close()
    with pytest.raises(sqlite3.ProgrammingError):
        store.count()


def test_there_must_be_an_index_to_read(tmp_path):
    with pytest.raises(GalleryError, match=r"no index at .*; make one with `sketchy index PHOTOS --out"):
        open_to_read(tmp_path / "nowhere")


def flip(path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 16
    path.write_bytes(content)


DAMAGE = {
    "vectors flipped": lambda folder: flip(folder / "vectors-1.f32", 1234),
    "vectors cut": lambda folder: os.truncate(folder / "vectors-1.f32", 1000),
    "vectors gone": lambda folder: (folder / "vectors-1.f32").unlink(),
    "database cut": lambda folder: os.truncate(folder / "index.sqlite", 5000),
    "database empty": lambda folder: os.truncate(folder / "index.sqlite", 0),
    "database gone": lambda folder: (folder / "index.sqlite").unlink(),
    "no database": lambda folder: (folder / "index.sqlite").write_bytes(b"x" * 9000),
    "a path flipped": lambda folder: flip(
        folder / "index.sqlite", (folder / "index.sqlite").read_bytes().index(b"/00050.jpg") + 3
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_raises_an_error_with_the_command_that_rebuilds(folder, damage):
    DAMAGE[damage](folder)
    error = pytest.raises(DamagedError, match=r"index is damaged: .*; run `sketchy index PHOTOS --out .* --force`")
    with error, closing(open_to_read(folder)) as store:
        for number in range(100):
            found(store, number)
    store = open_to_write(folder, IDENTITY, force=True)
    store.upsert(photos(0, 10), vectors(0, 10))
    assert found(store, 7) == "/00007.jpg"
    store.close()


@pytest.mark.parametrize("damage", ["vectors flipped", "a path flipped"])
def test_problems_finds_damage_that_a_search_does_not_read(folder, damage):
    DAMAGE[damage](folder)
    store = open_to_read(folder)
    assert store.problems() != []
    store.close()


def test_a_broken_lock_file_is_replaced(folder):
    (folder / "lock.sqlite").write_bytes(b"no lock" * 100)
    open_to_write(folder, IDENTITY).close()


def test_a_full_disk_leaves_the_last_commit(folder, monkeypatch):
    def full(path, size, rows, rest):
        with path.open("r+b") as file:
            file.seek(rows * size * 4)
            file.write(b"half")
        raise OSError(28, "No space left on device")

    store = open_to_write(folder, IDENTITY)
    monkeypatch.setattr(embedded, "append", full)
    with pytest.raises(StorageError, match=r"No space left on device; free some space"):
        store.upsert(photos(100, 110), vectors(100, 110))
    monkeypatch.undo()
    assert store.count() == 100
    assert (folder / "vectors-1.f32").stat().st_size == 100 * SIZE * 4
    store.upsert(photos(100, 110), vectors(100, 110))
    assert found(store, 105) == "/00105.jpg"
    store.close()


def test_changes_need_the_lock(folder):
    store = open_to_read(folder)
    with pytest.raises(ValueError, match="opened read-only"):
        store.delete(["/00001.jpg"])
    store.close()


def test_photos_at_equal_distance_come_in_the_order_they_were_added(tmp_path):
    store = open_to_write(tmp_path / "index", IDENTITY)
    store.upsert(photos(0, 9000), np.full((9000, SIZE), 1 / 3, np.float32))
    hits = store.search(np.zeros(SIZE, np.float32), 4)
    assert [hit.path for hit in hits] == [f"/{n:05}.jpg" for n in range(4)]
    store.close()


def test_two_unicode_spellings_count_as_one_category(folder):
    """Indexes of earlier versions have categories in the Unicode form of the file system."""
    names = ("caf\u00e9", "cafe\u0301", "cafe")
    spelled = [photo._replace(category=name) for photo, name in zip(photos(0, 3), names, strict=True)]
    store = open_to_write(folder, IDENTITY)
    store.upsert(spelled, vectors(0, 3))
    assert store.categories() == 2
    store.close()


@pytest.mark.parametrize("alone", [10, 1000])
def test_hits_are_the_same_by_a_matrix_product(folder, monkeypatch, alone):
    monkeypatch.setattr("sketchy.retrieval.nearest.ALONE_ROWS", alone)
    rows = vectors(0, 100)
    with closing(open_to_read(folder)) as store:
        nearest = np.argsort(np.linalg.norm(rows - rows[7], axis=1))[:5]
        assert [hit.path for hit in store.search(rows[7], 5)] == [f"/{row:05}.jpg" for row in nearest]


WAITING = """
import time
import numpy as np
from sketchy.retrieval.nearest import rough_distances
rows = np.ones((4000, 288), np.float32)
time.sleep(0.2)  # threads also wait when they are new
before = time.process_time() - time.thread_time()
for _ in range(20):
    rough_distances(rows[0], rows, rows[:, 0])
    time.sleep(0.02)
print(time.process_time() - time.thread_time() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads of BLAS differ")
def test_a_search_leaves_no_thread_that_waits_on_a_core():
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", WAITING], env=environment, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 0.1
