"""Fixtures that several test files share."""

import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image, ImageDraw

from sketchy.commands import index, train
from sketchy.config_file import load_config
from sketchy.model.checkpoint import load_checkpoint
from sketchy.retrieval.embed import Embedder
from sketchy.retrieval.opening import identity_of, open_gallery
from sketchy.web.searcher import Searcher

torch.set_num_threads(1)  # for networks this small threads only get in the way, most of all beside other work

CATEGORIES = ("disc", "square", "bar", "cross")
PHOTOS = 10
SKETCHES = 2
SIDE = 48


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


@pytest.fixture(scope="session")
def trained(tiny_config, tmp_path_factory) -> Path:
    """A folder of runs with one trained run, `tiny`."""
    runs = tmp_path_factory.mktemp("runs")
    train.run(load_config(tiny_config), runs / "tiny")
    return runs


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
def searcher(trained, photos, tmp_path_factory):
    """The model of the trained run and an index of all photos, as `sketchy serve` holds them."""
    checkpoint = trained / "tiny" / "best.pth"
    place = tmp_path_factory.mktemp("index") / "photos.index"
    index.run([photos], str(place), checkpoint)
    loaded = load_checkpoint(checkpoint)
    embedder = Embedder.of(loaded, torch.device("cpu"))
    gallery = open_gallery(str(place), loaded, identity_of(loaded, checkpoint), embedder)
    yield Searcher(embedder, gallery, loaded.calibration, {"backbone": "report_cnn"})
    gallery.close()
