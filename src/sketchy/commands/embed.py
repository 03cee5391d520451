"""`sketchy embed`: embeddings of images as an .npz, for people with their own tools."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sketchy.errors import DataError
from sketchy.image import Kind
from sketchy.model.checkpoint import load_checkpoint
from sketchy.results import Embedded, Skipped
from sketchy.retrieval.embed import Embedder
from sketchy.retrieval.walk import walk
from sketchy.runtime import keep_freed_memory, pick_device
from sketchy.storage import refuse_unwritable, replacing
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
    keep_freed_memory()
    embedder = Embedder.of(load_checkpoint(checkpoint), pick_device(device))
    skipped: list[Skipped] = []
    paths = [Path(found.path) for image in images for found in walk([image], skipped.append)]
    if not paths:
        raise DataError(f"no images below {', '.join(map(str, images))}; name image files or folders of them")
    embedded = embedder.embed_files(paths, kind, talk)
    if not embedded.paths:
        first = embedded.skipped[0]
        raise DataError(
            f"none of {len(paths)} images could be embedded; {first.path}: {first.reason}; name image files or folders "
            "of them"
        )
    with replacing(out) as temporary, temporary.open("wb") as file:
        np.savez(file, paths=np.array([str(path) for path in embedded.paths]), embeddings=embedded.embeddings.numpy())
    return Embedded(str(out), len(embedded.paths), embedded.embeddings.shape[1], (*skipped, *embedded.skipped))
