"""Embedding photos, beside decoding alone, beside the forward pass alone and beside a loop over them."""

import numpy as np

from decoding import decode_all
from options import Options
from sketchy.retrieval.embed import embed_pixels
from sketchy.retrieval.model import load_model
from sketchy.runtime import keep_freed_memory
from timing import Table, in_turns


def measure(options: Options) -> Table:
    """Measure images per second."""
    keep_freed_memory()  # as `sketchy embed` does
    model = load_model(options.checkpoint)
    paths = options.images("*.jpg")[: 128 if options.quick else 512]
    pixels = np.stack([model.preprocess.load(path, "photo") for path in paths])
    reads = [path.read_bytes for path in paths]
    variants = {
        "embedding files": lambda: model.embed_files(paths, "photo"),
        "the forward pass alone": lambda: embed_pixels(model.encoder_for(len(paths)), pixels, "photo"),
        "decoding alone, on all cores": lambda: decode_all(reads, model.preprocess.size),
        "one by one": lambda: [model.embed(path, "photo") for path in paths],
    }
    return in_turns(variants, len(paths), options.turns)
