import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from sketchy.commands import export
from sketchy.config import SpatialConfig
from sketchy.errors import CheckpointError, MissingExtraError, StorageError
from sketchy.model.backbone import Backbone
from sketchy.model.bundled import BUNDLED
from sketchy.model.checkpoint import load_checkpoint
from sketchy.model.encoder import Encoder
from sketchy.model.onnx import open_onnx, write_onnx
from sketchy.preprocess import Preprocess, build_preprocess

REAL = Path(__file__).resolve().parents[3] / "shared" / "sketchy-sample"


@pytest.mark.skipif(not REAL.exists(), reason="no ../shared/sketchy-sample")
def test_the_bundled_model_embeds_real_sketches_the_same_as_onnx(tmp_path):
    made = export.run(BUNDLED, "sketch", tmp_path / "new" / "sketch.onnx")
    loaded = load_checkpoint(BUNDLED)
    session = onnxruntime.InferenceSession(made.out, providers=["CPUExecutionProvider"])
    encoder, preprocess = loaded.encoder(), build_preprocess(loaded.config.image)
    for count in (1, 7):
        paths = sorted(REAL.rglob("*.png"))[:: 7000 // count][:count]
        images = np.stack([preprocess.load(path, "sketch") for path in paths])
        (found,) = session.run(None, {"images": images})
        with torch.inference_mode():
            expected = encoder(torch.from_numpy(images), "sketch")
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-4, rtol=0)


def test_photos_have_a_file_of_their_own(trained, tmp_path):
    made = export.run(trained / "tiny" / "best.pth", "photo", tmp_path / "photo.onnx")
    loaded = load_checkpoint(trained / "tiny" / "best.pth")
    assert made.shape == build_preprocess(loaded.config.image).shape("photo")
    assert made.embedding_size == loaded.config.model.embedding_size
    assert made.size == Path(made.out).stat().st_size
    assert made.difference < 1e-4
    session = onnxruntime.InferenceSession(made.out, providers=["CPUExecutionProvider"])
    for count in (1, 3):
        images = np.random.default_rng(0).integers(0, 256, (count, *made.shape), np.uint8)
        (found,) = session.run(None, {"images": images})
        with torch.inference_mode():
            expected = loaded.encoder()(torch.from_numpy(images), "photo")
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-4, rtol=0)
    facts = session.get_modelmeta().custom_metadata_map
    assert facts["kind"] == "photo"
    assert facts["model"] == loaded.fingerprint()
    assert Preprocess(**json.loads(facts["preprocess"])) == build_preprocess(loaded.config.image)


@pytest.mark.parametrize("kind", ["photo", "sketch"])
def test_oriented_gradients_are_the_same_in_onnx(kind, tmp_path):
    """Of a drawing and an ordinary photo, of a plain image, and of noise, whose edges are many and alike."""
    network = nn.Module()
    network.features, network.classifier = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2)), nn.Identity()
    settings = SpatialConfig(block=0, grid=4, size=8, gradients=4)
    backbone = Backbone(network, features=4, in_channels=3)
    torch.manual_seed(0)
    encoder = Encoder(
        backbone, embedding_size=32, mean=[0.5] * 3, std=[0.2] * 3, dropout=0, normalize=True, spatial=settings
    ).eval()
    encoder.head.share.fill_(0.9)
    preprocess = Preprocess(64, "rgb", 0.0)
    write_onnx(tmp_path / "a.onnx", encoder, kind, preprocess, "a test")
    images = np.full((4, *preprocess.shape(kind)), 255, np.uint8)
    images[1, :, 20:40, 5] = images[1, :, 20, 5:60] = images[1, :, 40, 5:60] = images[3, :, 10:30, 10:30] = 0
    images[2] = np.random.default_rng(0).integers(0, 256, images[2].shape)
    for batch in (images[:1], images):
        with torch.inference_mode():
            expected = encoder(torch.from_numpy(batch), kind).numpy()
        assert np.isfinite(expected).all()
        np.testing.assert_allclose(open_onnx(tmp_path / "a.onnx")(batch), expected, atol=1e-4, rtol=0)


def test_what_computes_something_else_is_not_written(trained, tmp_path, monkeypatch):
    out = tmp_path / "photo.onnx"
    out.write_text("kept")
    monkeypatch.setattr("sketchy.model.onnx.open_onnx", lambda path: lambda images: np.full(1, np.nan))
    with pytest.raises(CheckpointError, match="nothing was written"):
        export.run(trained / "tiny" / "best.pth", "photo", out)
    assert out.read_text() == "kept"
    assert list(tmp_path.iterdir()) == [out]


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtraError, match="writing ONNX needs onnxscript, which is not installed"):
        export.run(tmp_path / "never-read.pth", "photo", tmp_path / "photo.onnx")


def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    with pytest.raises(StorageError, match="it is a folder"):
        export.run(tmp_path / "never-read.pth", "photo", tmp_path)
