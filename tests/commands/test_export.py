import sys
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from sketchy.commands import export
from sketchy.config_file import parse_config
from sketchy.errors import CheckpointError, MissingExtraError, StorageError
from sketchy.inference.export import to_exported
from sketchy.inference.onnx_engine import OnnxEngine
from sketchy.inference.torch_engine import embed_pixels, read_checkpoint
from sketchy.model.checkpoint import Checkpoint
from sketchy.model.encoder import build_encoder
from sketchy.results import Exported
from sketchy.retrieval.model import load_model


@pytest.fixture(scope="module")
def made(trained, tmp_path_factory) -> Exported:
    """The result of one export, in a folder that it has made."""
    return export.run(trained / "tiny" / "best.pth", tmp_path_factory.mktemp("export") / "new" / "model.zip")


def test_the_file_takes_the_place_of_the_checkpoint(trained, made):
    best = trained / "tiny" / "best.pth"
    assert made.size == Path(made.out).stat().st_size
    assert made.difference < 1e-4
    exported, whole = read_checkpoint(Path(made.out)), read_checkpoint(best)
    assert made.embedding_size == whole.config.model.embedding_size
    assert exported.fingerprint() == whole.fingerprint() == load_model(Path(made.out), "cpu").fingerprint
    assert exported.categories == whole.categories
    assert exported.calibration == whole.calibration
    assert exported.config == whole.config


def test_its_networks_are_onnx_files_for_other_programs(trained, made, tmp_path):
    best = trained / "tiny" / "best.pth"
    with zipfile.ZipFile(made.out) as file:
        file.extractall(tmp_path)
    for kind in ("sketch", "photo"):
        session = onnxruntime.InferenceSession(tmp_path / f"{kind}.onnx", providers=["CPUExecutionProvider"])
        for count in (1, 3):
            images = np.random.default_rng(0).integers(0, 256, (count, 1, 16, 16), np.uint8)
            (found,) = session.run(["embeddings"], {"images": images})
            expected = embed_pixels(read_checkpoint(best).encoder(), images, kind).numpy()
            np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)


def test_oriented_gradients_are_the_same_in_onnx():
    """Of a drawing and an ordinary photo, of a plain image, and of noise, whose edges are many and alike."""
    spatial = {"block": 3, "grid": 4, "size": 8, "gradients": 4, "share": 0.9}
    model = {"backbone": "vgg16", "embedding_size": 32, "normalize": True, "spatial": spatial}
    config = parse_config({"image": {"size": 64, "color": "rgb"}, "model": model}, "test")
    torch.manual_seed(0)
    encoder = build_encoder(config)
    encoder.head.share.fill_(0.9)
    checkpoint = Checkpoint(config, (), 0, {}, encoder.state_dict())
    engine = OnnxEngine(to_exported(checkpoint))
    for kind, channels in (("photo", 3), ("sketch", 1)):
        images = np.full((4, channels, 64, 64), 255, np.uint8)
        images[1, :, 20:40, 5] = images[1, :, 20, 5:60] = images[1, :, 40, 5:60] = images[3, :, 10:30, 10:30] = 0
        images[2] = np.random.default_rng(0).integers(0, 256, images[2].shape)
        for batch in (images[:1], images):
            expected = embed_pixels(checkpoint.encoder(), batch, kind).numpy()
            assert np.isfinite(expected).all()
            np.testing.assert_allclose(engine.embed(batch, kind), expected, atol=1e-4, rtol=0)


def test_what_computes_something_else_is_not_written(trained, tmp_path, monkeypatch):
    out = tmp_path / "model.zip"
    out.write_text("kept")
    monkeypatch.setattr(OnnxEngine, "embed", lambda self, pixels, kind: np.full((len(pixels), 16), np.nan))
    with pytest.raises(CheckpointError, match="nothing was written"):
        export.run(trained / "tiny" / "best.pth", out)
    assert out.read_text() == "kept"
    assert list(tmp_path.iterdir()) == [out]


def test_a_missing_package_is_named(trained, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtraError, match="exporting a model needs onnxscript, which is not installed"):
        export.run(trained / "tiny" / "best.pth", tmp_path / "model.zip")


def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    with pytest.raises(StorageError, match="it is a folder"):
        export.run(tmp_path / "never-read.pth", tmp_path)
