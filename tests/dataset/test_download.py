import errno
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sketchy.dataset import download as module
from sketchy.dataset.download import NotThereError, download
from sketchy.errors import DataError, StorageError
from sketchy.progress import Advance

OLD = bytes(range(256)) * 1000
NEW = OLD[::-1] + b"longer"


@dataclass
class Site:
    """What the server does, and what it was asked."""

    content: bytes = OLD
    etag: str | None = '"v1"'
    last_modified: str | None = None
    content_type: str = "application/x-7z-compressed"
    knows_ranges: bool = True
    heeds_if_range: bool = True
    tells_length: bool = True
    breaks_after: list[int] = field(default_factory=list)
    """Bytes of the body that the next answers send before they break off."""
    statuses: list[int] = field(default_factory=list)
    """Instead of the next answers."""
    silent: threading.Event | None = None
    asked: list[tuple[str | None, str | None]] = field(default_factory=list)
    """Range and If-Range of each request."""
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        site: Site = self.server.site  # type: ignore[attr-defined]
        asked, condition = self.headers["Range"], self.headers["If-Range"]
        site.asked.append((asked, condition))
        if site.silent:
            site.silent.wait(10)
            return
        if site.statuses:
            self.send_error(site.statuses.pop(0))
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and site.knows_ranges else 0
        if site.heeds_if_range and condition not in (None, site.etag, site.last_modified):
            start = 0
        self._answer(site, start)

    def _answer(self, site: Site, start: int) -> None:
        total = len(site.content)
        if start >= total > 0:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{total}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        for name, value in (("ETag", site.etag), ("Last-Modified", site.last_modified)):
            if value:
                self.send_header(name, value)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        if site.tells_length:
            self.send_header("Content-Length", str(total - start))
        self.send_header("Content-Type", site.content_type)
        self.end_headers()
        body = site.content[start:]
        self.wfile.write(body[: site.breaks_after.pop(0)] if site.breaks_after else body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.site = site  # type: ignore[attr-defined]
        site.url = f"http://127.0.0.1:{server.server_address[1]}/rendered.7z"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield site
        server.shutdown()
        thread.join()


class Bars:
    """Remembers the total and the steps of each progress bar."""

    def __init__(self) -> None:
        self.bars: list[tuple[int, list[int]]] = []

    @contextmanager
    def __call__(self, label: str, total: int, unit: str) -> Iterator[Advance]:
        assert unit == "B"
        steps: list[int] = []
        self.bars.append((total, steps))
        yield steps.append


@pytest.fixture(autouse=True)
def _hear_all(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "rendered.7z"


def break_off(site: Site, target: Path, at: int = 100_000) -> None:
    """Leave what a first run gets before the connection breaks for good."""
    site.breaks_after = [at]
    with pytest.raises(DataError, match="the connection broke"):
        download(site.url, target, waits=())


def test_a_whole_file_arrives_with_a_bar_in_bytes_and_leaves_nothing_else(
    site: Site, target: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bars = Bars()
    assert download(site.url, target, progress=bars) == target
    assert target.read_bytes() == OLD
    assert [path.name for path in target.parent.iterdir()] == ["rendered.7z"]
    assert [(total, sum(steps)) for total, steps in bars.bars] == [(len(OLD), len(OLD))]
    assert caplog.messages == []


def test_a_broken_connection_is_gone_on_with_where_it_broke(
    site: Site, target: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bars = Bars()
    site.breaks_after = [100_000, 50_000]
    download(site.url, target, progress=bars, waits=(0,))
    assert target.read_bytes() == OLD
    assert site.asked == [(None, None), ("bytes=100000-", '"v1"'), ("bytes=150000-", '"v1"')]
    assert caplog.messages[0] == "the connection broke after 0.1 MB of 0.3 MB; trying again in 0 s"
    assert [steps[0] for _, steps in bars.bars] == [0, 100_000, 150_000]


def test_waits_grow_and_start_anew_after_progress(site: Site, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    site.breaks_after = [1000, 0, 0, 5000, 0]
    download(site.url, target, waits=(1, 4, 15))
    assert waited == [1, 4, 15, 1, 4]
    assert target.read_bytes() == OLD


def test_giving_up_says_how_much_is_there_and_the_next_call_goes_on(site: Site, target: Path) -> None:
    site.breaks_after = [100_000, 0, 0]
    with pytest.raises(DataError) as caught:
        download(site.url, target, waits=(0, 0))
    assert f"0.1 MB of 0.3 MB are in {target}.part; run the same command again to continue" in str(caught.value)
    assert not target.exists()
    download(site.url, target, waits=())
    assert target.read_bytes() == OLD
    assert site.asked[-1] == ("bytes=100000-", '"v1"')


def test_a_server_that_ignores_ranges_sends_it_all_again(site: Site, target: Path) -> None:
    site.knows_ranges = False
    break_off(site, target)
    download(site.url, target, waits=())
    assert target.read_bytes() == OLD


def test_a_file_that_changed_between_two_tries_is_fetched_anew(site: Site, target: Path) -> None:
    break_off(site, target)
    site.content, site.etag = NEW, '"v2"'
    download(site.url, target, waits=())
    assert target.read_bytes() == NEW


@pytest.mark.parametrize("etag", ['"v2"', None], ids=["other version", "other length only"])
def test_a_rest_of_another_version_is_not_taken_from_a_server_without_if_range(
    site: Site, target: Path, etag: str | None
) -> None:
    break_off(site, target)
    site.content, site.etag, site.heeds_if_range = NEW, etag, False
    download(site.url, target, waits=(0,))
    assert target.read_bytes() == NEW


def test_without_a_version_nothing_is_resumed(site: Site, target: Path) -> None:
    site.etag = None
    site.breaks_after = [100_000]
    with pytest.raises(DataError, match="run the same command again to start over"):
        download(site.url, target, waits=())
    download(site.url, target, waits=())
    assert target.read_bytes() == OLD
    assert site.asked[-1] == (None, None)


def test_a_weak_etag_gives_way_to_the_date(site: Site, target: Path) -> None:
    site.etag, site.last_modified = 'W/"v1"', "Mon, 04 Jul 2016 00:00:00 GMT"
    break_off(site, target)
    download(site.url, target, waits=())
    assert site.asked[-1] == ("bytes=100000-", "Mon, 04 Jul 2016 00:00:00 GMT")
    assert target.read_bytes() == OLD


def test_a_run_killed_before_the_last_rename_needs_no_more_bytes(site: Site, target: Path) -> None:
    break_off(site, target)
    target.with_name("rendered.7z.part").write_bytes(OLD)
    bars = Bars()
    download(site.url, target, progress=bars, waits=())
    assert target.read_bytes() == OLD
    assert bars.bars == []
    assert len(list(target.parent.iterdir())) == 1


def test_a_part_longer_than_the_file_is_dropped(site: Site, target: Path) -> None:
    break_off(site, target)
    target.with_name("rendered.7z.part").write_bytes(OLD + b"more")
    download(site.url, target, waits=(0,))
    assert target.read_bytes() == OLD


@pytest.mark.parametrize("note", [None, "", "[1, 2]", '{"url": "http://elsewhere/", "validator": "x", "total": 1}'])
def test_a_part_of_unknown_origin_is_not_trusted(site: Site, target: Path, note: str | None) -> None:
    target.parent.mkdir()
    target.with_name("rendered.7z.part").write_bytes(b"\0" * 1000)
    if note is not None:
        target.with_name("rendered.7z.part.json").write_text(note)
    download(site.url, target)
    assert target.read_bytes() == OLD
    assert site.asked == [(None, None)]


def test_the_note_says_which_version_the_part_is_of(site: Site, target: Path) -> None:
    break_off(site, target)
    note = json.loads(target.with_name("rendered.7z.part.json").read_text())
    assert note == {"url": site.url, "validator": '"v1"', "total": len(OLD)}


def test_a_finished_file_is_not_fetched_again(site: Site, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"finished")
    assert download(site.url, target) == target
    assert target.read_bytes() == b"finished"
    assert site.asked == []


def test_a_file_of_unknown_length_ends_with_the_connection(site: Site, target: Path) -> None:
    site.tells_length = False
    bars = Bars()
    download(site.url, target, progress=bars)
    assert target.read_bytes() == OLD
    assert bars.bars[0][0] == 0


def test_an_empty_file_is_a_file(site: Site, target: Path) -> None:
    site.content = b""
    assert download(site.url, target).read_bytes() == b""


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_a_server_in_trouble_is_asked_again(
    site: Site, target: Path, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    site.statuses = [status]
    download(site.url, target, waits=(0,))
    assert target.read_bytes() == OLD
    assert f"the server answers {status}" in caplog.messages[0]


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_is_final(site: Site, target: Path, status: int) -> None:
    site.statuses = [status]
    with pytest.raises(NotThereError, match=f"rendered.7z: the server answers {status} .*; check the address"):
        download(site.url, target)
    assert len(site.asked) == 1


def test_a_web_page_is_no_archive(site: Site, target: Path) -> None:
    site.content, site.content_type = b"<html>Virus scan warning</html>", "text/html; charset=utf-8"
    with pytest.raises(NotThereError, match="is a web page, not an archive; give the address of the file itself"):
        download(site.url, target)
    assert list(target.parent.parent.iterdir()) == []


def test_a_silent_server_counts_as_broken(site: Site, target: Path) -> None:
    site.silent = threading.Event()
    with pytest.raises(DataError, match="timed out"):
        download(site.url, target, waits=(), timeout=0.1)
    site.silent.set()


def test_nobody_listening_is_tried_again_before_giving_up(target: Path, caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(DataError, match=r"no connection .*; run the same command again"):
            download(f"http://127.0.0.1:{taken.getsockname()[1]}/x.7z", target, waits=(0, 0))
    assert len(caplog.messages) == 2


def test_an_unknown_host_is_named(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: Any, **kwargs: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(DataError, match=r"unknown host sketchy\.example of http://sketchy\.example/x"):
        download("http://sketchy.example/x", target)


@pytest.mark.parametrize("url", ["ftp://a.b/c.7z", "c.7z", "http:///c.7z", "http://a.b:c/d", "http://[::1/d"])
def test_what_is_no_address_is_refused_at_once(target: Path, url: str) -> None:
    with pytest.raises(DataError, match="not an http, https or file address"):
        download(url, target)


def test_spaces_and_letters_of_any_language_may_stand_in_an_address(site: Site, target: Path) -> None:
    assert download(f"{site.url}/käse und brot.7z", target).read_bytes() == OLD


def test_a_file_address_is_copied(tmp_path: Path, target: Path) -> None:
    (tmp_path / "a b.7z").write_bytes(OLD)
    assert download((tmp_path / "a b.7z").as_uri(), target).read_bytes() == OLD
    with pytest.raises(NotThereError, match="No such file"):
        download((tmp_path / "none.7z").as_uri(), target.with_name("other"))


class FullDisk:
    """A file that takes nothing."""

    def __enter__(self) -> "FullDisk":
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def write(self, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_not_a_broken_connection(site: Site, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opening = Path.open

    def open_full(path: Path, mode: str = "r", **kwargs: Any) -> Any:
        return FullDisk() if mode == "ab" else opening(path, mode, **kwargs)

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(StorageError, match=r"rendered.7z.part: No space left on device; free some space there"):
        download(site.url, target)
    assert len(site.asked) == 1


def test_a_place_that_cannot_be_written_is_named(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"cannot write .*file"):
        download(site.url, tmp_path / "file" / "rendered.7z")


def test_waits_are_a_few_and_grow() -> None:
    assert list(module.WAITS_SECONDS) == sorted(set(module.WAITS_SECONDS))
    assert 3 <= len(module.WAITS_SECONDS) <= 6
