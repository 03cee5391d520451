"""ImageNet's classes as a bridge: sketches are taught their names, and photos keep what the start network knew."""

import math
from collections.abc import Sequence
from itertools import chain

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sketchy.loss.batch import EmbeddedBatch, LossOutput, checked, masked_mean
from sketchy.loss.proxy import HIGHEST_SCALE

SCALE = 16.0
"""Initial scale of the cosines; it is learnt."""


class BridgeLoss(nn.Module):
    """Softmax over fixed anchors of ImageNet's classes, for the first dimensions of the embedding.

    A sketch is classified: the probabilities of all classes of its name are summed, and sketches whose name has no
    class do not count. A photo needs no name: its embedding stays near its target, the embedding by the network at the
    start of training, so that what this network tells apart, named or not, stays apart (relational knowledge as in
    Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, with the anchors as classes).

    Args:
        classes: Mask of the classes of each category, shape (C, K), bool.
        photos: P, the number of photos.
        size: A, the dimensions of the embedding that carry the classes.

    Attributes:
        anchors: Unit vectors of the classes, shape (K, A), float32; 0 until `start`.
        targets: Unit embeddings of all photos by the start network, shape (P, A), float16; 0 until `start`.
    """

    anchors: Tensor
    classes: Tensor
    targets: Tensor

    def __init__(self, classes: Tensor, photos: int, size: int) -> None:
        super().__init__()
        self.register_buffer("anchors", torch.zeros(classes.shape[1], size))
        self.register_buffer("classes", classes, persistent=False)
        self.register_buffer("targets", torch.zeros(photos, size, dtype=torch.float16))
        self.log_scale = nn.Parameter(torch.tensor(math.log(SCALE)))

    def start(self, anchors: Tensor, targets: Tensor) -> None:
        """Set the buffers, which a resumed run loads instead; both are scaled to unit length.

        Args:
            anchors: Vectors of the classes, shape (K, A), float.
            targets: Embeddings of all photos by the start network, shape (P, A), float; 0 for those not trained on.
        """
        self.anchors.copy_(F.normalize(anchors, dim=1))
        self.targets.copy_(F.normalize(targets, dim=1))

    def directions(self, things: Sequence[Sequence[int]]) -> Tensor:
        """Return what embeddings of things are drawn to, given the classes of each: unit vectors, (T, A), on the CPU.

        The anchors are copied once: a copy for each of some hundred things would keep a GPU waiting.
        """
        rows = [row for row, classes in enumerate(things) for _ in classes]
        members = torch.zeros(len(things), len(self.anchors))
        members[rows, list(chain.from_iterable(things))] = 1
        return F.normalize(members @ self.anchors.cpu(), dim=1)

    def forward(self, batch: EmbeddedBatch) -> LossOutput:
        """Classify sketches, with labels from 0 to C-1, and hold photos, whose labels are rows of their targets.

        D >= A.
        """
        sketch, photo, sketch_label, photo_index, _ = checked(batch)
        with torch.no_grad():
            self.log_scale.clamp_(max=math.log(HIGHEST_SCALE))
        mask = self.classes[sketch_label]
        known = mask.any(1)
        sketch_logits, photo_logits = self._logits(sketch), self._logits(photo)
        of_name = mask | ~known[:, None]  # without a class all count, so that the logarithm is finite: it is not used
        named = sketch_logits.log_softmax(1).masked_fill(~of_name, -torch.inf).logsumexp(1)
        target_logits = self._logits(self.targets[photo_index].to(photo.dtype)).detach()
        kept = F.kl_div(
            photo_logits.log_softmax(1), target_logits.log_softmax(1), reduction="batchmean", log_target=True
        )
        loss = kept - masked_mean(named, known)
        hit = mask.gather(1, sketch_logits.argmax(1, keepdim=True))[:, 0]
        stats = {
            "sketch_accuracy": masked_mean(hit.float(), known),
            "photo_agreement": (photo_logits.argmax(1) == target_logits.argmax(1)).float().mean(),
        }
        return LossOutput(loss, stats)

    def _logits(self, embedding: Tensor) -> Tensor:
        """Return (B, K) scaled cosines of the first A dimensions."""
        return self.log_scale.exp() * F.normalize(embedding[:, : self.anchors.shape[1]], dim=1) @ self.anchors.T
