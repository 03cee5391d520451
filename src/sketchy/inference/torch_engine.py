"""The engine for GPUs, and for checkpoints without an exported model: PyTorch."""

import threading
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sketchy.image import Kind
from sketchy.inference.description import Description
from sketchy.inference.engine import Engine
from sketchy.inference.exported import WORDS, is_exported, read_exported
from sketchy.model.checkpoint import Checkpoint, load_checkpoint
from sketchy.model.encoder import Encoder
from sketchy.model.folding import folded
from sketchy.progress import Progress, no_progress
from sketchy.runtime import to_device

BATCH_SIZE = 128
"""Images per forward pass; more are no faster on a CPU and hardly faster on a GPU."""

AHEAD = 8
"""Batches that a GPU may be given before it is waited for, which bounds the memory that they take on the CPU."""

FOLD_FROM = BATCH_SIZE
"""Images from which on folding the network pays: it takes as long as about fifty images, and halves their time."""


class TorchEngine(Engine):
    """An engine on a checkpoint and a device.

    Args:
        encoder: The network, in evaluation mode.
        device: Device to compute on.
    """

    name = "PyTorch"
    batch_size = BATCH_SIZE
    workers = 1

    def __init__(self, encoder: Encoder, device: torch.device) -> None:
        self.encoder = encoder.to(device)
        self._device = device
        self._embedded = 0
        self._mutex = threading.Lock()  # norms by domain keep the kind of the batch as state

    def embed(self, pixels: NDArray[np.uint8], kind: Kind) -> NDArray[np.float32]:
        with self._mutex:
            self._embedded += len(pixels)
            found: NDArray[np.float32] = embed_pixels(self.encoder_for(self._embedded), pixels, kind).numpy()
            return found

    def encoder_for(self, count: int) -> Encoder:
        """Return the network for embedding `count` images: a folded, faster one if there are many."""
        return self._folded if count >= FOLD_FROM else self.encoder

    def share_cores(self) -> None:
        torch.set_num_threads(max(1, torch.get_num_threads() // 2))

    @cached_property
    def _folded(self) -> Encoder:
        return folded(self.encoder) if self._device.type == "cpu" else self.encoder


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a .pth, or the checkpoint that an exported model holds, onto the CPU. Raises CheckpointError."""
    if not is_exported(path):
        return load_checkpoint(path)
    exported = read_exported(path)
    description = exported.description
    return Checkpoint(
        config=description.config,
        categories=description.categories,
        epoch=description.epoch,
        metrics=dict(description.metrics),
        weights={name: torch.from_numpy(array.copy()) for name, array in exported.weights.items() if name != WORDS},
        calibration=description.calibration,
        probes=None if description.probes is None else torch.from_numpy(description.probes.copy()),
        dataset=description.dataset,
        anchors={name: torch.from_numpy(vector.copy()) for name, vector in description.words.items()} or None,
    )


def describe(checkpoint: Checkpoint) -> Description:
    """Return the description of a checkpoint."""
    return Description(
        format=checkpoint.format,
        settings=checkpoint.config.model_dump(mode="json"),
        fingerprint=checkpoint.fingerprint(),
        categories=checkpoint.categories,
        epoch=checkpoint.epoch,
        metrics=checkpoint.metrics,
        calibration=checkpoint.calibration,
        probes=None if checkpoint.probes is None else checkpoint.probes.numpy(),
        dataset=checkpoint.dataset,
        weights_count=sum(weight.numel() for weight in checkpoint.weights.values()),
        words={name: vector.half().numpy() for name, vector in (checkpoint.anchors or {}).items()},
    )


class Images(Protocol):
    """Preprocessed images of one shape: an array, or what reads or draws them when they are asked for."""

    def __len__(self) -> int:
        """Return the number of images."""

    def __getitem__(self, rows: NDArray[np.int64], /) -> NDArray[np.uint8]:
        """Return the images of (B,) rows, shape (B, C, S, S)."""


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
        pixels: Preprocessed images, shape (N, C, S, S), uint8, possibly memory-mapped.
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
    embeddings = torch.empty(len(rows), encoder.embedding_size, device=device)
    with torch.inference_mode(), progress(label, len(rows), "image") as advance:
        for start in range(0, len(rows), batch_size):
            batch = torch.from_numpy(np.ascontiguousarray(pixels[rows[start : start + batch_size]]))
            embeddings[start : start + len(batch)] = encoder(to_device(batch, device), kind)
            advance(len(batch))
            if device.type == "cuda" and start // batch_size % AHEAD == AHEAD - 1:
                torch.cuda.current_stream(device).synchronize()
    encoder.train(was_training)
    return embeddings.cpu()
