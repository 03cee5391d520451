"""Inference: from preprocessed images to embeddings."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sketchy.image import Kind
from sketchy.model.encoder import Encoder
from sketchy.progress import Progress, no_progress


class Images(Protocol):
    """Preprocessed images of one shape: an array, or what reads or draws them when they are asked for."""

    def __len__(self) -> int:
        """Return the number of images."""

    def __getitem__(self, rows: NDArray[np.int64], /) -> NDArray[np.uint8]:
        """Return the images of (B,) rows, shape (B, C, S, S)."""


BATCH_SIZE = 128
"""Images per forward pass; more are no faster on a CPU and hardly faster on a GPU."""


def embed_pixels(
    encoder: Encoder,
    pixels: Images,
    kind: Kind,
    rows: NDArray[np.int64] | None = None,
    *,
    progress: Progress = no_progress,
    label: str = "embedding",
    batch_size: int = BATCH_SIZE,
) -> Tensor:
    """Embed preprocessed images in batches, without gradients and in evaluation mode.

    Args:
        encoder: Network on its device; its training mode is restored afterwards.
        pixels: Preprocessed images, shape (N, C, S, S), uint8, such as a memory-mapped array.
        kind: Kind of all images.
        rows: Indices of the images to embed, in this order, shape (M,); None embeds all.
        progress: Shows the progress.
        label: Label of the progress bar.
        batch_size: Images per forward pass.

    Returns:
        Embeddings, shape (M, D), float32, on the CPU.
    """
    rows = np.arange(len(pixels)) if rows is None else rows
    device = next(encoder.parameters()).device
    was_training = encoder.training
    encoder.eval()
    embeddings = torch.empty(len(rows), encoder.embedding_size)
    with torch.inference_mode(), progress(label, len(rows), "image") as advance:
        for start in range(0, len(rows), batch_size):
            batch = torch.from_numpy(np.asarray(pixels[rows[start : start + batch_size]]))
            embeddings[start : start + len(batch)] = encoder(batch.to(device), kind)
            advance(len(batch))
    encoder.train(was_training)
    return embeddings
