"""An encoder as an ONNX file: embeddings without torch. Imported only where one is asked for."""

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
from sketchy.image import Kind, Preprocess
from sketchy.model.encoder import Encoder
from sketchy.model.folding import folded

EXAMPLES = 2
"""Images that the network is traced with; the file takes any number."""

Run = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""(B, C, S, S) uint8 images in, (B, D) embeddings out."""


class _OfKind(nn.Module):
    """An encoder for images of one kind."""

    def __init__(self, encoder: Encoder, kind: Kind) -> None:
        super().__init__()
        self.encoder = encoder
        self.kind: Kind = kind

    def forward(self, images: Tensor) -> Tensor:
        embeddings: Tensor = self.encoder(images, self.kind)
        return embeddings


def write_onnx(path: Path, encoder: Encoder, kind: Kind, preprocess: Preprocess, model: str) -> None:
    """Write what an encoder does to images of a kind.

    The input `images` is (B, C, S, S) uint8 as `Preprocess.load` gives them (C is 1 for sketches), the output
    `embeddings` (B, D) float32, for any B. The file's metadata say `kind`, `preprocess` (JSON) and `model`.

    Args:
        path: the file; written over.
        encoder: on the CPU; batch norms are folded in a copy of it.
        kind: of the images.
        preprocess: what is to be done to them before.
        model: the checkpoint's fingerprint: embeddings of two models must never be compared.

    Raises:
        CheckpointError: the network does what ONNX cannot say.
    """
    example = torch.zeros(EXAMPLES, *preprocess.shape(kind), dtype=torch.uint8)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the insides of torch and onnxscript
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
    assert program is not None  # as it is for networks that are not split over files
    facts = {"kind": kind, "preprocess": json.dumps(asdict(preprocess)), "model": model}
    program.model.metadata_props.update(facts)
    program.save(path, external_data=False)


def open_onnx(path: Path) -> Run:
    """Return what computes the embeddings of a file of `write_onnx` by ONNX Runtime, on the CPU."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        (embeddings,) = session.run(["embeddings"], {"images": images})
        return np.asarray(embeddings, np.float32)

    return run
