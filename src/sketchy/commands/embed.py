"""`sketchy embed`: embeddings of images as an .npz, for people with their own tools."""

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from sketchy.errors import DataError
from sketchy.image import Kind
from sketchy.model.checkpoint import load_checkpoint
from sketchy.results import Embedded, Skipped, left_out_text
from sketchy.retrieval.embed import Embedder
from sketchy.retrieval.walk import walk
from sketchy.runtime import keep_freed_memory, pick_device
from sketchy.storage import refuse_replacing, refuse_unwritable, replacing
from sketchy.talk import SILENT, Talk


def run(
    images: Sequence[Path], kind: Kind, out: Path, checkpoint: Path, *, device: str = "auto", talk: Talk = SILENT
) -> Embedded:
    """Embed images and write `paths` (N,) and `embeddings` (N, D) float32.

    Args:
        images: files, and folders to walk.
        kind: what all of them are.
        out: the .npz to write; replaced if it is there.
        checkpoint: a .pth file.

    Raises:
        DataError: no image could be embedded.
        CheckpointError, StorageError: what is missing or unusable.
    """
    refuse_unwritable(out)
    refuse_replacing(out, [*images, checkpoint], "input")
    keep_freed_memory()
    embedder = Embedder.of(load_checkpoint(checkpoint), pick_device(device))
    skipped: list[Skipped] = []
    left_out: Counter[str] = Counter()
    found = (walk([image], skipped.append, lambda left: left_out.update([left.reason])) for image in images)
    paths = [Path(file.path) for file in chain.from_iterable(found)]
    if not paths:
        reasons = f"{left_out_text(left_out)}; " if left_out else ""
        raise DataError(f"no images below {', '.join(map(str, images))}; {reasons}name image files or folders of them")
    embedded = embedder.embed_files(paths, kind, talk)
    if not embedded.paths:
        first = embedded.skipped[0]
        raise DataError(
            f"none of {len(paths)} images could be embedded; {first.path}: {first.reason}; name image files or folders "
            "of them"
        )
    with replacing(out) as temporary, temporary.open("wb") as file:
        np.savez(file, paths=np.array([str(path) for path in embedded.paths]), embeddings=embedded.embeddings.numpy())
    return Embedded(
        str(out), len(embedded.paths), embedded.embeddings.shape[1], (*skipped, *embedded.skipped), left_out
    )
