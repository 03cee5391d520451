"""Which photo a sketch traces, among all photos of the training, by a memory of their embeddings."""

import torch
from torch import Tensor

from sketchy.distance import pairwise
from sketchy.loss.batch import Outcome, check_batch
from sketchy.loss.infonce import InfoNCELoss, positives_entropy


class MemoryLoss(InfoNCELoss):
    """InfoNCE from each sketch to every photo, as it was when it was last in a batch.

    A batch holds a photo or two of a category, and telling photos of different categories apart says little of which
    one was traced: that needs all those of its category. Wang et al., "Cross-Batch Memory for Embedding Learning",
    2020. Photos of the batch itself count as they are now, with a gradient; those not seen yet do not count.

    Args:
        photos: how many there are; a label is a number below that.
        embedding_size: D.
        temperature: > 0; the starting value, since it is learnt.
    """

    memory: Tensor
    seen: Tensor

    def __init__(self, photos: int, embedding_size: int, temperature: float) -> None:
        super().__init__(temperature, learn=True)
        self.register_buffer("memory", torch.zeros(photos, embedding_size))
        self.register_buffer("seen", torch.zeros(photos, dtype=torch.bool))

    def forward(self, sketch: Tensor, photo: Tensor, sketch_label: Tensor, photo_label: Tensor) -> Outcome:
        """Compare sketches with all photos; arguments as in `check_batch`, labels of photos, -1 of a sketch of none."""
        check_batch(sketch, photo, sketch_label, photo_label)
        known = self.seen.clone()
        known[photo_label] = False
        numbers = torch.arange(len(known), device=known.device)
        before = self.memory.clone()  # what is remembered now must not change under the backward pass
        distance = torch.cat([pairwise(sketch, before), pairwise(sketch, photo)], 1)  # (B, N + B')
        counted = torch.cat([known, torch.ones_like(photo_label, dtype=torch.bool)])
        traced = (sketch_label[:, None] == torch.cat([numbers, photo_label])) & counted
        logits = (-distance.square() / (2 * self._temperature())).masked_fill(~counted, -torch.inf)
        self._remember(photo.detach(), photo_label)
        rows = traced.any(1)
        if not rows.any():
            return Outcome(logits[:, counted].sum() * 0, {"accuracy": logits.new_zeros(())})
        hits = traced[rows].gather(1, logits[rows].argmax(1, keepdim=True))
        return Outcome(positives_entropy(logits, traced), {"accuracy": hits.float().mean()})

    @torch.no_grad()
    def _remember(self, photo: Tensor, label: Tensor) -> None:
        """Store the photos of a batch; of one that is there twice the first, so that a GPU has no choice either."""
        first = (label[:, None] == label).int().argmax(1) == torch.arange(len(label), device=label.device)
        self.memory[label[first]] = photo[first].to(self.memory.dtype)
        self.seen[label[first]] = True
