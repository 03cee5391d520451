import io
import shutil
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sketchy.commands import data_fetch
from sketchy.errors import DataError, MissingExtraError, StorageError
from sketchy.results import MadeFolder

DATASET = {
    **{f"256x256/photo/tx_000000000000/{name}/n{i}.jpg": b"photo" * 99 for name in ("cat", "dog") for i in range(3)},
    **{f"256x256/photo/tx_000100000000/{name}/n{i}.jpg": b"other" * 99 for name in ("cat", "dog") for i in range(3)},
    **{f"256x256/sketch/tx_000000000000/cat/n{i}-{j}.png": b"sketch" * 99 for i in range(3) for j in (1, 2)},
    "README.txt": b"read me",
}
VECTORS = {"sketches/airplane/n1-1.svg": b"<svg/>", "sketches/checked.txt": b"n1-1"}


def archive(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return stream.getvalue()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "data" / "sketchy"


def made(out: Path) -> MadeFolder:
    return MadeFolder(str(out), photos=6, sketches=6, categories=2)


class Handler(BaseHTTPRequestHandler):
    """Answers with the server's `body`, and breaks off after `breaks_after` bytes for as long as there are any."""

    def do_GET(self) -> None:
        server: Any = self.server
        start = int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        server.starts.append(start)
        self.send_response(206 if start else 200)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Range", f"bytes {start}-{len(server.body) - 1}/{len(server.body)}")
        self.send_header("Content-Length", str(len(server.body) - start))
        self.end_headers()
        self.wfile.write(server.body[start:][: server.breaks_after.pop(0) if server.breaks_after else None])

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def server() -> Iterator[Any]:
    running: Any
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.starts, running.breaks_after, running.body = [], [], archive(DATASET)
        running.url = f"http://127.0.0.1:{running.server_address[1]}/files/rendered.zip?key=1#top"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


Drive = Callable[[dict[str, bytes | Exception]], list[str]]


class FileURLRetrievalError(Exception):
    """As in gdown."""


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> Drive:
    """Put a gdown in place that has the given files by id; the list of ids asked for comes back."""

    def install(files: dict[str, bytes | Exception]) -> list[str]:
        asked: list[str] = []

        def download(id: str, output: str, **options: Any) -> str:
            asked.append(id)
            found = files.get(id, FileURLRetrievalError("Cannot retrieve the public link"))
            if isinstance(found, Exception):
                raise found
            Path(output).write_bytes(found)
            return output

        fake: Any = ModuleType("gdown")
        fake.__spec__ = ModuleSpec("gdown", None)
        fake.exceptions = ModuleType("gdown.exceptions")
        fake.exceptions.FileURLRetrievalError = FileURLRetrievalError
        fake.download = download
        monkeypatch.setitem(sys.modules, "gdown", fake)
        return asked

    return install


def left_beside(out: Path) -> list[str]:
    return sorted(path.name for path in out.parent.iterdir())


def test_an_archive_of_ones_own_is_unpacked_and_kept(tmp_path: Path, out: Path) -> None:
    source = tmp_path / "mine.bin"
    source.write_bytes(archive(DATASET))
    assert data_fetch.run(out, str(source)) == made(out)
    assert (out / "256x256/photo/tx_000000000000/cat/n0.jpg").read_bytes() == b"photo" * 99
    assert source.read_bytes() == archive(DATASET)
    assert left_beside(out) == ["sketchy"]


def test_an_address_that_breaks_off_half_way_still_gives_the_dataset(
    server: Any, out: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    half = len(server.body) // 2
    server.breaks_after = [half, 100]
    assert data_fetch.run(out, server.url) == made(out)
    assert server.starts == [0, half, half + 100]
    assert "trying again" in caplog.messages[0]
    assert left_beside(out) == ["sketchy"]


def test_the_next_run_goes_on_where_the_first_gave_up(server: Any, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    server.breaks_after = [1000] + [0] * 4
    with pytest.raises(DataError, match=r"are in .*\.sketchy\.download.*; run the same command again to continue"):
        data_fetch.run(out, server.url)
    assert left_beside(out) == [".sketchy.download"]
    assert data_fetch.run(out, server.url) == made(out)
    assert server.starts[-1] == 1000
    assert left_beside(out) == ["sketchy"]


def test_a_finished_download_is_not_repeated_when_unpacking_failed(
    server: Any, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", full)
        with pytest.raises(StorageError, match="No space left on device; free some space"):
            data_fetch.run(out, server.url)
    assert data_fetch.run(out, server.url) == made(out)
    assert server.starts == [0]


def test_the_authors_links_are_tried_in_order_and_said_to_be_untested(
    drive: Drive, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    asked = drive({data_fetch.DRIVE_IDS[0]: archive(DATASET)})
    assert data_fetch.run(out) == made(out)
    assert asked == [data_fetch.DRIVE_IDS[0]]
    assert f"have not been tested and may have changed, see {data_fetch.PAGE}" in caplog.messages[0]
    assert left_beside(out) == ["sketchy"]


@pytest.mark.parametrize("first", [FileURLRetrievalError("gone"), archive(VECTORS), b"<html>", b"PK\x03\x04 half"])
def test_a_link_that_gives_no_dataset_leads_to_the_next(drive: Drive, out: Path, first: bytes | Exception) -> None:
    asked = drive({data_fetch.DRIVE_IDS[0]: first, data_fetch.DRIVE_IDS[1]: archive(DATASET)})
    assert data_fetch.run(out) == made(out)
    assert asked == list(data_fetch.DRIVE_IDS)
    assert left_beside(out) == ["sketchy"]


def test_a_broken_connection_does_not_lead_to_the_next_link(drive: Drive, out: Path) -> None:
    asked = drive({data_fetch.DRIVE_IDS[0]: OSError("Connection reset")})
    with pytest.raises(DataError, match="Connection reset; run the same command again"):
        data_fetch.run(out)
    assert asked == [data_fetch.DRIVE_IDS[0]]


def test_when_all_links_fail_each_reason_and_the_way_by_hand_are_said(drive: Drive, out: Path) -> None:
    drive({data_fetch.DRIVE_IDS[1]: archive(VECTORS)})
    with pytest.raises(DataError) as caught:
        data_fetch.run(out)
    message = str(caught.value)
    assert "Cannot retrieve the public link" in message
    assert "is not a dataset of photos and sketches" in message
    assert f"{data_fetch.PAGE} with a browser and run sketchy data fetch --from FILE" in message
    assert "\n" not in message
    assert not out.exists()


def test_without_gdown_no_link_is_tried(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gdown", None)
    with pytest.raises(MissingExtraError, match="downloading from Google Drive needs gdown, which is not installed"):
        data_fetch.run(out)
    assert not out.parent.exists()


def test_a_drive_link_of_ones_own_goes_through_gdown(drive: Drive, out: Path) -> None:
    asked = drive({"abc_DEF-123": archive(DATASET)})
    assert data_fetch.run(out, "https://drive.google.com/file/d/abc_DEF-123/view?usp=sharing") == made(out)
    assert asked == ["abc_DEF-123"]


@pytest.mark.parametrize(
    "files",
    [
        VECTORS,
        {name: content for name, content in DATASET.items() if "sketch" not in name},
        {name: content for name, content in DATASET.items() if "photo" not in name},
    ],
    ids=["vectors", "no sketches", "no photos"],
)
def test_an_archive_without_photos_or_sketches_is_removed_again_and_the_download_kept(
    server: Any, out: Path, files: dict[str, bytes]
) -> None:
    server.body = archive(files)
    with pytest.raises(DataError, match=r"rendered\.zip is not a dataset .*; the archive was not deleted"):
        data_fetch.run(out, server.url)
    (kept,) = (out.parent / ".sketchy.download").iterdir()
    assert kept.read_bytes() == server.body
    assert not out.exists()


def test_a_part_of_the_database_is_said_to_be_one(tmp_path: Path, out: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    (tmp_path / "part.zip").write_bytes(archive(DATASET))
    data_fetch.run(out, str(tmp_path / "part.zip"))
    assert caplog.messages == [
        "this is not the full database, which has 125 categories, 12,500 photos and 75,471 sketches "
        "(75,481 in some copies)"
    ]


@pytest.mark.parametrize(
    ("photos", "sketches", "categories", "full"),
    [(12_500, 75_471, 125, True), (12_500, 75_481, 125, True), (12_500, 75_470, 125, False), (6, 6, 2, False)],
)
def test_the_full_database_is_known_by_its_numbers(photos: int, sketches: int, categories: int, full: bool) -> None:
    assert data_fetch.is_full_database(MadeFolder("data", photos, sketches, categories)) == full


@pytest.mark.parametrize("source", [None, "http://127.0.0.1:9/x.zip", "mine.zip"])
def test_a_dataset_that_is_there_is_kept_before_anything_is_fetched(out: Path, source: str | None) -> None:
    (out / "photo").mkdir(parents=True)
    with pytest.raises(DataError, match="sketchy exists and is not empty; name another folder, or delete that one"):
        data_fetch.run(out, source)
    assert left_beside(out) == ["sketchy"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("none.7z", "no file none.7z; name an archive, or its address with https:// before it"),
        (".", ". is a folder already; name it as data.root in the config"),
        ("http://[::1/d", "not an http, https or file address"),
        ("ftp://example.org/a.7z", "not an http, https or file address"),
    ],
)
def test_a_source_that_is_none_is_named(
    tmp_path: Path, out: Path, source: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        data_fetch.run(out, source)
    assert words in str(caught.value)
    assert not out.exists()


def test_the_result_names_the_folder_as_it_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.zip").write_bytes(archive(DATASET))
    assert data_fetch.run(Path("data/sketchy"), "mine.zip").path == str(Path("data/sketchy"))
