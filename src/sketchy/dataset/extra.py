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
from sketchy.talk import Talk

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
"""Names of TU-Berlin, plain, to what Sketchy calls the same thing."""


@dataclass(frozen=True)
class ExtraSketches:
    """Sketches that belong to categories of another dataset.

    Attributes:
        images: (N, 1, S, S) uint8; memory-mapped, read-only.
        categories: (N,) int64, place in the names that were asked for.
        train: rows to train on.
        test: rows held out.
        matched: how many of those names have any.
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
    talk: Talk,
    *,
    test_fraction: float,
    seed: int,
    leave_out: Collection[str] = (),
) -> ExtraSketches:
    """Pack the sketches of the categories that both datasets have; folders of others are left out.

    Args:
        root: folder, .zip or .tar of `.../<category>/<image>`; categories match by name (without spaces, signs and what
            stands in brackets) or by SYNONYMS.
        names: of the categories, in the order that numbers them.
        preprocess: as for the dataset's own.
        cache: folder for packs, as `open_pack`.
        talk: shows the progress.
        test_fraction: share of each category that is held out, in [0, 1); as the dataset's own, by `split_photos`.
        seed: of that split.
        leave_out: those of the names that must not be trained on.

    Raises:
        DataError: it is missing, or has no sketch of any of the categories.
        StorageError: the cache cannot be written.
    """
    number = {_plain(name): place for place, name in enumerate(names) if name not in leave_out}
    source = open_source(root)
    try:
        records = [
            Record("sketch", names[place], name, name)
            for name in image_names(source)
            for place in [_find(name, number)]
            if place is not None
        ]
        if not records:
            raise DataError(f"no sketches of a category trained on in {root}; name a folder of <category>/<image>")
        records.sort(key=lambda record: (record.category, record.name))
        pack = open_pack(source, Listing("extra", tuple(records), ()), preprocess, cache, talk)
    finally:
        source.close()
    own = np.array([number[_plain(category)] for category in pack.categories], np.int64)
    parts = split_photos(pack.sketch_records, test_fraction, 0.0, seed)
    held_out = np.array([parts[record.category, record.photo_id] == "test" for record in pack.sketch_records])
    return ExtraSketches(
        images=pack.sketches,
        categories=own[pack.sketch_category],
        train=np.flatnonzero(~held_out),
        test=np.flatnonzero(held_out),
        matched=len(pack.categories),
    )


def _find(file: str, number: dict[str, int]) -> int | None:
    """Return the number of the category that the folder of a file is named after, None where there is none."""
    folder = _plain(file.split("/")[-2]) if "/" in file else ""
    return number.get(folder, number.get(SYNONYMS.get(folder, "")))


def _plain(name: str) -> str:
    """Return what two names of one thing have in common: `Bear_(animal)` and `bear` are the same."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"\(.*?\)", "", name.lower()))
