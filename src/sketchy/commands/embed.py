"""`sketchy embed`: embeddings of images as an .npz file, for use in other programs."""

import logging
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

log = logging.getLogger(__name__)


def run(
    images: Sequence[Path],
    kind: Kind,
    out: Path,
    checkpoint: Path,
    *,
    name_left_out: bool = False,
    device: str = "auto",
    progress: Progress = no_progress,
) -> Embedded:
    """Embed images and write an .npz with `paths`, shape (N,), and `embeddings`, shape (N, D), float32.

    Args:
        images: Image files, and folders of images.
        kind: Whether the images are photos or sketches.
        out: The .npz file to write; an existing one is replaced.
        checkpoint: A .pth file, or an exported model.
        name_left_out: Log every file that is left out.
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
    paths, skipped, left_out = _find(images, name_left_out)
    embedded = model.embed_files(paths, kind, progress)
    if not embedded.paths:
        first = embedded.skipped[0]
        none = f"none of {len(paths):,} images" if len(paths) > 1 else "no image"
        raise DataError(f"{none} could be embedded; {first.path}: {first.reason}; name image files or folders of them")
    with replacing(out) as temporary, temporary.open("wb") as file:
        np.savez(file, paths=np.array([str(path) for path in embedded.paths]), embeddings=embedded.embeddings)
    return Embedded(
        str(out), len(embedded.paths), embedded.embeddings.shape[1], (*skipped, *embedded.skipped), left_out
    )


def _find(images: Sequence[Path], name_left_out: bool) -> tuple[list[Path], list[Skipped], Counter[str]]:
    """Return the image files, each once, what cannot be read, and how many other files there are, by reason."""
    skipped: list[Skipped] = []
    left_out: Counter[str] = Counter()

    def leave_out(left: Skipped) -> None:
        left_out[left.reason] += 1
        if name_left_out:
            log.info(f"leaving out {left.path}: {left.reason}")

    found = (walk([image], skipped.append, leave_out) for image in images)
    paths = []
    for path in dict.fromkeys(Path(file.path) for file in chain.from_iterable(found)):
        if path not in images and _is_special(path):
            skipped.append(Skipped(str(path), "is not a regular file"))
        else:
            paths.append(path)
    if not paths:
        reasons = [f"{skipped[0].path}: {skipped[0].reason}"] if skipped else []
        told = "; ".join(filter(None, [*reasons, left_out_text(left_out), "name image files or folders of them"]))
        raise DataError(f"no images below {', '.join(map(str, images))}; {told}")
    return paths, skipped, left_out


def _is_special(path: Path) -> bool:
    """Whether a path is a pipe, a socket or a device, which a read may wait for without end."""
    return path.exists() and not path.is_file() and not path.is_dir()
