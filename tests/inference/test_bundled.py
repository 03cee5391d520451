import re
import runpy
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from sketchy.config import Config
from sketchy.config_file import parse_config
from sketchy.inference.bundled import BUNDLED
from sketchy.inference.torch_engine import read_checkpoint
from sketchy.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from sketchy.model.encoder import build_encoder
from sketchy.retrieval.model import load_model

bundle = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "bundle_model.py"))["bundle"]


def trained(**data) -> Checkpoint:
    """A checkpoint of a random network, as a run leaves it."""
    tree = {
        "data": {"root": "/home/me/sketchy", "cache": "/home/me/cache", "sketches": ["/home/me/tu"], **data},
        "image": {"size": 32, "color": "rgb"},
        "model": {"backbone": "mobilenet_v2", "pretrained": "/home/me/weights.pth", "normalize": True},
    }
    config: Config = parse_config(tree, "a test")
    torch.manual_seed(0)
    weights = build_encoder(config, load_pretrained=False).state_dict()
    return Checkpoint(config, ("cat", "dog"), 3, {"val_map_all": 0.5}, weights, training={"epoch": 3})


def test_a_bundled_checkpoint_is_half_the_size_and_embeds_the_same(tmp_path):
    whole = trained()
    save_checkpoint(tmp_path / "whole.pth", whole)
    save_checkpoint(tmp_path / "bundled.pth", bundle(whole))
    assert (tmp_path / "bundled.pth").stat().st_size < 0.55 * (tmp_path / "whole.pth").stat().st_size
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    with torch.inference_mode():
        expected = whole.encoder()(images, "photo")
        found = load_checkpoint(tmp_path / "bundled.pth").encoder()(images, "photo")
    assert found.dtype == torch.float32
    assert torch.allclose(found, expected, atol=2e-3)


def test_a_bundled_checkpoint_names_no_place_and_cannot_be_resumed():
    bundled = bundle(trained(test_fraction=0.3))
    assert "/home/me" not in bundled.config.model_dump_json()
    assert bundled.config.data.test_fraction == 0.3
    assert bundled.config.model.pretrained is True
    assert bundled.training is None


@pytest.fixture(scope="module")
def bundled() -> Checkpoint:
    return read_checkpoint(BUNDLED)


def test_the_bundled_model_is_small_and_trained_to_the_end(bundled):
    assert BUNDLED.stat().st_size <= 16_000_000
    learnt = [weight for name, weight in bundled.weights.items() if "running_" not in name]
    assert sum(weight.numel() for weight in learnt) <= 6_000_000
    assert len(bundled.anchors) > 400
    assert len(bundled.categories) == 125
    assert bundled.calibration is not None
    assert bundled.probes is not None
    assert bundled.training is None


def test_the_bundled_model_says_nothing_of_the_machine_it_was_trained_on(bundled):
    with zipfile.ZipFile(BUNDLED) as file:
        members = {name: file.read(name) for name in file.namelist()}
    assert not any(re.search(rb"/(home|root|tmp|work|mnt|Users)/", content) for content in members.values())
    assert (bundled.config.data.root, bundled.config.data.cache, bundled.config.data.sketches) == (
        "data/sketchy",
        None,
        (),
    )


def test_the_bundled_model_puts_a_drawing_of_a_ring_nearer_to_a_ring_than_to_stripes():
    model = load_model(BUNDLED, "cpu")

    drawing = Image.new("L", (256, 256), 255)
    ImageDraw.Draw(drawing).ellipse((60, 60, 196, 196), outline=0, width=3)
    ring, stripes = (Image.new("RGB", (256, 256), "white") for _ in range(2))
    ImageDraw.Draw(ring).ellipse((60, 60, 196, 196), fill="red", outline="black", width=6)
    for left in range(0, 256, 32):
        ImageDraw.Draw(stripes).rectangle((left, 0, left + 15, 255), fill="blue")
    query = model.embed(drawing, "sketch")[0]
    near, far = np.linalg.norm(model.embed([ring, stripes], "photo") - query, axis=1)
    assert np.linalg.norm(query) == pytest.approx(1, abs=1e-5)
    assert near < far


def test_the_bundled_model_has_the_fingerprint_that_indexes_made_by_it_hold(bundled):
    assert bundled.fingerprint() == "4b9d394fbc736d599f6bf329571b29153e3c412f323731a1fcc28051b590e386"
