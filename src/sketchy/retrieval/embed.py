"""The only way from images to embeddings outside training."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sketchy.errors import ImageError
from sketchy.image import Kind
from sketchy.model.checkpoint import Checkpoint
from sketchy.model.encoder import Encoder
from sketchy.model.folding import folded
from sketchy.preprocess import Preprocess, build_preprocess
from sketchy.results import Skipped
from sketchy.talk import SILENT, Talk

BATCH_SIZE = 128
"""Images a forward pass outside training; more gains nothing on a CPU and little on a GPU."""
FOLD_FROM = BATCH_SIZE
"""Images to embed for which folding the network pays: it takes the time of some fifty, and halves that of each."""
DECODED_AHEAD = 2 * BATCH_SIZE
"""Files decoded before the network asks for them; what bounds the memory of a large folder."""


@dataclass(frozen=True)
class FileEmbeddings:
    """Embeddings of the files that could be read.

    Attributes:
        paths: the N readable files, in the order they were given.
        embeddings: (N, D) float32 on the CPU.
        skipped: the others, with the reason.
    """

    paths: tuple[Path, ...]
    embeddings: Tensor
    skipped: tuple[Skipped, ...]


class Embedder:
    """An encoder with the preprocessing it was trained with, on one device.

    Attributes:
        probes: (Q, D) float32, embeddings of a few sketches that were not trained on; None where there are none.
    """

    def __init__(
        self, encoder: Encoder, preprocess: Preprocess, device: torch.device, probes: Tensor | None = None
    ) -> None:
        self.probes: NDArray[np.float32] | None = None if probes is None else probes.numpy()
        self.encoder = encoder.to(device).eval()
        self.preprocess = preprocess
        self.device = device

    @classmethod
    def of(cls, checkpoint: Checkpoint, device: torch.device, *, fold: bool = False) -> "Embedder":
        """Rebuild what a checkpoint saved.

        Args:
            checkpoint: a loaded one.
            device: where to compute.
            fold: spend a second to make the network faster on a CPU, for those who ask many times.

        Raises:
            CheckpointError: the weights do not fit.
        """
        made = cls(checkpoint.encoder(), build_preprocess(checkpoint.config.image), device, checkpoint.probes)
        if fold:
            made.encoder = made._folded
        return made

    @cached_property
    def _folded(self) -> Encoder:
        return folded(self.encoder) if self.device.type == "cpu" else self.encoder

    def encoder_for(self, count: int) -> Encoder:
        """Return the encoder to embed so many images with: a faster one where they are many."""
        return self._folded if count >= FOLD_FROM else self.encoder

    def embed_image(self, source: Path | bytes, kind: Kind) -> Tensor:
        """Embed one image file to (D,) float32 on the CPU. Raises ImageError."""
        return embed_pixels(self.encoder, self.preprocess.load(source, kind)[None], kind)[0]

    def embed_files(self, paths: Sequence[Path], kind: Kind, talk: Talk = SILENT) -> FileEmbeddings:
        """Embed files, decoding ahead on all cores; unreadable ones are skipped, not raised."""
        kept: list[Path] = []
        skipped: list[Skipped] = []
        waiting: list[NDArray[np.uint8]] = []
        embeddings = torch.empty(len(paths), self.encoder.embedding_size)  # whole: small parts would scatter the memory
        encoder = self.encoder_for(len(paths))
        with talk.bar("embedding", len(paths), "image") as advance:
            for path, pixels in self._decoded(paths, kind):
                if isinstance(pixels, ImageError):
                    skipped.append(Skipped(str(path), str(pixels)))
                else:
                    kept.append(path)
                    waiting.append(pixels)
                if len(waiting) == BATCH_SIZE:
                    embeddings[len(kept) - BATCH_SIZE : len(kept)] = embed_pixels(encoder, np.stack(waiting), kind)
                    waiting.clear()
                advance(1)
            if waiting:
                embeddings[len(kept) - len(waiting) : len(kept)] = embed_pixels(encoder, np.stack(waiting), kind)
        return FileEmbeddings(tuple(kept), embeddings[: len(kept)], tuple(skipped))

    def _decoded(self, paths: Sequence[Path], kind: Kind) -> Iterator[tuple[Path, NDArray[np.uint8] | ImageError]]:
        """Yield every path with its pixels or the reason why there are none, in order, a bounded number ahead."""

        def load(path: Path) -> NDArray[np.uint8] | ImageError:
            try:
                return self.preprocess.load(path, kind)
            except ImageError as error:
                return error

        with ThreadPoolExecutor() as pool:
            for start in range(0, len(paths), DECODED_AHEAD):
                chunk = paths[start : start + DECODED_AHEAD]
                yield from zip(chunk, pool.map(load, chunk), strict=True)


def embed_pixels(
    encoder: Encoder,
    pixels: NDArray[np.uint8],
    kind: Kind,
    rows: NDArray[np.int64] | None = None,
    talk: Talk = SILENT,
    label: str = "embedding",
) -> Tensor:
    """Embed preprocessed images in batches, without gradients and in evaluation mode.

    Args:
        encoder: on the device that computes; its mode is put back afterwards.
        pixels: (N, C, S, S) uint8, possibly memory-mapped.
        kind: what all of them are.
        rows: (M,) which of them, in this order; None takes all.
        label: of the progress bar.

    Returns:
        (M, D) float32 on the CPU.
    """
    rows = np.arange(len(pixels)) if rows is None else rows
    device = next(encoder.parameters()).device
    was_training = encoder.training
    encoder.eval()
    embeddings = torch.empty(len(rows), encoder.embedding_size)
    with torch.inference_mode(), talk.bar(label, len(rows), "image") as advance:
        for start in range(0, len(rows), BATCH_SIZE):
            batch = torch.from_numpy(np.asarray(pixels[rows[start : start + BATCH_SIZE]]))
            embeddings[start : start + len(batch)] = encoder(batch.to(device), kind)
            advance(len(batch))
    encoder.train(was_training)
    return embeddings
