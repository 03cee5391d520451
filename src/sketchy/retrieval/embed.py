"""The forward pass outside training: from preprocessed images to embeddings."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sketchy.image import Kind
from sketchy.model.encoder import Encoder
from sketchy.progress import Progress, no_progress

BATCH_SIZE = 128
"""Images in a forward pass; more gains nothing on a CPU and little on a GPU."""


def embed_pixels(
    encoder: Encoder,
    pixels: NDArray[np.uint8],
    kind: Kind,
    rows: NDArray[np.int64] | None = None,
    *,
    progress: Progress = no_progress,
    label: str = "embedding",
    batch_size: int = BATCH_SIZE,
) -> Tensor:
    """Embed preprocessed images in batches, without gradients and in evaluation mode.

    Args:
        encoder: On the device that computes; its mode is put back afterwards.
        pixels: Preprocessed images, shape (N, C, S, S), uint8, possibly memory-mapped.
        kind: What all of them are.
        rows: Which of them to embed, in this order, shape (M,); None takes all.
        progress: Shows the progress.
        label: Of the progress bar.
        batch_size: Images in a forward pass.

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
