"""The start of the bridge to ImageNet: what the pretrained network knows, in the dimensions of the embedding."""

import copy

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from sketchy.config import Config
from sketchy.dataset.things import imagenet, things
from sketchy.errors import ConfigError
from sketchy.loss.bridge import BridgeLoss
from sketchy.loss.objective import Objective
from sketchy.model.encoder import Encoder
from sketchy.model.spatial import SpatialHead
from sketchy.progress import Progress
from sketchy.retrieval.embed import embed_pixels
from sketchy.trainer.loop import Trainer


def build_bridge(config: Config, classes: NDArray[np.bool_], photos: int) -> BridgeLoss | None:
    """Make the loss, for the dimensions before the spatial ones; None if its weight is 0.

    Args:
        config: Settings, of which the sections model and terms are read.
        classes: ImageNet's classes of each category, shape (C, 1000).
        photos: Number of photos.
    """
    if not config.terms.bridge_weight:
        return None
    spatial = config.model.spatial.size if config.model.spatial else 0
    return BridgeLoss(torch.from_numpy(classes), photos, config.model.embedding_size - spatial)


def start_bridge(trainer: Trainer, rows: NDArray[np.int64], progress: Progress) -> None:
    """Initialise the head so that the embedding carries ImageNet's classes, and the loss's anchors and targets.

    Without that loss nothing is done.

    The head projects features to the principal components of the classifier's weights, minus the mean over the photos;
    the weights, projected in the same way, are the anchors.

    Args:
        trainer: The trainer before its first step; its head and its loss are changed.
        rows: The photos to train on, shape (N,).
        progress: Shows the progress.

    Raises:
        ConfigError: No classifier of ImageNet came with the pretrained weights.
    """
    loss, encoder = _bridge(trainer.loss), trainer.encoder
    if loss is None:
        return
    layer = encoder.head.whole if isinstance(encoder.head, SpatialHead) else encoder.head
    assert isinstance(layer, nn.Linear)
    anchors, directions = _components(encoder.classes, layer.out_features)
    projector = _projector(encoder, directions.to(layer.weight.device))
    label = "photos by the pretrained network"
    projected = embed_pixels(projector, trainer.images.photos, "photo", rows, progress=progress, label=label)
    mean = projected.mean(0)
    missing = layer.out_features - len(directions)  # dimensions, if the network has fewer features
    targets = torch.zeros(loss.targets.shape)
    targets[torch.from_numpy(rows)] = F.pad(projected - mean, (0, missing))
    loss.start(F.pad(anchors, (0, missing)), targets)
    with torch.no_grad():
        layer.weight[: len(directions)] = directions
        layer.bias[: len(directions)] = -mean


def named_anchors(loss: Objective) -> dict[str, Tensor] | None:
    """Return where embeddings of each thing with classes in ImageNet lie, to search by words; None without the loss.

    Returns:
        Unit vectors of the dimensions before the spatial ones, shape (A,), float16, on the CPU, by the thing's name.
    """
    bridge = _bridge(loss)
    if bridge is None:
        return None
    return {name: bridge.anchor(classes).half().cpu() for name in things() if (classes := imagenet(name))}


def _bridge(loss: Objective) -> BridgeLoss | None:
    bridge = dict(loss.terms.items()).get("bridge")
    assert bridge is None or isinstance(bridge, BridgeLoss)
    return bridge


def _components(classes: Tensor | None, most: int) -> tuple[Tensor, Tensor]:
    """Return a classifier's weights along their first principal components, (1000, A), and these, (A, features).

    Raises:
        ConfigError: There is no classifier.
    """
    if classes is None:
        raise ConfigError(
            "terms.bridge_weight: the pretrained weights hold no ImageNet classifier; use efficientnet_lite0 to 2, or "
            "torchvision's networks with a classifier of one layer, or set it to 0"
        )
    centred = classes - classes.mean(0)
    directions = torch.linalg.svd(centred, full_matrices=False).Vh[:most]
    return centred @ directions.T, directions


class _Projection(nn.Module):
    """Replaces a head: projects the features of the whole image."""

    directions: Tensor

    def __init__(self, directions: Tensor) -> None:
        super().__init__()
        self.register_buffer("directions", directions)

    def forward(self, features: Tensor) -> Tensor:
        return features[:, : self.directions.shape[1]] @ self.directions.T


def _projector(encoder: Encoder, directions: Tensor) -> Encoder:
    """Return a copy of an encoder whose embeddings are its features along the directions."""
    projector = copy.deepcopy(encoder)
    projector.head, projector.embedding_size, projector.normalize = _Projection(directions), len(directions), False
    return projector
