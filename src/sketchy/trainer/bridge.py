"""The start of the bridge to ImageNet: what the pretrained network knows, in the dimensions of the embedding."""

import copy
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from sketchy.dataset.things import canonical, imagenet, things
from sketchy.errors import ConfigError
from sketchy.inference.torch_engine import embed_pixels
from sketchy.loss.bridge import BridgeLoss
from sketchy.loss.objective import Objective
from sketchy.loss.proxy import ProxyLoss
from sketchy.model.encoder import Encoder
from sketchy.model.spatial import SpatialHead
from sketchy.progress import Progress
from sketchy.trainer.loop import Trainer


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
    encoder = trainer.encoder
    if "bridge" not in trainer.loss.terms:
        return
    loss = trainer.loss.terms["bridge"]
    assert isinstance(loss, BridgeLoss)
    layer = encoder.head.whole if isinstance(encoder.head, SpatialHead) else encoder.head
    assert isinstance(layer, nn.Linear)
    centred = _centred_classes(encoder).to(layer.weight.device)
    directions = torch.linalg.svd(centred, full_matrices=False).Vh[: layer.out_features]
    projector, photos = _projector(encoder, directions), trainer.images.photos
    projected = embed_pixels(
        projector, photos, "photo", rows, progress=progress, label="photos by the pretrained network"
    )
    mean = projected.mean(0)
    anchors, targets = torch.zeros_like(loss.anchors), torch.zeros(loss.targets.shape)
    anchors[:, : len(directions)] = centred @ directions.T
    targets[torch.from_numpy(rows), : len(directions)] = projected - mean
    loss.start(anchors, targets)
    with torch.no_grad():
        layer.weight[: len(directions)] = directions
        layer.bias[: len(directions)] = -mean.to(layer.bias.device)


def _centred_classes(encoder: Encoder) -> Tensor:
    if encoder.classes is None:
        raise ConfigError(
            "terms.bridge_weight: the pretrained weights hold no ImageNet classifier; use efficientnet_lite0 to 2, or "
            "torchvision's networks with a classifier of one layer, or set it to 0"
        )
    return encoder.classes - encoder.classes.mean(0)


def named_anchors(loss: Objective, categories: Mapping[int, str]) -> dict[str, Tensor] | None:
    """Return the directions of things in the embedding, to search by words; None without the bridge.

    The direction of a category is its proxy, if there is a proxy loss: it was learnt from pictures of the thing. Those
    of other things with classes in ImageNet are their anchors.

    Args:
        loss: The objective.
        categories: Names of the categories whose proxies were learnt from sketches and photos, by label.

    Returns:
        Unit vectors of the dimensions before the spatial ones, shape (A,), float16, on the CPU, by the thing's name.
    """
    if "bridge" not in loss.terms:
        return None
    bridge = loss.terms["bridge"]
    assert isinstance(bridge, BridgeLoss)
    classes = {name: found for name in things() if (found := imagenet(name))}
    vectors = bridge.directions(list(classes.values())).half()
    return dict(zip(classes, vectors, strict=True)) | _proxies(loss, categories, bridge.anchors.shape[1])


def _proxies(loss: Objective, categories: Mapping[int, str], size: int) -> dict[str, Tensor]:
    """Return the first `size` dimensions of the proxies of some categories, as unit vectors by name."""
    if "proxy" not in loss.terms:
        return {}
    proxy = loss.terms["proxy"]
    assert isinstance(proxy, ProxyLoss)
    vectors = F.normalize(proxy.proxies.detach()[:, :size], dim=1).half().cpu()
    return {canonical(name): vectors[label] for label, name in categories.items()}


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
