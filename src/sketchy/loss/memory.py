"""InfoNCE over all training photos, from a memory of their embeddings: which photo does a sketch trace?"""

import torch
from torch import Tensor

from sketchy.distance import pairwise
from sketchy.loss.batch import EmbeddedBatch, LossOutput, checked, masked_mean
from sketchy.loss.infonce import InfoNCELoss, positives_entropy


class MemoryLoss(InfoNCELoss):
    """InfoNCE from each sketch to every photo, by the embedding that the photo had in its last batch.

    A batch holds one or two photos of a category, but finding the traced photo means telling it from all others of its
    category (Wang et al., "Cross-Batch Memory for Embedding Learning", 2020). Photos of the current batch count with
    their new embeddings, which have a gradient; photos that no batch has held yet are ignored.

    Args:
        photos: Number of photos; labels are below it.
        embedding_size: D.
        temperature: Initial temperature > 0; it is learnt.
    """

    memory: Tensor
    seen: Tensor

    def __init__(self, photos: int, embedding_size: int, temperature: float) -> None:
        super().__init__(temperature, learn=True)
        self.register_buffer("memory", torch.zeros(photos, embedding_size))
        self.register_buffer("seen", torch.zeros(photos, dtype=torch.bool))

    def forward(self, batch: EmbeddedBatch) -> LossOutput:
        """Compare sketches with all photos. The labels are indices of photos; -1 for a sketch that traces none."""
        sketch, photo, sketch_label, photo_label, _ = checked(batch)
        known = self.seen.index_fill(0, photo_label, False)
        indices = torch.arange(len(known), device=known.device)
        before = self.memory.clone()  # the backward pass needs it as it is now
        distance = torch.cat([pairwise(sketch, before), pairwise(sketch, photo)], 1)  # (B, N + B')
        counted = torch.cat([known, torch.ones_like(photo_label, dtype=torch.bool)])
        traced = (sketch_label[:, None] == torch.cat([indices, photo_label])) & counted
        logits = (-distance.square() / (2 * self._temperature())).masked_fill(~counted, -torch.inf)
        self._remember(photo.detach(), photo_label)
        hits = traced.gather(1, logits.argmax(1, keepdim=True))[:, 0]
        return LossOutput(positives_entropy(logits, traced), {"accuracy": masked_mean(hits.float(), traced.any(1))})

    @torch.no_grad()
    def _remember(self, photo: Tensor, label: Tensor) -> None:
        """Store the photos of a batch; for duplicates each time the first, as a GPU writes them in any order."""
        first = (label[:, None] == label).int().argmax(1)
        self.memory.index_copy_(0, label, photo[first].to(self.memory.dtype))
        self.seen.index_fill_(0, label, True)
