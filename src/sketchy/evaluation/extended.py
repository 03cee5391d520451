"""Additional photos for the gallery of an evaluation, such as those of the extended Sketchy Database.

The extension (Liu et al., "Deep Sketch Hashing", CVPR 2017) has 73,002 photos, of which 12,165 belong to the
database itself and must not be counted twice.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sketchy.dataset.decode import for_each_image
from sketchy.dataset.loader import Dataset
from sketchy.dataset.pack import Subset
from sketchy.errors import DataError
from sketchy.image import Kind
from sketchy.progress import Progress, no_progress
from sketchy.results import Skipped
from sketchy.retrieval.model import Model
from sketchy.retrieval.scan import PhotoFile, walk
from sketchy.retrieval.store.base import category_name


@dataclass(frozen=True)
class Extension:
    """Embedded photos to add to a gallery.

    Attributes:
        embeddings: Shape (N, D), float32, on the CPU.
        categories: Category labels, shape (N,), int64.
        copies: Number of files left out because the gallery already has the photo.
        skipped: Files that cannot be used, with the reason.
        left_out: Number of files in the folders that are not photos, by reason.
    """

    embeddings: Tensor
    categories: Tensor
    copies: int
    skipped: tuple[Skipped, ...]
    left_out: Mapping[str, int]

    @property
    def counts(self) -> dict[str, int]:
        """The counts that an evaluation reports with its protocol."""
        return {
            "extended_photos": len(self.embeddings),
            "extended_copies": self.copies,
            "extended_skipped": len(self.skipped),
        }


def embed_extension(
    sources: Sequence[Path], data: Dataset, subset: Subset, model: Model, progress: Progress = no_progress
) -> Extension:
    """Embed the photos in folders that belong to the categories of a subset and are not yet in it.

    A file is a copy if another photo of its category has the same content, or if its name without suffix is the id of
    a photo of its category in the subset.

    Args:
        sources: Folders of <category>/<photo>, as returned by `absolute_sources`; other categories are ignored.
        data: The dataset that contains the subset.
        subset: The subset whose photos are in the gallery.
        model: The model that is evaluated.
        progress: Shows the progress.

    Raises:
        DataError: The folders have no photo of these categories.
    """
    pack = data.pack
    own = np.union1d(pack.photo_category[subset.photos], pack.sketch_category[subset.sketches])
    labels = {pack.categories[category]: category for category in own.tolist()}
    skipped: list[Skipped] = []
    left_out: Counter[str] = Counter()
    walked = walk(sources, skipped.append, lambda left: left_out.update([left.reason]))
    named = (PhotoFile(path, category_name(Path(path).parent.name)) for path, _ in walked)
    files = [file for file in named if file.category in labels]
    if not files:
        raise DataError(
            f"no photo of the zero-shot categories below {', '.join(map(str, sources))}; name a folder of "
            "<category>/<photo>"
        )
    new = {Path(file.path): labels[file.category or ""] for file in _without_copies(files, data, subset, progress)}
    embedded = model.embed_files(list(new), "photo", progress)
    return Extension(
        embeddings=torch.from_numpy(embedded.embeddings),
        categories=torch.tensor([new[path] for path in embedded.paths], dtype=torch.int64),
        copies=len(files) - len(new),
        skipped=(*skipped, *embedded.skipped),
        left_out=left_out,
    )


def _without_copies(files: Sequence[PhotoFile], data: Dataset, subset: Subset, progress: Progress) -> list[PhotoFile]:
    """Leave out the files whose photo is in the subset or earlier in the list."""
    records = [data.pack.photo_records[row] for row in subset.photos.tolist()]
    ids = {(record.category, record.photo_id) for record in records}
    contents: set[tuple[str | None, bytes]] = set()

    def note(index: int, digest: bytes) -> None:
        contents.add((records[index].category, digest))

    for_each_image(data.source, records, _hash, note, "comparing", progress=progress)
    new = []
    for file in files:
        content = (file.category, _digest(Path(file.path)))
        if (file.category, Path(file.path).stem) not in ids and content not in contents:
            new.append(file)
        contents.add(content)
    return new


def _hash(content: bytes, kind: Kind) -> bytes:
    return hashlib.sha256(content).digest()


def _digest(path: Path) -> bytes:
    """Hash the content of a file; one that cannot be read gets a unique value, and is skipped when it is embedded."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return bytes(path)
