"""Both engines give the same embeddings, and search loads no PyTorch."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

import sketchy
from sketchy.demo import draw_pair
from sketchy.image import open_image
from sketchy.inference import onnx_engine
from sketchy.inference.bundled import BUNDLED
from sketchy.inference.engine import thread_count
from sketchy.inference.exported import read_exported
from sketchy.inference.onnx_engine import OnnxEngine
from sketchy.inference.torch_engine import TorchEngine, read_checkpoint
from sketchy.retrieval.model import Model, load_model

REAL = Path(__file__).resolve().parents[3] / "shared" / "sketchy-sample"
CATEGORIES = ("butterfly", "cup", "hat", "house")


@pytest.fixture(scope="module")
def by_torch() -> TorchEngine:
    return TorchEngine(read_checkpoint(BUNDLED).encoder(), torch.device("cpu"))


@pytest.fixture(scope="module")
def by_onnx() -> Model:
    return load_model(BUNDLED, "cpu")


def pairs(real: bool):
    """Photos and sketches as Pillow images."""
    if not real:
        drawn = [draw_pair(category) for category in CATEGORIES]
        return [photo for photo, _ in drawn], [sketches[0] for _, sketches in drawn]
    if not REAL.exists():
        pytest.skip("no ../shared/sketchy-sample")
    files = (sorted(REAL.rglob(pattern)) for pattern in ("*.jpg", "*.png"))
    return [[open_image(path) for path in found[:: len(found) // 12]] for found in files]


@pytest.mark.parametrize("real", [False, True], ids=["drawn", "real"])
def test_both_engines_give_the_same_embeddings_and_ranking(by_torch, by_onnx, real):
    assert by_onnx.engine.name == "ONNX Runtime"
    found = {}
    for kind, images in zip(("photo", "sketch"), pairs(real), strict=True):
        pixels = np.stack([getattr(by_onnx.preprocess, kind)(image) for image in images])
        found[kind] = [engine.embed(pixels, kind) for engine in (by_onnx.engine, by_torch)]
        np.testing.assert_allclose(*found[kind], atol=1e-4, rtol=0)
    rankings = [np.argsort(-sketch @ photo.T, axis=1) for photo, sketch in zip(*found.values(), strict=True)]
    np.testing.assert_array_equal(*rankings)


def test_an_index_of_one_engine_is_searched_by_the_other(by_torch, by_onnx, tmp_path):
    for category in CATEGORIES[:3]:
        draw_pair(category)[0].save(tmp_path / f"{category}.png")
    other = Model(by_onnx._description, by_torch, BUNDLED)
    with other.index(tmp_path, tmp_path / "made.index") as made:
        expected = made.search(draw_pair("cup")[1][0])
    with by_onnx.index(tmp_path / "made.index") as opened:
        hits = opened.search(draw_pair("cup")[1][0])
    assert [hit.path for hit in hits] == [hit.path for hit in expected]
    assert Path(hits[0].path).stem == "cup"


def test_half_of_the_cores_compute_the_same(by_onnx):
    pixels = by_onnx.preprocess.sketch(draw_pair("cup")[1][0])[np.newaxis]
    before = by_onnx.engine.embed(pixels, "sketch")
    by_onnx.engine.share_cores()
    assert by_onnx.engine.workers == max(1, thread_count() // 2)
    np.testing.assert_allclose(by_onnx.engine.embed(pixels, "sketch"), before, atol=1e-6)


@pytest.mark.parametrize(("words", "count"), [("3", 3), ("", None), ("0", None), ("many", None)])
def test_the_number_of_threads_is_that_of_the_environment_or_of_the_cores(monkeypatch, words, count):
    monkeypatch.setenv("OMP_NUM_THREADS", words)
    assert thread_count() == count if count else 1 <= thread_count() <= os.cpu_count()


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
    ],
)
def test_the_limit_of_a_container_is_the_number_of_threads(monkeypatch, tmp_path, files, count):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr("sketchy.inference.engine.CGROUP", tmp_path)
    (tmp_path / "cpu").mkdir()
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    assert thread_count() == count


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_an_engine_computes_in_the_thread_that_calls_it(by_onnx):
    pixels = by_onnx.preprocess.sketch(draw_pair("cup")[1][0])[np.newaxis]
    before = len(list(Path("/proc/self/task").iterdir()))
    OnnxEngine(read_exported(BUNDLED)).embed(pixels, "sketch")
    assert len(list(Path("/proc/self/task").iterdir())) <= before


def test_forward_passes_of_all_engines_share_the_cores_but_a_single_image_need_not_wait(monkeypatch, by_onnx):
    free = []

    class Session:
        def run(self, names, inputs):
            free.append(slots.acquire(blocking=False))
            return [np.zeros((len(inputs["images"]), 384))]

    monkeypatch.setattr(onnx_engine, "FORWARD_PASSES", slots := threading.Semaphore(1))
    monkeypatch.setattr(OnnxEngine, "_session", lambda self, kind: Session())
    pixels = np.zeros((2, 1, 8, 8), np.uint8)
    by_onnx.engine.embed(pixels, "sketch")
    by_onnx.engine.embed(pixels[:1], "sketch")
    assert free == [False, True]


WITHOUT_TORCH = """
import json, sys
for name in ("torch", "torchvision", "onnxscript"):
    if json.loads(sys.argv[1]):
        sys.modules[name] = None
from pathlib import Path
from PIL import Image
photos, work = Path(sys.argv[2]), Path(sys.argv[3])
loaded = []
def check(step):
    loaded.extend((step, name) for name in ("torch", "torchvision") if sys.modules.get(name))
import sketchy
model = sketchy.load(device="cpu"); check("load")
with model.index(photos, work / "python.index") as index:
    check("index")
    assert index.search(photos / "cup.png", k=1, kind="photo"); check("search")
from sketchy.cli import app
for words in (
    ["index", str(photos), "--out", str(work / "i.index"), "--device", "cpu"],
    ["retrieve", str(work / "sketch.png"), "--gallery", str(work / "i.index"), "--device", "cpu"],
    ["embed", str(photos), "--kind", "photo", "--out", str(work / "e.npz"), "--device", "cpu"],
    ["info", str(work / "i.index")],
    ["info", sys.argv[4]],
):
    app(words, standalone_mode=False); check(words[0])
import sketchy.web.app, sketchy.web.server, sketchy.commands.serve; check("serve")
print("loaded", json.dumps(loaded))
"""


def run(code: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(sketchy.__file__).parents[1]), "SKETCHY_CACHE": str(cwd / "c")}
    words = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=cwd, env=environment)


@pytest.mark.parametrize("blocked", [False, True], ids=["installed", "not installed"])
def test_search_loads_no_torch(tmp_path, blocked):
    photos = tmp_path / "photos"
    photos.mkdir()
    for category in ("cup", "hat"):
        draw_pair(category)[0].save(photos / f"{category}.png")
    draw_pair("cup")[1][0].save(tmp_path / "sketch.png")
    done = run(WITHOUT_TORCH, json.dumps(blocked), photos, tmp_path, BUNDLED, cwd=tmp_path)
    assert done.stdout.splitlines()[-1:] == ["loaded []"], done.stderr


BLOCKED = """
import sys
for name in ("torch", "torchvision", "onnxscript"):
    sys.modules[name] = None
from sketchy.cli import main
main()
"""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["train", "--config", "recommended"],
            "training needs torch, torchvision and onnxscript, which are not",
        ),
        (["evaluate"], "evaluating needs torch"),
        (["export", "--out", "m.zip"], "exporting a model needs torch"),
        (["info", "a.pth"], "reading a.pth needs torch"),
        (["embed", "a.png", "--kind", "photo", "--out", "e.npz", "-c", "a.pth"], "a.pth, which has no exported model"),
        (["embed", "a.png", "--kind", "photo", "--out", "e.npz", "--device", "cuda"], "the device cuda needs torch"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_command_that_needs_torch_says_so_in_one_line(tmp_path, words, message):
    (tmp_path / "a.pth").write_bytes(b"")
    done = run(BLOCKED, *words, cwd=tmp_path)
    *_, last = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert last.startswith(f"error: {message}")
    assert "run `pip install torch torchvision onnxscript` and the same command again" in last
    assert "Traceback" not in done.stderr
