"""`sketchy index` and its kin on a server: that of Milvus Lite, which speaks as a real one does."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

import sketchy
from sketchy.cli import app
from sketchy.errors import GalleryError
from sketchy.retrieval.store.milvus import open_milvus, parse_address

pytest.importorskip("milvus_lite", reason="needs pip install milvus-lite 'sketchy-search[milvus]'")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a server on this machine only."""
    port, folder = free_port(), tmp_path_factory.mktemp("milvus")
    words = ["server", "--data-dir", str(folder / "data"), "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", "milvus_lite", *words], stdout=log, stderr=log)
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"milvus://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def photos(dataset, tmp_path):
    shutil.copytree(dataset / "256x256" / "photo" / "tx_000000000000", tmp_path / "photos")
    return tmp_path / "photos"


def type_in(*words):
    shown = CliRunner().invoke(app, [str(word) for word in words])
    assert shown.exit_code == 0, shown.stderr
    return shown.stdout


def test_the_same_commands_run_on_a_server(server, photos, trained, dataset):
    out = f"{server}/alone"
    first = json.loads(type_in("index", photos, "--out", out, "--runs", trained, "--json"))
    assert (first["photos"], first["embedded"]) == (40, 40)
    (photos / "disc" / "p1.jpg").rename(photos / "moved.jpg")
    again = json.loads(type_in("index", photos, "--out", out, "--runs", trained, "--json"))
    assert (again["photos"], again["embedded"], again["reused"], again["removed"]) == (40, 0, 1, 1)
    sketch = dataset / "256x256" / "sketch" / "tx_000000000000" / "disc" / "p1-1.png"
    words = ["retrieve", sketch, "--runs", trained, "--json", "--k", 5, "--gallery"]
    there, here = (json.loads(type_in(*words, gallery))["results"] for gallery in (out, photos))
    assert [hit["path"] for hit in there] == [hit["path"] for hit in here]
    assert json.loads(type_in("info", out, "--json"))["photos"] == 40


def launch(out: str, photos: Path, checkpoint: Path, size: int = 2) -> str:
    """Index with several processes, as torchrun starts them, and return what the first one printed."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(sketchy.__file__).parents[1]),
        "WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "OMP_NUM_THREADS": "1",
    }
    words = [sys.executable, "-m", "sketchy", "index", photos, "--out", out, "--checkpoint", checkpoint, "--json"]
    workers = [
        subprocess.Popen(
            list(map(str, words)),
            env={**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]
    try:
        told = [worker.communicate(timeout=100) for worker in workers]
        assert [worker.returncode for worker in workers] == [0] * size, told
    finally:
        for worker in workers:
            worker.kill()
    assert [out for out, _ in told][1:] == [""] * (size - 1)
    return told[0][0]


def test_two_processes_share_the_photos_and_leave_none_out(server, photos, trained):
    out, checkpoint = f"{server}/shared", trained / "tiny" / "best.pth"
    type_in("index", photos / "disc", photos / "cross", "--out", out, "--checkpoint", checkpoint)  # as if killed then
    shutil.rmtree(photos / "cross")
    told = json.loads(launch(out, photos, checkpoint))
    assert (told["photos"], told["embedded"], told["removed"], told["unchanged"]) == (30, 20, 10, 10)
    store = open_milvus(parse_address(out), None)
    assert {item.path for batch in store.scan() for item in batch} == {str(path) for path in photos.rglob("*.jpg")}
    store.close()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["info", "milvus://nowhere"], "no address of a collection; write milvus://host:19530/my_photos"),
        (["info", "{server}/missing"], "no collection milvus://127.0.0.1:"),
    ],
)
def test_what_is_wrong_with_an_address_is_told(server, words, message):
    shown = CliRunner().invoke(app, [word.format(server=server) for word in words])
    assert shown.exit_code == 1
    assert message in shown.stderr


def test_a_collection_of_another_model_is_refused(server, photos, trained):
    type_in("index", photos, "--out", f"{server}/other", "--runs", trained)
    from sketchy.retrieval.store.base import Identity

    with pytest.raises(GalleryError, match="was made with another model"):
        open_milvus(parse_address(f"{server}/other"), Identity("f" * 64, 16, "x.pth"))
