"""Fixtures that several test files share."""

import functools
import itertools
import json
import logging
import os
import pkgutil
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
import yaml
from PIL import Image, ImageDraw
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sketchy import commands
from sketchy.commands import train
from sketchy.config_file import load_config, parse_config
from sketchy.dataset.loader import Dataset
from sketchy.dataset.pack import Pack, Subset
from sketchy.evaluation.negatives import scribbles
from sketchy.inference.export import export_model
from sketchy.inference.torch_engine import TorchEngine, describe
from sketchy.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from sketchy.model.encoder import build_encoder
from sketchy.retrieval.index import Index
from sketchy.retrieval.model import Model, load_model
from sketchy.retrieval.store.base import Identity, WritableStore
from sketchy.retrieval.store.folder import open_to_write
from sketchy.trainer.history import History

torch.set_num_threads(1)  # for networks this small threads only get in the way, most of all beside other work

CATEGORIES = ("disc", "square", "bar", "cross")
PHOTOS = 10
SKETCHES = 2
SIDE = 48


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Escape what UTF-8 cannot hold in captured output: pytest-xdist sends it, though the test has passed."""
    report = yield
    report.sections = [
        (title, content.encode("utf-8", "backslashreplace").decode()) for title, content in report.sections
    ]
    return report


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Refuse every connection that leaves this machine."""
    connect = socket.socket.connect

    def refuse(self, address):
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test connects to {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch, tmp_path, tmp_path_factory):
    """Work in an empty folder, with a cache that only the tests use."""
    monkeypatch.setenv("SKETCHY_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def open_folder():
    """A folder that every user may enter and list, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        if any(not parent.stat().st_mode & 0o001 for parent in Path(name).resolve().parents):
            pytest.skip("the folder of temporary files is closed to other users")
        yield Path(name)


@pytest.fixture
def as_nobody():
    """A context in which this process may do what a user without any rights may; needs root."""
    if not hasattr(os, "setresuid") or os.getuid() != 0:
        pytest.skip("only root can become another user")

    @contextmanager
    def become():
        os.setresuid(65534, 65534, 0)  # not only the effective one: os.access asks for the real one
        try:
            yield
        finally:
            os.setresuid(0, 0, 0)

    return become


def draw_shape(draw: ImageDraw.ImageDraw, category: str, box: tuple[int, int, int, int], **style: object) -> None:
    """Draw one of CATEGORIES into a box."""
    left, top, right, bottom = box
    third = (right - left) // 3
    if category == "disc":
        draw.ellipse(box, **style)
    elif category == "square":
        draw.rectangle(box, **style)
    elif category == "bar":
        draw.rectangle((left, top + third, right, bottom - third), **style)
    else:
        draw.rectangle((left + third, top, right - third, bottom), **style)
        draw.rectangle((left, top + third, right, bottom - third), **style)


def matrix_profile(primaries: tuple[tuple[float, ...], ...], gamma: float) -> bytes:
    """An ICC profile of red, green and blue as XYZ under D50, and one gamma; of grey where there are no primaries."""

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    white = fixed(0.9642, 1, 0.8249)
    curve = b"curv" + bytes(4) + struct.pack(">IHH", 1, round(gamma * 256), 0)
    tags = [(b"desc", b"desc" + bytes(4) + struct.pack(">I", 1) + bytes(84)), (b"wtpt", b"XYZ " + bytes(4) + white)]
    for name, color in zip(b"rgb", primaries, strict=False):
        tags += [(b"%cXYZ" % name, b"XYZ " + bytes(4) + fixed(*color)), (b"%cTRC" % name, curve)]
    return profile_of(b"RGB " if primaries else b"GRAY", b"XYZ ", tags if primaries else [*tags, (b"kTRC", curve)])


def profile_of(space: bytes, connection: bytes, tags: list[tuple[bytes, bytes]]) -> bytes:
    """An ICC profile from its tags."""
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags:
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(
        ">I4xI4s4s4s12x4s28x", 132 + 12 * len(tags) + len(body), 0x2400000, b"mntr", space, connection, b"acsp"
    )
    white = struct.pack(">iii", 63190, 65536, 54061)
    return head + white + bytes(128 - len(head) - 12) + table + body


SRGB_PRIMARIES = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
"""Red, green and blue of sRGB as XYZ under D50."""


@pytest.fixture(scope="session")
def profiles() -> dict[str, bytes]:
    """ICC profiles: `swapped` takes red for green, green for blue, blue for red; `linear` and `grey` have gamma 1."""
    red, green, blue = SRGB_PRIMARIES
    return {
        "like sRGB": matrix_profile(SRGB_PRIMARIES, 2.2),
        "swapped": matrix_profile((green, blue, red), 2.2),
        "linear": matrix_profile(SRGB_PRIMARIES, 1.0),
        "grey": matrix_profile((), 1.0),
        "CMYK": cmyk_profile(),
    }


def cmyk_profile() -> bytes:
    """A profile of inks that takes cyan for magenta and the other way round."""
    lab = {  # by cyan, magenta and yellow of the colour that shows
        (0, 0, 0): (100, 0, 0), (1, 0, 0): (90.7, -50.7, -15), (0, 1, 0): (60.2, 93.6, -60.5),
        (0, 0, 1): (97.6, -15.8, 93.4), (1, 1, 0): (29.6, 68.3, -112), (1, 0, 1): (87.8, -79.3, 81),
        (0, 1, 1): (54.3, 80.8, 69.9), (1, 1, 1): (0, 0, 0),
    }  # fmt: skip
    nodes = b""
    for cyan, magenta, yellow, black in itertools.product((0, 1), repeat=4):
        light, a, b = (0, 0, 0) if black else lab[magenta, cyan, yellow]
        nodes += bytes([round(light * 2.55), round(a + 128), round(b + 128)])
    identity = struct.pack(">9i", *(65536 * (place % 4 == 0) for place in range(9)))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + bytes(range(256)) * 4 + nodes + bytes(range(256)) * 3
    return profile_of(b"CMYK", b"Lab ", [(b"A2B0", table)])


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> Path:
    """A dataset in the official layout: 4 categories x 10 photos x 2 sketches of 48 px, easy to learn."""
    root = tmp_path_factory.mktemp("dataset")
    generator = np.random.default_rng(0)
    for category in CATEGORIES:
        photos = root / "256x256" / "photo" / "tx_000000000000" / category
        sketches = root / "256x256" / "sketch" / "tx_000000000000" / category
        photos.mkdir(parents=True)
        sketches.mkdir(parents=True)
        for number in range(PHOTOS):
            left, top = generator.integers(2, 14, 2).tolist()
            size = int(generator.integers(24, 30))
            box = (left, top, left + size, top + size)
            ground, paint = (tuple(generator.integers(low, low + 100, 3).tolist()) for low in (150, 0))
            photo = Image.new("RGB", (SIDE, SIDE), ground)
            draw_shape(ImageDraw.Draw(photo), category, box, fill=paint)
            photo.save(photos / f"p{number}.jpg")
            for drawing in range(1, SKETCHES + 1):
                sketch = Image.new("L", (SIDE, SIDE), 255)
                shift = generator.integers(-1, 2)
                moved = tuple(int(side + shift) for side in box)
                draw_shape(ImageDraw.Draw(sketch), category, moved, outline=0)
                sketch.save(sketches / f"p{number}-{drawing}.png")
    return root


TINY = {
    "image": {"size": 16},
    "model": {"embedding_size": 16, "normalize": True},
    "loss": {"name": "infonce"},
    "sampler": {"name": "pk", "categories": 4, "per_category": 3},
    "train": {"epochs": 8, "learning_rate": 0.001, "device": "cpu"},
}


@pytest.fixture(scope="session")
def tiny_config(dataset, tmp_path_factory) -> Path:
    """A config file that learns the dataset in seconds."""
    tree = {**TINY, "data": {"root": str(dataset), "cache": str(tmp_path_factory.getbasetemp() / "cache")}}
    path = tmp_path_factory.mktemp("config") / "tiny.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


draw_curves = History.draw


@pytest.fixture(scope="session", autouse=True)
def fast_training() -> Iterator[None]:
    """Training without the export and curves.png at its end, and with scribbles drawn once: longer than its epochs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sketchy.evaluation.calibrate.scribbles", functools.cache(scribbles))
        patch.setattr("sketchy.trainer.record.export_model", lambda checkpoint, out, digest: 0.0)
        patch.setattr(History, "draw", lambda self, path: path.touch())
        yield


@pytest.fixture
def drawn_curves(monkeypatch) -> None:
    """`History.draw` as it is, which `fast_training` replaces."""
    monkeypatch.setattr(History, "draw", draw_curves)


@pytest.fixture(scope="session")
def trained(tiny_config, tmp_path_factory) -> Path:
    """A folder of runs with one trained run, `tiny`, and its exported model."""
    runs = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sketchy.trainer.record.export_model", export_model)
        patch.setattr(History, "draw", draw_curves)
        train.run(load_config(tiny_config), runs / "tiny")
    return runs


@pytest.fixture(scope="session")
def _trained_once(tiny_config, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("once") / "run"
    train.run(load_config(tiny_config, ["train.epochs=1"]), run)
    return run


@pytest.fixture
def trained_once(_trained_once, tmp_path) -> Path:
    """The folder `run` of a run of one epoch, which the test may change."""
    return shutil.copytree(_trained_once, tmp_path / "run")


@pytest.fixture(scope="session")
def zero_shot_dataset(dataset, tmp_path_factory) -> Path:
    """The dataset with two of its categories under names that zero-shot-21 holds out: saw and tree."""
    root = tmp_path_factory.mktemp("zero-shot") / "dataset"
    shutil.copytree(dataset, root)
    for kind in ("photo", "sketch"):
        folder = root / "256x256" / kind / "tx_000000000000"
        (folder / "disc").rename(folder / "tree")
        (folder / "square").rename(folder / "saw")
    return root


@pytest.fixture(scope="session")
def zero_shot_config(zero_shot_dataset, tiny_config, tmp_path_factory) -> Path:
    """A config file that holds out two of the four categories."""
    tree = yaml.safe_load(tiny_config.read_text())
    tree["data"] |= {"root": str(zero_shot_dataset), "zero_shot": "zero-shot-21"}
    tree["sampler"]["categories"] = 2
    tree["train"]["epochs"] = 2
    path = tmp_path_factory.mktemp("config") / "zero-shot.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


@pytest.fixture(scope="session")
def zero_shot_checkpoint(zero_shot_config, tmp_path_factory) -> Path:
    """A checkpoint that has not seen saws and trees."""
    run = tmp_path_factory.mktemp("runs") / "zero-shot"
    train.run(load_config(zero_shot_config), run)
    return run / "best.pth"


@pytest.fixture(scope="session")
def photos(dataset) -> Path:
    """The folder of the dataset's photos: 40 of them, 10 of each category."""
    return dataset / "256x256" / "photo" / "tx_000000000000"


@pytest.fixture(scope="session")
def model(trained) -> Model:
    """The model of the trained run."""
    return load_model(trained / "tiny" / "best.pth", "cpu")


NAMES = {"disc": "cookie", "square": "window", "bar": "bread", "cross": "cat"}
"""Things of things.yaml that stand for the categories where a model knows things by name."""


@pytest.fixture(scope="session")
def named_checkpoint(trained, model, photos, tmp_path_factory) -> Path:
    """The checkpoint of the trained run, with the directions of its categories under the names of `NAMES`."""
    anchors = {}
    for category, name in NAMES.items():
        mean = torch.from_numpy(model.embed(sorted((photos / category).iterdir()), "photo").mean(0))
        anchors[name] = (mean / mean.norm()).half()
    path = tmp_path_factory.mktemp("named") / "named.pth"
    save_checkpoint(path, replace(load_checkpoint(trained / "tiny" / "best.pth"), anchors=anchors))
    return path


@pytest.fixture(scope="session")
def named(named_checkpoint) -> Model:
    """A model that knows its categories by name; of the same fingerprint as `model`."""
    return load_model(named_checkpoint, "cpu")


@pytest.fixture(scope="session")
def named_index(named, photos, tmp_path_factory) -> Iterator[Index]:
    """An index of all photos that can be searched by words."""
    with named.index(photos, tmp_path_factory.mktemp("index") / "named.index") as made:
        yield made


@pytest.fixture(scope="session")
def untrained() -> Model:
    """A small network that was never trained."""
    torch.manual_seed(0)
    config = parse_config({"image": {"size": 16, "color": "rgb"}, "model": {"embedding_size": 8}}, "test")
    made = Checkpoint(config, (), 0, {}, build_encoder(config).state_dict())
    return Model(describe(made), TorchEngine(made.encoder(), torch.device("cpu")), Path("a.pth"))


@pytest.fixture(scope="session")
def spatial_checkpoint() -> Callable[[dict[str, object] | None], Checkpoint]:
    """A function that makes an untrained checkpoint of two categories from the settings of its spatial embedding."""

    def make(spatial: dict[str, object] | None) -> Checkpoint:
        torch.manual_seed(0)
        model = {"backbone": "mobilenet_v2", "embedding_size": 32, "normalize": True, "spatial": spatial}
        config = parse_config({"image": {"size": 32, "color": "rgb"}, "model": model}, "a test")
        weights = build_encoder(config).state_dict()
        return Checkpoint(config=config, categories=("a", "b"), epoch=3, metrics={"loss": 1.0}, weights=weights)

    return make


@pytest.fixture
def boxes() -> Dataset:
    """Twelve photos of boxes and a sketch of each; eight of each kind are for training, four for validation."""
    count, side = 12, 32
    photos = np.full((count, 3, side, side), 230, np.uint8)
    sketches = np.full((count, 1, side, side), 255, np.uint8)
    for row in range(count):
        photos[row, :, row : row + 12, 4:20] = 40
        sketches[row, :, row : row + 12, 4] = sketches[row, :, row, 4:20] = 0
    rows = np.arange(count)
    pack = Pack(photos, sketches, (), (), ("a", "b"), rows % 2, rows % 2, rows, ())
    parts = {"train": Subset(rows[:8], rows[:8]), "val": Subset(rows[8:], rows[8:]), "test": Subset(rows[:0], rows[:0])}
    return Dataset(None, pack, parts)


@pytest.fixture
def store(tmp_path) -> Iterator[WritableStore]:
    """An empty index for the embeddings of `untrained`."""
    store = open_to_write(tmp_path / "index", Identity("a" * 64, 8, "a.pth"))
    yield store
    store.close()


@pytest.fixture(scope="session")
def index(model, photos, tmp_path_factory) -> Iterator[Index]:
    """An index of all photos by the model of the trained run."""
    with model.index(photos, tmp_path_factory.mktemp("index") / "photos.index") as made:
        yield made


@pytest.fixture
def logged(caplog):
    """What the package logs from INFO on, as `logged.messages`."""
    caplog.set_level(logging.INFO, "sketchy")
    return caplog


PRELOADED = [
    "sketchy.__main__",
    *(module.name for module in pkgutil.iter_modules(commands.__path__, "sketchy.commands.")),
    "sketchy.dataset.download",
    "sketchy.dataset.drive",
    "sketchy.dataset.unpack",
    "sketchy.inference.bundled",
    "sketchy.model.own_backbone",
    "sketchy.trainer.choose",
    "sketchy.web.app",
    "sketchy.web.server",
    "encodings.cp437",
    "encodings.idna",
    "multiprocessing.synchronize",
    "numpy.ma",
    "torch.utils.serialization",
]
"""What the commands import, also while they run: a fork need not import it again."""


class Ended(NamedTuple):
    """How a command ended: its exit code (minus the signal that killed it), and what it wrote."""

    code: int
    out: bytes
    err: str


@pytest.fixture(scope="session")
def forks():
    """A process that has imported torch and runs each command in a fork; see cli_server.py."""
    words = [sys.executable, Path(__file__).with_name("cli_server.py")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, process_group=0
    ) as server:
        server.stdin.write(f"{json.dumps(PRELOADED)}\n")
        server.stdin.flush()
        assert server.stdout.readline() == "ready\n"
        yield server
        server.stdin.close()


@pytest.fixture
def run_clis(forks, tmp_path, tmp_path_factory) -> Callable[..., list[Ended]]:
    """Run command lines in children, two at a time, each with any files, "closed", "full" or "null" as its streams.

    Each may have a folder and a signal of its own, which it is sent `after` seconds.
    """
    written = tmp_path_factory.mktemp("streams")

    def run(
        commands: Sequence[Sequence[str]],
        *,
        stdin: str = "null",
        stdout: str | None = None,
        stderr: str | None = None,
        environment: dict[str, str] | None = None,
        folders: Sequence[Path] = (),
        signals: Sequence[int] = (),
        after: float = 0,
    ) -> list[Ended]:
        files = [(written / f"out{number}", written / f"err{number}") for number in range(len(commands))]
        for file in (file for pair in files for file in pair):
            file.write_bytes(b"")
        requests = [
            {
                "words": [str(word) for word in words],
                "streams": [stdin, stdout or str(out), stderr or str(err)],
                "environment": dict(os.environ) if environment is None else environment,
                "folder": str(folder),
                "signal": signal,
                "after": after,
            }
            for words, (out, err), folder, signal in zip(
                commands, files, folders or [tmp_path] * len(files), signals or [0] * len(files), strict=True
            )
        ]
        forks.stdin.write(f"{json.dumps(requests)}\n")
        forks.stdin.flush()
        codes = json.loads(forks.stdout.readline())
        return [
            Ended(code, out.read_bytes(), err.read_text(encoding="utf-8", errors="surrogateescape"))
            for code, (out, err) in zip(codes, files, strict=True)
        ]

    return run


@pytest.fixture
def run_cli(run_clis) -> Callable[..., Ended]:
    """Run one command line as `run_clis` does."""
    return lambda words, **how: run_clis([words], **how)[0]


WAITS = ("aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::_unique2")
"""Operations for which the CPU needs values from the device."""


class _Operations(TorchDispatchMode):
    """Notes all operations of the block, and what the memory that they found held before."""

    def __init__(self) -> None:
        super().__init__()
        self.done, self.found, self.own = [], {}, set()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        if operation.name().partition(".")[0] in WAITS:
            raise RuntimeError(f"operation not permitted when stream is capturing: {operation}")
        for storage in _storages((args, kwargs)):
            if storage.data_ptr() not in self.own:
                self.found.setdefault(storage.data_ptr(), (storage, storage.clone()))
        results = operation(*args, **(kwargs or {}))
        self.own |= {storage.data_ptr() for storage in _storages(results)} - self.found.keys()
        self.done.append((operation, args, kwargs or {}, results))
        return results


def _storages(tree):
    return [leaf.untyped_storage() for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


class CpuRecorder:
    """Records operations on the CPU as a CUDA graph does: recording changes nothing, and replaying uses one memory."""

    def __init__(self, device: torch.device) -> None:
        self.replays = 0

    def run(self, work):
        return work()

    def record(self, work):
        state, operations = torch.get_rng_state(), _Operations()
        try:
            with operations:
                result = work()
        finally:
            torch.set_rng_state(state)
            for storage, before in operations.found.values():
                storage.copy_(before)
        return result, lambda: self._replay(operations)

    @torch.no_grad()
    def _replay(self, operations):
        self.replays += 1
        for operation, args, kwargs, results in operations.done:
            for old, new in zip(tree_leaves(results), tree_leaves(operation(*args, **kwargs)), strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


@pytest.fixture
def cpu_recorder() -> type[CpuRecorder]:
    """A recorder in place of that of CUDA graphs."""
    return CpuRecorder
