"""After the last epoch: what tells the traced photo from others of its category, learnt from where things lie."""

import copy

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sketchy.dataset.pack import Pack, Subset
from sketchy.model.encoder import Encoder
from sketchy.model.folding import folded
from sketchy.model.layout import LayoutHead, evened
from sketchy.retrieval.embed import embed_pixels
from sketchy.talk import Talk

EPOCHS, BATCH, RATE, DECAY, DROPOUT, TEMPERATURE = 6, 256, 1e-3, 0.05, 0.3, 0.1
"""Chosen on the validation split of the Sketchy sample; twice the epochs change little, half the temperature
finds fewer of the traced photos."""


def fit(encoder: Encoder, pack: Pack, train: Subset, share: float, seed: int, talk: Talk) -> bool:
    """Teach an encoder's second head which photo of its category a sketch traces, and give it its share.

    The network stays as it is, so that each image passes through it once, whole, as search will see it: on crops, and
    beside losses on categories, the same head learns little of where things lie (docs/results.md).

    Args:
        encoder: with a `LayoutHead`, which is changed.
        pack: the images.
        train: which of them to learn from.
        share: of the squared distance, in (0, 1).
        seed: of the head's first weights, of the order and of the dropout.
        talk: shows the progress.

    Returns:
        False where no sketch traces a photo that has another of its category beside it; nothing is changed then.
    """
    head = encoder.head
    assert isinstance(head, LayoutHead)
    place = np.full(len(pack.photos), -1)
    place[train.photos] = np.arange(len(train.photos))
    photo_category = torch.from_numpy(pack.photo_category[train.photos])
    traced = place[pack.sketch_photo[train.sketches]]
    alone = np.bincount(photo_category, minlength=len(pack.categories)) < 2
    useful = (pack.sketch_photo[train.sketches] >= 0) & (traced >= 0) & ~alone[pack.sketch_category[train.sketches]]
    if not useful.any():
        return False
    seer = _seer(encoder, head)
    photos = embed_pixels(
        seer, pack.photos, "photo", train.photos, progress=talk.bar, label="where things lie in photos"
    )
    label = "where things lie in sketches"
    sketches = embed_pixels(seer, pack.sketches, "sketch", train.sketches[useful], progress=talk.bar, label=label)
    learnt = _learn(head, sketches, photos, torch.from_numpy(traced[useful]), photo_category, seed)
    head.cells.load_state_dict(learnt.state_dict())
    head.share.fill_(share)
    return True


class _Cells(nn.Module):
    """In the place of a head: gives what the second one is given."""

    def __init__(self, start: int) -> None:
        super().__init__()
        self.start = start

    def forward(self, features: Tensor) -> Tensor:
        return evened(features[:, self.start :])


def _seer(encoder: Encoder, head: LayoutHead) -> Encoder:
    """Copy an encoder so that its embeddings are the features of the cells."""
    seer = folded(encoder) if head.share.device.type == "cpu" else copy.deepcopy(encoder)
    seer.head, seer.embedding_size, seer.normalize = _Cells(head.features[0]), head.features[1], False
    return seer


def _learn(
    head: LayoutHead, sketches: Tensor, photos: Tensor, traced: Tensor, photo_category: Tensor, seed: int
) -> nn.Linear:
    """Minimise the cross entropy of the traced photo (traced: its row) among all those of its category."""
    device = head.share.device
    sketches, photos, traced, photo_category = (
        tensor.to(device).clone()  # what came out of inference mode lets no gradient through
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
                    F.normalize(linear(F.dropout(seen, DROPOUT)), dim=1) for seen in (sketches[rows], photos)
                )
                other = photo_category[traced[rows], None] != photo_category
                logits = (sketch @ photo.T / TEMPERATURE).masked_fill(other, -torch.inf)
                optimizer.zero_grad()
                F.cross_entropy(logits, traced[rows]).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
    return linear
