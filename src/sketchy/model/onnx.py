"""An encoder as an ONNX file: embeddings without torch. Imported only for an export."""

import json
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sketchy.errors import CheckpointError
from sketchy.image import Kind
from sketchy.model.encoder import Encoder
from sketchy.model.folding import folded
from sketchy.preprocess import Preprocess

EXAMPLES = 2
"""Batch size of the trace; the file takes any batch size."""

Run = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Maps (B, C, S, S) uint8 images to (B, D) embeddings."""


class _OfKind(nn.Module):
    """An encoder for images of one kind only."""

    def __init__(self, encoder: Encoder, kind: Kind) -> None:
        super().__init__()
        self.encoder = encoder
        self.kind: Kind = kind

    def forward(self, images: Tensor) -> Tensor:
        embeddings: Tensor = self.encoder(images, self.kind)
        return embeddings


def write_onnx(path: Path, encoder: Encoder, kind: Kind, preprocess: Preprocess, model: str) -> None:
    """Write an encoder for images of a kind.

    The input `images` is (B, C, S, S) uint8 as `Preprocess.load` gives them (C is 1 for sketches), the output
    `embeddings` (B, D) float32, for any B. The file's metadata say `kind`, `preprocess` (JSON) and `model`.

    Args:
        path: The file; it is overwritten.
        encoder: The encoder, on the CPU; batch norms are folded in a copy of it.
        kind: Kind of the images.
        preprocess: Preprocessing of the images.
        model: Fingerprint of the checkpoint: embeddings of two models must never be compared.

    Raises:
        CheckpointError: ONNX cannot express the network.
    """
    example = torch.zeros(EXAMPLES, *preprocess.shape(kind), dtype=torch.uint8)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about internals of torch and onnxscript
            program = torch.onnx.export(
                _OfKind(folded(encoder), kind).eval(),
                (example,),
                dynamo=True,
                verbose=False,
                input_names=["images"],
                output_names=["embeddings"],
                dynamic_shapes=({0: torch.export.Dim("images")},),
            )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error).strip().partition("\n")[0]
        raise CheckpointError(f"the network cannot be written as ONNX: {reason}; use another backbone") from error
    assert program is not None  # None only if a model is split over several files
    facts = {"kind": kind, "preprocess": json.dumps(asdict(preprocess)), "model": model}
    program.model.metadata_props.update(facts)
    program.save(path, external_data=False)


def open_onnx(path: Path) -> Run:
    """Return the function that a file of `write_onnx` holds, run by ONNX Runtime on the CPU."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        (embeddings,) = session.run(["embeddings"], {"images": images})
        return np.asarray(embeddings, np.float32)

    return run
