import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sketchy.config import AnchorsConfig, SpatialConfig
from sketchy.config_file import parse_config
from sketchy.dataset.further import Further
from sketchy.dataset.loader import Dataset
from sketchy.dataset.pack import Pack, Subset
from sketchy.errors import CheckpointError
from sketchy.model.checkpoint import Checkpoint
from sketchy.model.encoder import build_encoder
from sketchy.progress import no_progress
from sketchy.trainer.complete import validate, with_calibration, with_fitted_head

CPU = torch.device("cpu")
SIDE, PHOTOS = 32, 12
SCRIPT = Path(__file__).parents[2] / "scripts" / "bundle_model.py"
with_spatial_config = runpy.run_path(str(SCRIPT))["with_spatial_config"]


def checkpoint(spatial: dict | None) -> Checkpoint:
    torch.manual_seed(0)
    model = {"backbone": "mobilenet_v2", "embedding_size": 32, "normalize": True, "spatial": spatial}
    config = parse_config({"image": {"size": SIDE, "color": "rgb"}, "model": model}, "a test")
    weights = build_encoder(config).state_dict()
    return Checkpoint(config=config, categories=("a", "b"), epoch=3, metrics={"loss": 1.0}, weights=weights)


def dataset() -> Dataset:
    """Photos of boxes and a sketch of each; eight of each kind are for training, four for validation."""
    photos = np.full((PHOTOS, 3, SIDE, SIDE), 230, np.uint8)
    sketches = np.full((PHOTOS, 1, SIDE, SIDE), 255, np.uint8)
    for row in range(PHOTOS):
        photos[row, :, row : row + 12, 4:20] = 40
        sketches[row, :, row : row + 12, 4] = sketches[row, :, row, 4:20] = 0
    category = np.arange(PHOTOS) % 2
    rows = np.arange(PHOTOS)
    pack = Pack(photos, sketches, (), (), ("a", "b"), category, category, rows, ())
    parts = {"train": Subset(rows[:8], rows[:8]), "val": Subset(rows[8:], rows[8:]), "test": Subset(rows[:0], rows[:0])}
    return Dataset(None, pack, parts)


def test_a_trained_checkpoint_gets_another_spatial_embedding_and_keeps_the_rest():
    before, data = checkpoint({"block": 3, "grid": 4, "size": 8}), dataset()
    settings = SpatialConfig(block=3, grid=4, size=16, gradients=2, share=0.3)
    fitted = with_fitted_head(with_spatial_config(before, settings), data, CPU, no_progress)
    assert fitted.config.model.embedding_size == 40
    assert fitted.config.model.spatial == settings
    assert float(fitted.weights["head.share"]) == pytest.approx(0.3)
    assert fitted.metrics == {"loss": 1.0} | validate(fitted.encoder(), data)
    spatial = {"head.cells.weight", "head.cells.bias", "head.share"}
    assert all(torch.equal(fitted.weights[name], before.weights[name]) for name in before.weights.keys() - spatial)
    assert fitted.fingerprint() != before.fingerprint()
    calibrated = with_calibration(fitted, data, Further(("a", "b")), CPU)
    assert calibrated.probes.shape == (4, 40)
    assert len(calibrated.calibration.weights) == 3
    assert 0 < calibrated.calibration.threshold < 1


def test_a_checkpoint_without_a_spatial_embedding_is_refused():
    with pytest.raises(CheckpointError, match=r"no spatial embedding to fit again; train with model\.spatial"):
        with_spatial_config(checkpoint(None), SpatialConfig())


def test_without_traced_photos_nothing_is_fitted():
    data = dataset()
    data = replace(data, pack=replace(data.pack, sketch_photo=np.full(PHOTOS, -1)))
    assert with_fitted_head(checkpoint({"size": 8}), data, CPU, no_progress) is None


def test_without_a_validation_split_nothing_is_calibrated():
    data = dataset()
    data.parts["val"] = data.parts["test"]
    made = checkpoint({"size": 8})
    assert with_calibration(made, data, Further(("a", "b")), CPU) is made
    assert validate(made.encoder(), data) == {}


def test_without_a_spatial_embedding_only_the_metrics_change_to_those_with_anchors():
    data, plain = dataset(), checkpoint(None)
    model = plain.config.model.model_copy(update={"anchors": AnchorsConfig(weight=10.0)})
    anchors = {"a": torch.eye(32)[0].half(), "b": torch.eye(32)[1].half()}
    before = replace(plain, config=plain.config.model_copy(update={"model": model}), anchors=anchors)
    made = with_fitted_head(before, data, CPU, no_progress)
    assert made.metrics == {"loss": 1.0} | validate(before.encoder(), data)
    assert made.weights.keys() == plain.weights.keys()
    assert all(torch.equal(made.weights[name], plain.weights[name]) for name in plain.weights)
