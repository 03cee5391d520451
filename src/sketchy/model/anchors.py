"""Attention of an embedding to anchors: the directions of the things that the model knows by name."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class AnchorAttention(nn.Module):
    """Moves an embedding towards the anchors that it is similar to, so that sketches and photos of a thing meet there.

    Softmax attention (Vaswani et al., "Attention Is All You Need", 2017) with the embedding as the query and the
    anchors as keys and values. Most things have no sketch and no photo in the training data: their anchors come from
    ImageNet's classifier.

    Args:
        anchors: Unit vectors of the first A dimensions of an embedding, shape (N, A).
        weight: Weight of the attended anchors beside the embedding.
        scale: Factor on the cosines before the softmax.
    """

    anchors: Tensor

    def __init__(self, anchors: Tensor, weight: float, scale: float) -> None:
        super().__init__()
        self.register_buffer("anchors", anchors.float(), persistent=False)  # a checkpoint holds them by name
        self.weight = weight
        self.scale = scale

    def forward(self, embeddings: Tensor) -> Tensor:
        """Map (B, D) embeddings to (B, D); the length of the first A dimensions and the other dimensions stay."""
        size = self.anchors.shape[1]
        known, rest = embeddings[:, :size], embeddings[:, size:]
        unit = F.normalize(known, dim=1)
        attention = (self.scale * unit @ self.anchors.T).softmax(1)
        moved = F.normalize(unit + self.weight * attention @ self.anchors, dim=1)
        return torch.cat([moved * known.norm(dim=1, keepdim=True), rest], 1)
