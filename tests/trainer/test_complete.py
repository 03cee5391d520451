from dataclasses import replace

import numpy as np
import torch

from sketchy.config import AnchorsConfig
from sketchy.dataset.further import Further
from sketchy.progress import no_progress
from sketchy.trainer.complete import validate, with_calibration, with_fitted_head

CPU = torch.device("cpu")


def test_the_spatial_head_is_fitted_and_the_rest_stays(spatial_checkpoint, boxes):
    before = spatial_checkpoint({"block": 3, "grid": 4, "size": 8})
    fitted = with_fitted_head(before, boxes, CPU, no_progress)
    assert fitted.metrics == {"loss": 1.0} | validate(fitted.encoder(), boxes)
    spatial = {"head.cells.weight", "head.cells.bias", "head.share"}
    assert all(torch.equal(fitted.weights[name], before.weights[name]) for name in before.weights.keys() - spatial)
    assert not torch.equal(fitted.weights["head.cells.weight"], before.weights["head.cells.weight"])
    calibrated = with_calibration(fitted, boxes, Further(("a", "b")), CPU)
    assert calibrated.probes.shape == (4, 32)
    assert len(calibrated.calibration.weights) == 3
    assert 0 < calibrated.calibration.threshold < 1


def test_without_traced_photos_nothing_is_fitted(spatial_checkpoint, boxes):
    data = replace(boxes, pack=replace(boxes.pack, sketch_photo=np.full(len(boxes.pack.photos), -1)))
    assert with_fitted_head(spatial_checkpoint({"size": 8}), data, CPU, no_progress) is None


def test_without_a_validation_split_nothing_is_calibrated(spatial_checkpoint, boxes):
    boxes.parts["val"] = boxes.parts["test"]
    made = spatial_checkpoint({"size": 8})
    assert with_calibration(made, boxes, Further(("a", "b")), CPU) is made
    assert validate(made.encoder(), boxes) == {}


def test_without_a_spatial_embedding_only_the_metrics_change_to_those_with_anchors(spatial_checkpoint, boxes):
    plain = spatial_checkpoint(None)
    model = plain.config.model.model_copy(update={"anchors": AnchorsConfig(weight=10.0)})
    anchors = {"a": torch.eye(32)[0].half(), "b": torch.eye(32)[1].half()}
    before = replace(plain, config=plain.config.model_copy(update={"model": model}), anchors=anchors)
    made = with_fitted_head(before, boxes, CPU, no_progress)
    assert made.metrics == {"loss": 1.0} | validate(before.encoder(), boxes)
    assert made.weights.keys() == plain.weights.keys()
    assert all(torch.equal(made.weights[name], plain.weights[name]) for name in plain.weights)
