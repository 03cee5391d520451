"""Embedding photos, beside decoding alone, beside the forward pass alone and beside a loop over them."""

import numpy as np

from decoding import decode_all
from options import Options
from sketchy.model.checkpoint import load_checkpoint
from sketchy.retrieval.embed import Embedder, embed_pixels
from sketchy.runtime import keep_freed_memory, pick_device
from timing import Table, in_turns


def measure(options: Options) -> Table:
    """Measure images per second."""
    keep_freed_memory()  # as `sketchy embed` does
    loaded, device = load_checkpoint(options.checkpoint), pick_device("auto")
    model = Embedder.of(loaded, device)
    paths = options.images("*.jpg")[: 128 if options.quick else 512]
    pixels = np.stack([model.preprocess.load(path, "photo") for path in paths])
    reads = [path.read_bytes for path in paths]
    variants = {
        "embedding files": lambda: model.embed_files(paths, "photo"),
        "the forward pass alone": lambda: embed_pixels(model.encoder_for(len(paths)), pixels, "photo"),
        "decoding alone, on all cores": lambda: decode_all(reads, model.preprocess.size),
        "one by one": lambda: [model.embed_image(path, "photo") for path in paths],
    }
    return in_turns(variants, len(paths), options.turns)
