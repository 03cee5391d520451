"""What a best.pth gets after the last epoch: the fitted spatial head, and the calibrated score."""

from dataclasses import replace

import torch

from sketchy.dataset.further import Further
from sketchy.dataset.loader import Dataset
from sketchy.dataset.pack import Subset
from sketchy.evaluation.calibrate import calibrate
from sketchy.evaluation.evaluate import evaluate_subset
from sketchy.evaluation.metrics import HEADLINE
from sketchy.model.checkpoint import Checkpoint
from sketchy.model.encoder import Encoder
from sketchy.progress import Progress
from sketchy.trainer.spatial import fit_spatial


def validation_part(data: Dataset) -> Subset | None:
    """Return the validation split, or None if it lacks sketches or photos."""
    subset = data.parts["val"]
    return subset if len(subset.sketches) and len(subset.photos) else None


def validate(encoder: Encoder, data: Dataset) -> dict[str, float]:
    """Return the headline metrics on the validation split, named as in the history; none if there is no such split."""
    subset = validation_part(data)
    if subset is None:
        return {}
    metrics = evaluate_subset(encoder, data, subset).evaluation.metrics
    return {f"val_{key}": metrics[key] for key in HEADLINE}


def with_fitted_head(
    checkpoint: Checkpoint, data: Dataset, device: torch.device, progress: Progress
) -> Checkpoint | None:
    """Fit the spatial head of a checkpoint to the training split, if it has one, and validate it with its anchors.

    Args:
        checkpoint: A checkpoint with the anchors that training left.
        data: The dataset that it was trained on.
        device: The device that computes.
        progress: Shows the progress.

    Returns:
        The checkpoint with other weights and metrics; None if no sketch traces one of several photos of its category.
    """
    spatial = checkpoint.config.model.spatial
    encoder = checkpoint.encoder().to(device)
    seed = checkpoint.config.train.seed
    if spatial and not fit_spatial(encoder, data.pack, data.parts["train"], spatial.share, seed, progress):
        return None
    return replace(checkpoint, weights=encoder.state_dict(), metrics=checkpoint.metrics | validate(encoder, data))


def with_calibration(checkpoint: Checkpoint, data: Dataset, further: Further, device: torch.device) -> Checkpoint:
    """Add the calibration and the probe embeddings; nothing without a validation split."""
    subset = validation_part(data)
    if subset is None:
        return checkpoint
    calibration, probes = calibrate(checkpoint.encoder().to(device), data, subset, further)
    return replace(checkpoint, calibration=calibration, probes=probes)
