"""Fitting the spatial head after the last epoch, so that it tells the traced photo from others of its category."""

import copy
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sketchy.dataset.pack import Pack, Subset
from sketchy.inference.torch_engine import embed_pixels
from sketchy.model.encoder import Encoder
from sketchy.model.folding import folded
from sketchy.model.spatial import SpatialHead, rms_normalize
from sketchy.progress import Progress

EPOCHS, BATCH, RATE, DECAY, DROPOUT, TEMPERATURE = 6, 256, 1e-3, 0.05, 0.3, 0.1
"""Chosen on the validation split of the Sketchy sample; twice the epochs change little, half the temperature
finds fewer of the traced photos."""


def fit_spatial(encoder: Encoder, pack: Pack, train: Subset, share: float, seed: int, progress: Progress) -> bool:
    """Train the spatial head of an encoder to find the traced photo among those of its category, and set its share.

    The backbone stays as it is, so that each image passes through it once, uncropped, as in a search: trained on crops
    and together with losses on categories, the head learns little about positions (docs/results.md).

    Args:
        encoder: An encoder with a `SpatialHead`, which is changed.
        pack: The images.
        train: The rows to train on.
        share: Share of the squared distance, in (0, 1).
        seed: Seed of the initial weights, the order and the dropout.
        progress: Shows the progress.

    Returns:
        False, with nothing changed, if no sketch traces a photo that has another one of its category beside it.
    """
    head = encoder.head
    assert isinstance(head, SpatialHead)
    photo_category = torch.from_numpy(pack.photo_category[train.photos])
    traced = pack.traced(train)
    single = np.bincount(photo_category, minlength=len(pack.categories)) < 2
    usable = (traced >= 0) & ~single[pack.sketch_category[train.sketches]]
    if not usable.any():
        return False
    embed = partial(embed_pixels, _feature_extractor(encoder, head), progress=progress)
    photos = embed(pack.photos, "photo", train.photos, label="spatial features of photos")
    sketches = embed(pack.sketches, "sketch", train.sketches[usable], label="spatial features of sketches")
    fitted = _fit(head, sketches, photos, torch.from_numpy(traced[usable]), photo_category, seed)
    head.cells.load_state_dict(fitted.state_dict())
    head.share.fill_(share)
    return True


class _SpatialFeatures(nn.Module):
    """Replaces a head: returns the input of its spatial layer."""

    def __init__(self, start: int) -> None:
        super().__init__()
        self.start = start

    def forward(self, features: Tensor) -> Tensor:
        return rms_normalize(features[:, self.start :])


def _feature_extractor(encoder: Encoder, head: SpatialHead) -> Encoder:
    """Return a copy of an encoder whose embeddings are the input of the spatial layer."""
    extractor = folded(encoder) if head.share.device.type == "cpu" else copy.deepcopy(encoder)
    whole, cells = head.features
    extractor.head, extractor.embedding_size, extractor.normalize = _SpatialFeatures(whole), cells, False
    return extractor


def _fit(
    head: SpatialHead, sketches: Tensor, photos: Tensor, traced: Tensor, photo_category: Tensor, seed: int
) -> nn.Linear:
    """Minimise the cross entropy of the traced photo (`traced`: its row) among all photos of its category."""
    device = head.share.device
    sketches, photos, traced, photo_category = (
        tensor.to(device).clone()  # tensors of inference mode cannot have a gradient
        for tensor in (sketches, photos, traced, photo_category)
    )
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        linear = nn.Linear(head.cells.in_features, head.cells.out_features).to(device)
        optimizer = torch.optim.AdamW(linear.parameters(), lr=RATE, weight_decay=DECAY, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * -(-len(sketches) // BATCH))
        for _ in range(EPOCHS):
            for rows in torch.split(torch.randperm(len(sketches)).to(device), BATCH):
                sketch, photo = (
                    F.normalize(linear(F.dropout(features, DROPOUT)), dim=1) for features in (sketches[rows], photos)
                )
                other = photo_category[traced[rows], None] != photo_category
                logits = (sketch @ photo.T / TEMPERATURE).masked_fill(other, -torch.inf)
                optimizer.zero_grad()
                F.cross_entropy(logits, traced[rows]).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
    return linear
