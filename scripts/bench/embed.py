"""Embedding photos, beside PyTorch, decoding alone, the forward pass alone and beside a loop over them."""

from pathlib import Path

import numpy as np
import torch

from decoding import decode_all
from options import Options
from sketchy.inference.torch_engine import TorchEngine, describe, read_checkpoint
from sketchy.retrieval.model import Model, load_model
from sketchy.runtime import keep_freed_memory
from timing import Table, in_turns


def measure(options: Options) -> Table:
    """Measure images per second."""
    keep_freed_memory()  # as `sketchy embed` does
    model, beside = load_model(options.checkpoint, "cpu"), by_torch(options.checkpoint, torch.device("cpu"))
    paths = options.images("*.jpg")[: 128 if options.quick else 512]
    pixels = np.stack([model.preprocess.load(path, "photo") for path in paths])
    reads = [path.read_bytes for path in paths]
    variants = {
        "embedding files": lambda: model.embed_files(paths, "photo"),
        "the forward pass alone": lambda: model.embed_prepared(pixels, len(pixels), "photo"),
        "embedding files, by PyTorch": lambda: beside.embed_files(paths, "photo"),
        "decoding alone, on all cores": lambda: decode_all(reads, model.preprocess.size),
        "one by one": lambda: [model.embed(path, "photo") for path in paths],
    }
    return in_turns(variants, len(paths), options.turns)


def by_torch(checkpoint: Path, device: torch.device) -> Model:
    """Load a model to compute with PyTorch, whether it was exported or not."""
    loaded = read_checkpoint(checkpoint)
    return Model(describe(loaded), TorchEngine(loaded.encoder(), device), checkpoint)
