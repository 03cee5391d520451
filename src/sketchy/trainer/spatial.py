"""Fitting the spatial head after the last epoch, so that it tells the traced photo from others of its category.

With oriented gradients it also learns from a pseudo-sketch of each photo, told apart from all other photos: scenes
have no category in common with the training data.
"""

import copy
from dataclasses import dataclass, fields

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from sketchy.dataset.pack import Pack, Subset
from sketchy.inference.torch_engine import embed_pixels
from sketchy.model.encoder import Encoder
from sketchy.model.folding import folded
from sketchy.model.spatial import SpatialHead
from sketchy.progress import Progress
from sketchy.trainer.pseudo_sketch import PseudoSketches

EPOCHS, BATCH, RATE, DECAY, DROPOUT, TEMPERATURE = 6, 256, 1e-3, 0.05, 0.3, 0.1
"""Chosen on the validation split of the Sketchy sample; twice the epochs change little, half the temperature
finds fewer of the traced photos."""

PSEUDO_WEIGHT = 3.0
"""Weight of the loss on pseudo-sketches; 1 disturbs the ranking of categories more (docs/notes/ablations.md)."""


@dataclass(frozen=True)
class _Examples:
    """What the spatial head is fitted to.

    Attributes:
        sketches: Input of the spatial layer for sketches that trace a photo, shape (N, F).
        traced: Row of that photo in `photos`, shape (N,), int64.
        photos: The same for photos, shape (P, F).
        category: Label of each photo, shape (P,), int64.
        pseudo: The same for a pseudo-sketch of each photo, shape (P, F); (0, F) without oriented gradients.
    """

    sketches: Tensor
    traced: Tensor
    photos: Tensor
    category: Tensor
    pseudo: Tensor

    def on(self, device: torch.device) -> "_Examples":
        """Return copies on a device, of which, other than of tensors of inference mode, gradients can be taken."""
        return _Examples(*(getattr(self, field.name).to(device).clone() for field in fields(self)))


def fit_spatial(encoder: Encoder, pack: Pack, train: Subset, share: float, seed: int, progress: Progress) -> bool:
    """Train the spatial head of an encoder to find the traced photo among those of its category, and set its share.

    The backbone stays as it is, so that each image passes through it once, uncropped, as in a search: trained on crops
    and together with losses on categories, the head learns little about positions (docs/results.md).

    Args:
        encoder: An encoder with a `SpatialHead`, which is changed.
        pack: The images.
        train: The rows to train on.
        share: Share of the squared distance, in (0, 1).
        seed: Seed of the initial weights, the order, the dropout and the pseudo-sketches.
        progress: Shows the progress.

    Returns:
        False, with nothing changed, if no sketch traces a photo that has another one of its category beside it.
    """
    head = encoder.head
    assert isinstance(head, SpatialHead)
    traced = _traced(pack, train)
    if not (traced >= 0).any():
        return False
    examples = _examples(encoder, head, pack, train, traced, seed, progress)
    fitted = _fit(head, examples.on(head.share.device), seed)
    head.cells.load_state_dict(fitted.state_dict())
    head.share.fill_(share)
    return True


def _traced(pack: Pack, train: Subset) -> NDArray[np.int64]:
    """Return the index in train.photos of the photo that each sketch traces.

    -1 if there is none, or no other photo of its category.
    """
    single = np.bincount(pack.photo_category[train.photos], minlength=len(pack.categories)) < 2
    return np.where(single[pack.sketch_category[train.sketches]], -1, pack.traced(train))


def _examples(
    encoder: Encoder,
    head: SpatialHead,
    pack: Pack,
    train: Subset,
    traced: NDArray[np.int64],
    seed: int,
    progress: Progress,
) -> _Examples:
    """Compute the input of the spatial layer for all images that it is fitted to."""
    extractor = _feature_extractor(encoder, head)
    usable = traced >= 0
    rows = train.photos if encoder.gradients is not None else train.photos[:0]
    pseudo = PseudoSketches(pack.photos, pack.sketches.shape[-1], seed)
    return _Examples(
        sketches=embed_pixels(
            extractor, pack.sketches, "sketch", train.sketches[usable], progress=progress, label="sketches"
        ),
        traced=torch.from_numpy(traced[usable]),
        photos=embed_pixels(extractor, pack.photos, "photo", train.photos, progress=progress, label="photos"),
        category=torch.from_numpy(pack.photo_category[train.photos]),
        pseudo=embed_pixels(extractor, pseudo, "sketch", rows, progress=progress, label="pseudo-sketches"),
    )


class _SpatialFeatures(nn.Module):
    """Replaces a head: returns the input of its spatial layer."""

    def __init__(self, head: SpatialHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, features: Tensor) -> Tensor:
        return self.head.spatial_features(features)


def _feature_extractor(encoder: Encoder, head: SpatialHead) -> Encoder:
    """Return a copy of an encoder whose embeddings are the input of the spatial layer."""
    extractor = folded(encoder) if head.share.device.type == "cpu" else copy.deepcopy(encoder)
    extractor.head, extractor.embedding_size = _SpatialFeatures(head), head.cells.in_features
    extractor.normalize, extractor.anchors = False, None
    return extractor


def _fit(head: SpatialHead, examples: _Examples, seed: int) -> nn.Linear:
    """Minimise the loss of a new layer over random batches of sketches."""
    device, count = head.share.device, len(examples.sketches)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        linear = nn.Linear(head.cells.in_features, head.cells.out_features).to(device)
        optimizer = torch.optim.AdamW(linear.parameters(), lr=RATE, weight_decay=DECAY, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * -(-count // BATCH))
        for _ in range(EPOCHS):
            for rows in torch.split(torch.randperm(count).to(device), BATCH):
                optimizer.zero_grad()
                _loss(linear, examples, rows).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
    return linear


def _loss(linear: nn.Linear, examples: _Examples, rows: Tensor) -> Tensor:
    """Return the cross entropy of the photo that sketches trace among all photos of its category.

    To it comes the cross entropy of the photo of as many pseudo-sketches among all photos.
    """

    def embed(features: Tensor) -> Tensor:
        return F.normalize(linear(F.dropout(features, DROPOUT)), dim=1)

    sketches, photos = embed(examples.sketches[rows]), embed(examples.photos)
    traced = examples.traced[rows]
    other = examples.category[traced, None] != examples.category
    loss = F.cross_entropy((sketches @ photos.T / TEMPERATURE).masked_fill(other, -torch.inf), traced)
    if len(examples.pseudo):
        drawn = torch.randperm(len(photos))[:BATCH].to(rows.device)
        loss = loss + PSEUDO_WEIGHT * F.cross_entropy(embed(examples.pseudo[drawn]) @ photos.T / TEMPERATURE, drawn)
    return loss
