"""`sketchy embed`: embeddings of images as an .npz file, for use in other programs."""

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from sketchy.errors import DataError
from sketchy.image import Kind
from sketchy.progress import Progress, no_progress
from sketchy.results import Embedded, Skipped, left_out_text
from sketchy.retrieval.model import load_model
from sketchy.retrieval.scan import walk
from sketchy.runtime import keep_freed_memory
from sketchy.storage import refuse_replacing, refuse_unwritable, replacing


def run(
    images: Sequence[Path],
    kind: Kind,
    out: Path,
    checkpoint: Path,
    *,
    device: str = "auto",
    progress: Progress = no_progress,
) -> Embedded:
    """Embed images and write an .npz with `paths`, shape (N,), and `embeddings`, shape (N, D), float32.

    Args:
        images: Image files, and folders of images.
        kind: Whether the images are photos or sketches.
        out: The .npz file to write; an existing one is replaced.
        checkpoint: A .pth file, or an exported model.
        device: See `pick_device`.
        progress: Shows the progress.

    Raises:
        DataError: No image could be embedded.
        CheckpointError, StorageError: The checkpoint cannot be used, or `out` cannot be written.
    """
    refuse_unwritable(out)
    refuse_replacing(out, [*images, checkpoint], "input")
    keep_freed_memory()
    model = load_model(checkpoint, device)
    paths, skipped, left_out = _find(images)
    embedded = model.embed_files(paths, kind, progress)
    if not embedded.paths:
        first = embedded.skipped[0]
        raise DataError(
            f"none of {len(paths)} images could be embedded; {first.path}: {first.reason}; name image files or folders "
            "of them"
        )
    with replacing(out) as temporary, temporary.open("wb") as file:
        np.savez(file, paths=np.array([str(path) for path in embedded.paths]), embeddings=embedded.embeddings)
    return Embedded(
        str(out), len(embedded.paths), embedded.embeddings.shape[1], (*skipped, *embedded.skipped), left_out
    )


def _find(images: Sequence[Path]) -> tuple[list[Path], list[Skipped], Counter[str]]:
    """Return the image files, what cannot be read, and how many other files there are, by reason."""
    skipped: list[Skipped] = []
    left_out: Counter[str] = Counter()
    found = (walk([image], skipped.append, lambda left: left_out.update([left.reason])) for image in images)
    paths = []
    for path in (Path(file.path) for file in chain.from_iterable(found)):
        if path not in images and _is_special(path):
            skipped.append(Skipped(str(path), "is not a regular file"))
        else:
            paths.append(path)
    if not paths:
        reasons = f"{left_out_text(left_out)}; " if left_out else ""
        raise DataError(f"no images below {', '.join(map(str, images))}; {reasons}name image files or folders of them")
    return paths, skipped, left_out


def _is_special(path: Path) -> bool:
    """Whether a path is a pipe, a socket or a device, which a read may wait for without end."""
    return path.exists() and not path.is_file() and not path.is_dir()
