"""`sketchy export`: the encoder for programs that have no torch."""

from pathlib import Path

import numpy as np
import torch

from sketchy.demo import draw_pair
from sketchy.errors import CheckpointError
from sketchy.extras import require
from sketchy.image import Kind
from sketchy.model.checkpoint import load_checkpoint
from sketchy.preprocess import Preprocess, build_preprocess
from sketchy.results import Exported
from sketchy.storage import refuse_replacing, refuse_unwritable, replacing

TRIED = ("butterfly", "cup", "hat", "house")
"""Categories of the demo data whose pictures the file is tried with."""
FARTHEST = 1e-4
"""How far a number of an embedding may be from the checkpoint's."""


def run(checkpoint: Path, kind: Kind, out: Path) -> Exported:
    """Write the encoder of a checkpoint as ONNX, and compare both on drawn pictures.

    Args:
        checkpoint: A .pth file.
        kind: Kind of the images that the exported model embeds.
        out: The .onnx to write; an existing file is replaced.

    Raises:
        CheckpointError: it cannot be loaded or written as ONNX, or what was written computes something else.
        MissingExtraError: a package is not installed.
        StorageError: `out` cannot be written.
    """
    require("onnx", "writing ONNX")
    refuse_unwritable(out)
    refuse_replacing(out, [checkpoint], "checkpoint")
    from sketchy.model.onnx import open_onnx, write_onnx  # onnxscript is slow to import

    loaded = load_checkpoint(checkpoint)
    encoder, preprocess = loaded.encoder(), build_preprocess(loaded.config.image)
    pictures = _pictures(preprocess, kind)
    with torch.inference_mode():
        expected = encoder(torch.from_numpy(pictures), kind).numpy()
    with replacing(out) as temporary:
        write_onnx(temporary, encoder, kind, preprocess, loaded.fingerprint())
        difference = float(np.abs(open_onnx(temporary)(pictures) - expected).max())
        if not difference <= FARTHEST:  # neither is NaN
            raise CheckpointError(
                f"the ONNX of {checkpoint} is {difference:.1e} off, so it was not written; report this"
            )
    return Exported(str(out), kind, preprocess.shape(kind), expected.shape[1], out.stat().st_size, difference)


def _pictures(preprocess: Preprocess, kind: Kind) -> np.ndarray:
    made = []
    for category in TRIED:
        photo, (sketch,) = draw_pair(category)
        made.append(preprocess.photo(photo) if kind == "photo" else preprocess.sketch(sketch))
    return np.stack(made)
