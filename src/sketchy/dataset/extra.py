"""Further sketches to train on, from a dataset without photos such as TU-Berlin (Eitz et al., 2012)."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sketchy.dataset.pack import open_pack
from sketchy.dataset.reader import Listing, image_names
from sketchy.dataset.records import Record
from sketchy.dataset.source import open_source
from sketchy.dataset.split import split_photos
from sketchy.errors import DataError
from sketchy.preprocess import Preprocess
from sketchy.progress import Progress, no_progress

SYNONYMS = {
    "crocodile": "crocodilian",
    "flowerwithstem": "flower",
    "monkey": "ape",
    "motorbike": "motorcycle",
    "mug": "cup",
    "pigeon": "songbird",
    "revolver": "pistol",
    "rooster": "chicken",
    "spaceshuttle": "rocket",
    "standingbird": "songbird",
    "teacup": "cup",
    "tennisracket": "racket",
}
"""Categories of TU-Berlin, as `_plain` writes them, to those of Sketchy."""


@dataclass(frozen=True)
class ExtraSketches:
    """Sketches that belong to categories of another dataset.

    Attributes:
        images: (N, 1, S, S) uint8; memory-mapped, read-only.
        categories: (N,) int64, index into the `names` of `load_extra`.
        train: Rows to train on.
        test: Rows that are held out.
        matched: Number of the names that have any sketch.
    """

    images: NDArray[np.uint8]
    categories: NDArray[np.int64]
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    matched: int


def load_extra(
    root: Path,
    names: Sequence[str],
    preprocess: Preprocess,
    cache: Path | None,
    *,
    test_fraction: float,
    seed: int,
    leave_out: Collection[str] = (),
    progress: Progress = no_progress,
) -> ExtraSketches:
    """Pack the sketches of the categories that both datasets have; other folders are left out.

    Args:
        root: Folder, .zip or .tar of `.../<category>/<image>`; categories match by name (without spaces, punctuation
            and what is in brackets) or by SYNONYMS.
        names: Names of the dataset's categories, in the order of their labels.
        preprocess: Preprocessing of the dataset's own sketches.
        cache: Folder for packs, as for `open_pack`.
        test_fraction: Share of each category that is held out, in [0, 1), by `split_photos` as in the dataset itself.
        seed: Seed of that split.
        leave_out: Those of the names that must not be trained on.
        progress: Opens the progress bar.

    Raises:
        DataError: It is missing, or has no sketch of any of the categories.
        StorageError: The cache cannot be written.
    """
    labels = {_plain(name): label for label, name in enumerate(names) if name not in leave_out}
    source = open_source(root)
    try:
        records = [
            Record("sketch", names[label], name, name)
            for name in image_names(source)
            for label in [_label_of(name, labels)]
            if label is not None
        ]
        if not records:
            raise DataError(f"no sketches of a category trained on in {root}; name a folder of <category>/<image>")
        records.sort(key=lambda record: (record.category, record.name))
        pack = open_pack(source, Listing("extra", tuple(records), ()), preprocess, cache, progress)
    finally:
        source.close()
    label_of_row = np.array([labels[_plain(category)] for category in pack.categories], np.int64)
    parts = split_photos(pack.sketch_records, test_fraction, 0.0, seed)
    held_out = np.array([parts[record.category, record.photo_id] == "test" for record in pack.sketch_records])
    return ExtraSketches(
        images=pack.sketches,
        categories=label_of_row[pack.sketch_category],
        train=np.flatnonzero(~held_out),
        test=np.flatnonzero(held_out),
        matched=len(pack.categories),
    )


def _label_of(file: str, labels: dict[str, int]) -> int | None:
    """Return the label of the category that the folder of a file is named after, or None."""
    folder = _plain(file.split("/")[-2]) if "/" in file else ""
    return labels.get(folder, labels.get(SYNONYMS.get(folder, "")))


def _plain(name: str) -> str:
    """Reduce a name to its letters and digits: `Bear_(animal)` and `bear` are the same category."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"\(.*?\)", "", name.lower()))
