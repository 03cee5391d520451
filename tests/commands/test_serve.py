"""The server as a process and on a real socket."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from sketchy.commands import index as index_command
from sketchy.commands import serve
from sketchy.errors import MissingExtraError, ServeError
from sketchy.image import SUFFIXES
from sketchy.retrieval.scan import Scan
from sketchy.web import server
from sketchy.web.app import create_app

TYPED = (sys.executable, "-m", "sketchy", "serve", "--port", "0")


@pytest.fixture
def process(trained, photos, tmp_path):
    """`sketchy serve` on a folder, with its address."""
    words = [*TYPED, "--checkpoint", trained / "tiny", "--gallery", photos]
    environment = {**os.environ, "PYTHONWARNINGS": "error", "SKETCHY_CACHE": str(tmp_path / "cache")}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as started:
        try:
            told = started.stdout.readline()
            assert told.startswith("ready at http://127.0.0.1:"), started.stderr.read()
            yield started, ("127.0.0.1", int(told.rsplit(":", 1)[1]))
        finally:
            started.kill()


@pytest.fixture
def address(index):
    """A server in this process, with patience for a moment only."""
    opened = server.open_socket("127.0.0.1", 0)
    ready = threading.Event()
    running = server.Server(create_app(index), opened, ready.set)
    running.config.timeout_keep_alive = 1
    thread = threading.Thread(target=running.run)
    thread.start()
    assert ready.wait(10)
    yield opened.getsockname()
    running.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


def get(address, path):
    connection = http.client.HTTPConnection(*address, timeout=10)
    connection.request("GET", path)
    with connection.getresponse() as answer:
        answer.read()
    connection.close()
    return answer.status


def test_a_folder_is_indexed_and_ctrl_c_ends_cleanly_with_requests_in_flight(process, photos):
    started, address = process
    assert get(address, "/") == 200
    assert get(address, "/api/info") == 200
    while not started.stderr.readline().endswith(f"searching {photos}: 40 photos\n"):
        assert started.poll() is None
    with socket.create_connection(address) as half, socket.create_connection(address):
        half.sendall(b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
        time.sleep(0.2)
        begun = time.monotonic()
        started.send_signal(signal.SIGINT)
        told = started.communicate(timeout=15)[1]
        assert time.monotonic() - begun < 10
        assert b"the server is stopping" in half.recv(10_000)
    assert started.returncode == 130
    assert told.splitlines()[-1] == "stopped"
    assert "Traceback" not in told


HEADS = [
    b"",
    b"GET",
    b"GET / HTTP/1.1\r\nHost: local",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /" + 100_000 * b"a",
]


def test_connections_that_hang_or_make_no_sense_are_closed_and_cost_others_nothing(address, monkeypatch):
    monkeypatch.setattr(server.HeaderTimeoutProtocol, "head_seconds", 0.5)
    opened = []
    for head in HEADS * 5:
        opened.append(socket.create_connection(address))
        opened[-1].sendall(head)
    begun = time.monotonic()
    assert get(address, "/healthz") == 200
    assert time.monotonic() - begun < 2
    for connection in opened:
        connection.settimeout(10)
        with connection:
            try:
                while connection.recv(65536):
                    pass
            except ConnectionResetError:
                pass


def test_a_connection_may_be_used_again(address, monkeypatch):
    monkeypatch.setattr(server.HeaderTimeoutProtocol, "head_seconds", 0.3)
    connection = http.client.HTTPConnection(*address, timeout=10)
    for _ in range(3):
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b'{"status":"ok"}'
        time.sleep(0.2)
    connection.close()


def test_a_port_that_is_taken_is_told_before_anything_is_loaded(tmp_path):
    with server.open_socket("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServeError, match=rf"cannot listen on 127.0.0.1 port {port}: .*; name another with --port"):
            serve.run(tmp_path / "no.pth", print, port=port)


def test_a_host_of_another_machine_is_told(tmp_path):
    with pytest.raises(ServeError, match=r"cannot listen on 192.0.2.1 port 0: .*--host"):
        serve.run(tmp_path / "no.pth", print, host="192.0.2.1", port=0)
    with pytest.raises(ServeError, match=r"cannot listen on no host: .*--host"):
        serve.run(tmp_path / "no.pth", print, host="no host", port=0)


def test_what_is_not_installed_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(MissingExtraError, match="the page needs uvicorn, which is not installed"):
        serve.run(tmp_path / "no.pth", print)


@pytest.mark.parametrize(
    ("host", "loopback", "shown"),
    [
        ("127.0.0.1", True, "127.0.0.1"),
        ("localhost", True, None),
        ("::1", True, "[::1]"),
        ("0.0.0.0", False, "localhost"),
    ],
)
def test_only_loopback_keeps_others_out(host, loopback, shown):
    try:
        opened = server.open_socket(host, 0)
    except ServeError:
        pytest.skip(f"this machine has no {host}")
    with opened:
        assert server.is_loopback(opened) is loopback
        if shown:
            assert server.address_of(opened) == f"http://{shown}:{opened.getsockname()[1]}"


def test_the_link_for_other_machines_has_an_address_that_they_can_reach(monkeypatch):
    with server.open_socket("0.0.0.0", 0) as opened:
        monkeypatch.setattr(server, "_outward", lambda family: "10.0.0.7")
        port = opened.getsockname()[1]
        assert server.address_of(opened, elsewhere=True) == f"http://10.0.0.7:{port}"
        monkeypatch.setattr(server, "_outward", lambda family: None)
        assert server.address_of(opened, elsewhere=True) == f"http://localhost:{port}"


def test_other_machines_get_a_link_with_a_token_that_the_page_needs(trained, photos, monkeypatch):
    monkeypatch.setattr(server.Server, "run", lambda self: self._ready())
    monkeypatch.setattr(server, "_outward", lambda family: "10.0.0.7")
    links = []
    best = trained / "tiny" / "best.pth"
    serve.run(best, lambda *both: links.append(both), gallery=str(photos), host="0.0.0.0", port=0)
    ((here, elsewhere),) = links
    assert here.startswith("http://localhost:")
    assert here.partition("/?token=")[2] == elsewhere.partition("/?token=")[2] != ""


def test_what_a_folder_holds_besides_is_told_at_the_start(trained, photos, tmp_path, monkeypatch, logged):
    shutil.copytree(photos / "disc", tmp_path / "photos")
    (tmp_path / "photos" / "IMG_1.PSD").write_bytes(b"x")
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"x")
    until_indexed(monkeypatch, logged)
    best = trained / "tiny" / "best.pth"
    serve.run(best, print, gallery=str(tmp_path / "photos"), port=0)
    assert logged.messages == [
        f"following {tmp_path / 'photos'}: 0 photos; Ctrl-C stops",
        f"searching {tmp_path / 'photos'}: 10 photos; 1 cannot be read; left out: 1 .psd",
    ]


def test_raw_files_are_told_with_the_extra_that_reads_them(trained, photos, tmp_path, monkeypatch, logged):
    shutil.copytree(photos / "disc", tmp_path / "photos")
    (tmp_path / "photos" / "a.nef").write_bytes(b"x")
    monkeypatch.setattr("sketchy.retrieval.scan.photo_suffixes", lambda: SUFFIXES)  # as without the extra
    until_indexed(monkeypatch, logged)
    serve.run(trained / "tiny" / "best.pth", print, gallery=str(tmp_path / "photos"), port=0)
    assert logged.messages[-1].endswith(
        "10 photos; left out: 1 .nef; `pip install 'sketchy-search[raw]'` reads the previews of raw files"
    )


def test_a_folder_without_photos_opens_the_page_with_a_message(trained, tmp_path, monkeypatch, logged):
    (tmp_path / "photos").mkdir()
    until_indexed(monkeypatch, logged)
    serve.run(trained / "tiny" / "best.pth", print, gallery=str(tmp_path / "photos"), port=0)
    assert "no images below" in logged.messages[-1]


def test_an_index_made_with_excluded_photos_is_followed_without_them(trained, photos, tmp_path, monkeypatch, logged):
    shutil.copytree(photos / "disc", tmp_path / "photos" / "disc")
    shutil.copytree(photos / "bar", tmp_path / "photos" / "bar")
    best = trained / "tiny" / "best.pth"
    scan = Scan(("disc",))
    assert index_command.run([tmp_path / "photos"], str(tmp_path / "own.index"), best, scan=scan).photos == 10
    until_indexed(monkeypatch, logged)
    serve.run(best, print, gallery=str(tmp_path / "photos"), port=0)
    assert logged.messages[-1] == f"searching {tmp_path / 'photos'}: 10 photos; left out: 10 excluded"


def until_indexed(monkeypatch, logged):
    """Let the server end as soon as a first update has been reported."""

    def run(self):
        while len(logged.messages) < 2 or "Ctrl-C stops" in logged.messages[-1]:
            time.sleep(0.02)

    monkeypatch.setattr(server.Server, "run", run)


def test_a_port_is_taken_as_soon_as_it_is_opened():
    with (
        server.open_socket("127.0.0.1", 0) as opened,
        pytest.raises(ServeError, match="address already in use"),
        server.open_socket("127.0.0.1", opened.getsockname()[1]),
    ):
        pass


@pytest.mark.parametrize("host", ["a..b", "a" * 300, "no such host"])
def test_what_cannot_be_a_host_is_refused(host):
    with pytest.raises(ServeError, match=f"^cannot listen on {host}: .*; name another with --host$"):
        server.open_socket(host, 0)
