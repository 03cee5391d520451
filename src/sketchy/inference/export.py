"""Exporting a checkpoint: the networks as ONNX, and all else that searching needs, in one file."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sketchy.demo import draw_pair
from sketchy.errors import CheckpointError
from sketchy.extras import require_torch
from sketchy.image import Kind
from sketchy.inference.exported import KINDS, WEIGHTS, WORDS, ExportedModel, Graph, table_of, write_exported
from sketchy.inference.onnx_engine import OnnxEngine
from sketchy.inference.torch_engine import describe, embed_pixels
from sketchy.model.checkpoint import Checkpoint
from sketchy.model.encoder import Encoder
from sketchy.preprocess import Preprocess

EXAMPLES = 2
"""Batch size of the trace; the graph takes any batch size."""
CHECKED_CATEGORIES = ("butterfly", "cup", "hat", "house")
"""Categories of the demo data whose images an exported model is checked with."""
TOLERANCE = 1e-4
"""Largest absolute difference allowed between the embeddings of the two engines."""
PREFIX = "encoder."
ANCHORS = PREFIX + "anchors.anchors"
"""Name of the anchors in a trace, which the file holds once, with their names."""


class _OfKind(nn.Module):
    """An encoder for images of one kind only."""

    def __init__(self, encoder: Encoder, kind: Kind) -> None:
        super().__init__()
        self.encoder = encoder
        self.kind: Kind = kind

    def forward(self, images: Tensor) -> Tensor:
        embeddings: Tensor = self.encoder(images, self.kind)
        return embeddings


def export_model(checkpoint: Checkpoint, out: Path, digest: str) -> float:
    """Write the exported model of a checkpoint, after checking that both give the same embeddings.

    Args:
        checkpoint: The checkpoint.
        out: The file to write; an existing one is replaced.
        digest: Digest of the file of the checkpoint, see `digest_of`.

    Returns:
        The largest difference of two embeddings.

    Raises:
        CheckpointError: ONNX cannot express the network, or gives other embeddings.
        MissingExtraError: A package is not installed.
        StorageError: The file cannot be written.
    """
    exported = to_exported(checkpoint)
    difference = _difference(checkpoint.encoder(), exported)
    if not difference <= TOLERANCE:  # also true for NaN
        raise CheckpointError(
            f"the exported model differs by {difference:.1e}, so nothing was written; please report this"
        )
    write_exported(out, exported, digest)
    return difference


def to_exported(checkpoint: Checkpoint) -> ExportedModel:
    """Trace the networks of a checkpoint. Raises CheckpointError, MissingExtraError."""
    require_torch("exporting a model")
    weights = {name: np.asarray(tensor.cpu().numpy(), order="C") for name, tensor in checkpoint.weights.items()}
    encoder, description = checkpoint.encoder(), describe(checkpoint)
    if description.words:
        weights[WORDS] = np.stack(list(description.words.values()))
    graphs = {kind: _traced(encoder, kind, description.preprocess, weights) for kind in KINDS}
    return ExportedModel(description, graphs, weights)


def _traced(encoder: Encoder, kind: Kind, preprocess: Preprocess, weights: Mapping[str, NDArray[Any]]) -> Graph:
    """Trace the network of a kind. Batch norms stay, so that the graphs of both kinds share all other weights."""
    from onnxscript import optimizer

    example = torch.zeros(EXAMPLES, *preprocess.shape(kind), dtype=torch.uint8)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about internals of torch and onnxscript
            program = torch.onnx.export(
                _OfKind(encoder, kind).eval(),
                (example,),
                dynamo=True,
                verbose=False,
                optimize=False,  # would fold the batch norms
                input_names=["images"],
                output_names=["embeddings"],
                dynamic_shapes=({0: torch.export.Dim("images")},),
            )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error).strip().partition("\n")[0]
        raise CheckpointError(f"the network cannot be written as ONNX: {reason}; use another backbone") from error
    assert program is not None  # None only if a model is split over several files
    optimizer.inline(program.model)
    optimizer.fold_constants(program.model)
    optimizer.remove_unused_nodes(program.model)
    return _with_external_weights(program.model, weights)


def _with_external_weights(model: Any, weights: Mapping[str, NDArray[Any]]) -> Graph:
    """Let a graph of onnx_ir take its weights from weights.bin, which has some of them as float16."""
    import onnx_ir as ir
    import onnx_ir.passes.common

    table, used = table_of(weights), []
    for name, value in list(model.graph.initializers.items()):
        own = WORDS if name == ANCHORS else name.removeprefix(PREFIX)
        stored = weights.get(own)
        if stored is None or not name.startswith(PREFIX):
            continue
        dtype = ir.DataType.from_numpy(stored.dtype)
        data = ir.ExternalTensor(
            WEIGHTS, table[own]["offset"], stored.nbytes, dtype, shape=ir.Shape(stored.shape), name=own
        )
        kept = ir.Value(name=own, type=ir.TensorType(dtype), shape=ir.Shape(stored.shape), const_value=data)
        model.graph.initializers.add(kept)
        if dtype == value.dtype:
            value.replace_all_uses_with(kept)
        else:
            cast = ir.node("Cast", [kept], {"to": value.dtype})
            value.replace_all_uses_with(cast.outputs[0])
            model.graph.insert_before(model.graph[0], cast)
        del model.graph.initializers[name]
        used.append(own)
    ir.passes.common.ClearMetadataAndDocStringPass()(model)  # paths of this machine
    return Graph(ir.to_proto(model).SerializeToString(), tuple(used))


def _difference(encoder: Encoder, exported: ExportedModel) -> float:
    """Return the largest difference between the embeddings of both engines, on a few images."""
    engine, preprocess = OnnxEngine(exported), exported.description.preprocess
    largest = []
    for kind in KINDS:
        pictures = []
        for category in CHECKED_CATEGORIES:
            photo, (sketch,) = draw_pair(category)
            pictures.append(preprocess.photo(photo) if kind == "photo" else preprocess.sketch(sketch))
        pixels = np.stack(pictures)
        largest.append(np.abs(engine.embed(pixels, kind) - embed_pixels(encoder, pixels, kind).numpy()).max())
    return float(np.max(largest))  # NaN if one of them is
