"""`sketchy export`: the encoder as ONNX, for programs without PyTorch."""

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

CHECKED_CATEGORIES = ("butterfly", "cup", "hat", "house")
"""Categories of the demo data whose images the ONNX file is checked with."""
TOLERANCE = 1e-4
"""Largest absolute difference allowed between embeddings of the ONNX file and of the checkpoint."""


def run(checkpoint: Path, kind: Kind, out: Path) -> Exported:
    """Write the encoder of a checkpoint as ONNX, after checking that both give the same embeddings.

    Args:
        checkpoint: A .pth file.
        kind: Kind of image that the exported encoder embeds.
        out: The .onnx file to write; an existing one is replaced.

    Raises:
        CheckpointError: The checkpoint cannot be loaded or exported, or the ONNX file gives other embeddings.
        MissingExtraError: A package is not installed.
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
        if not difference <= TOLERANCE:  # also true for NaN
            raise CheckpointError(
                f"the ONNX of {checkpoint} differs by {difference:.1e}, so nothing was written; please report this"
            )
    return Exported(str(out), kind, preprocess.shape(kind), expected.shape[1], out.stat().st_size, difference)


def _pictures(preprocess: Preprocess, kind: Kind) -> np.ndarray:
    made = []
    for category in CHECKED_CATEGORIES:
        photo, (sketch,) = draw_pair(category)
        made.append(preprocess.photo(photo) if kind == "photo" else preprocess.sketch(sketch))
    return np.stack(made)
