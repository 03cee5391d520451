"""All images of a dataset decoded once, as arrays in a cache that training reads without decoding anything."""

import hashlib
import json
import math
import pkgutil
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import IO, NamedTuple, get_args

import numpy as np
import PIL
from numpy.typing import NDArray

from sketchy.dataset.cache import OTHER_CACHE, make_once
from sketchy.dataset.decode import for_each_image
from sketchy.dataset.reader import Listing
from sketchy.dataset.records import Record
from sketchy.dataset.source import Source
from sketchy.dataset.split import Part, split_photos
from sketchy.errors import DataError, StorageError
from sketchy.image import Kind
from sketchy.preprocess import Preprocess
from sketchy.progress import Progress, no_progress
from sketchy.results import Skipped
from sketchy.storage import cache_folder, sync

FORMAT = 1
"""Version of the files in a pack's folder; another one makes all packs anew."""

DECODERS = (
    *("image.py", "preprocess.py", "ink.py", "paper.py", "texture.py", "bands.py", "color.py"),
    *(
        f"containers/{name}.py"
        for name in ("__init__", "av1", "gif", "heif", "jpeg", "png", "raw", "stripped", "tiff", "webp")
    ),
)
"""Modules that make the pixels: packs made with other versions of these files are not used."""

IMAGES_PER_PROCESS = 1000
"""A process is not worth starting for fewer images: that takes half a second."""

IMAGES, CONTENTS = "images.u8", "pack.json"
"""The files of a pack: the pixels, photos before sketches; their shapes, and which images were left out."""


@dataclass(frozen=True)
class Pack:
    """The readable images of a dataset, S x S pixels, in the order of their records.

    Attributes:
        photos: (Np, C, S, S) uint8, where C is 1 or 3; memory-mapped, read-only.
        sketches: (Ns, 1, S, S) uint8; memory-mapped, read-only.
        photo_records: Np records, sorted by category, photo id and name.
        sketch_records: Ns records, sorted in the same way.
        categories: Names of the categories of both kinds, sorted.
        photo_category: (Np,) int64, index into `categories`.
        sketch_category: (Ns,) int64, index into `categories`.
        sketch_photo: (Ns,) int64, row of the traced photo in `photos`; -1 if there is none.
        skipped: Images that cannot be used, with the reason.
    """

    photos: NDArray[np.uint8]
    sketches: NDArray[np.uint8]
    photo_records: tuple[Record, ...]
    sketch_records: tuple[Record, ...]
    categories: tuple[str, ...]
    photo_category: NDArray[np.int64]
    sketch_category: NDArray[np.int64]
    sketch_photo: NDArray[np.int64]
    skipped: tuple[Skipped, ...]

    def traced(self, subset: "Subset") -> NDArray[np.int64]:
        """Return the index in `subset.photos` of the photo that each sketch traces; -1 for one that is not there."""
        index = np.full(len(self.photos) + 1, -1)  # row -1 reads the last element, which stays -1
        index[subset.photos] = np.arange(len(subset.photos))
        return index[self.sketch_photo[subset.sketches]]


@dataclass(frozen=True)
class Subset:
    """Rows of a pack's photos and sketches that belong to one part, ascending int64."""

    photos: NDArray[np.int64]
    sketches: NDArray[np.int64]


class _Stored(NamedTuple):
    """What the files of a pack hold; `skipped` is name to reason."""

    photos: NDArray[np.uint8]
    sketches: NDArray[np.uint8]
    skipped: dict[str, str]


def open_pack(
    source: Source,
    listing: Listing,
    preprocess: Preprocess,
    cache: Path | None,
    progress: Progress = no_progress,
) -> Pack:
    """Open the packed images of a dataset, after decoding them if that was not done yet.

    A pack is identified by what it was made from: another file, size, time of change or preprocessing makes another
    pack. Images that cannot be used are left out, and listed in `skipped` each time.

    Args:
        source: Source of the images; only read if there is no pack yet.
        listing: Records that `find_records` found in it.
        preprocess: Preprocessing of every image.
        cache: Folder for packs; None takes $SKETCHY_CACHE, else the user's cache folder.
        progress: Shows the progress.

    Raises:
        DataError: All images of one kind are unusable.
        StorageError: The cache cannot be written, or is inside the dataset.
    """
    folder = cache_folder(cache) / _fingerprint(source, listing, preprocess)[:32]
    if folder.resolve().is_relative_to(source.path.resolve()):
        raise StorageError(f"the cache {folder.parent} lies inside the dataset {source.path}; {OTHER_CACHE}")
    stored = make_once(folder, _load, lambda empty: _build(empty, source, listing.records, preprocess, progress))
    return _assemble(stored, source, listing)


def split_pack(pack: Pack, test_fraction: float, val_fraction: float, seed: int) -> dict[Part, Subset]:
    """Split a pack by `split_photos` into train, val and test, any of which may be empty."""
    parts = split_photos((*pack.photo_records, *pack.sketch_records), test_fraction, val_fraction, seed)
    photos = np.array([parts[record.category, record.photo_id] for record in pack.photo_records])
    sketches = np.array([parts[record.category, record.photo_id] for record in pack.sketch_records])
    names: tuple[Part, ...] = ("train", "val", "test")
    return {name: Subset(np.flatnonzero(photos == name), np.flatnonzero(sketches == name)) for name in names}


def _fingerprint(source: Source, listing: Listing, preprocess: Preprocess) -> str:
    """Hash everything that the pixels and their order depend on."""
    entries = {entry.name: entry for entry in source.entries()}
    files = [
        (record.kind, record.category, record.photo_id, record.name, entry.size, entry.stamp)
        for record in listing.records
        for entry in (entries[record.name],)
    ]
    state = json.dumps([FORMAT, PIL.__version__, asdict(preprocess), files])
    code = (pkgutil.get_data("sketchy", name) or b"" for name in DECODERS)
    return hashlib.sha256(b"\0".join([state.encode(), *code])).hexdigest()


def _build(folder: Path, source: Source, records: Sequence[Record], preprocess: Preprocess, progress: Progress) -> None:
    """Fill an empty folder with the two files of a pack."""
    starts = [0, *accumulate(math.prod(preprocess.shape(record.kind)) for record in records)]
    with (folder / IMAGES).open("w+b") as file:

        def write(index: int, pixels: NDArray[np.uint8]) -> None:
            file.seek(starts[index])
            file.write(pixels.tobytes())

        failures = for_each_image(
            source, records, preprocess.load, write, "packing", per_process=IMAGES_PER_PROCESS, progress=progress
        )
        _close_gaps(file, starts, failures)
        sync(file)
    usable = Counter(record.kind for index, record in enumerate(records) if index not in failures)
    for index, reason in failures.items():
        if not usable[records[index].kind]:
            raise DataError(
                f"not one {records[index].kind} of {source.path} can be used, such as "
                f"{source.locate(records[index].name)}: {reason}; `sketchy data check` lists them all"
            )
    contents = {
        "shapes": {kind: (usable[kind], *preprocess.shape(kind)) for kind in get_args(Kind)},
        "skipped": {records[index].name: reason for index, reason in failures.items()},
    }
    with (folder / CONTENTS).open("w", encoding="utf-8") as text:
        json.dump(contents, text)
        sync(text)


def _close_gaps(file: IO[bytes], starts: Sequence[int], gaps: Container[int]) -> None:
    """Move the pixels of the other images forward over those in `gaps`."""
    end = 0
    for index, (start, stop) in enumerate(pairwise(starts)):
        if index in gaps:
            continue
        if end < start:
            file.seek(start)
            pixels = file.read(stop - start)
            file.seek(end)
            file.write(pixels)
        end += stop - start
    file.truncate(end)


def _load(folder: Path) -> _Stored | None:
    """Map the files of a pack; None if they are missing or incomplete."""
    try:
        contents = json.loads((folder / CONTENTS).read_text(encoding="utf-8"))
        pixels = np.memmap(folder / IMAGES, np.uint8, "r").view(np.ndarray)
        photos, sketches = contents["shapes"]["photo"], contents["shapes"]["sketch"]
        end = math.prod(photos)
        return _Stored(pixels[:end].reshape(photos), pixels[end:].reshape(sketches), contents["skipped"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _assemble(stored: _Stored, source: Source, listing: Listing) -> Pack:
    """Add the records to the pixels."""
    usable = [record for record in listing.records if record.name not in stored.skipped]
    photos = tuple(record for record in usable if record.kind == "photo")
    sketches = tuple(record for record in usable if record.kind == "sketch")
    categories = tuple(sorted({record.category for record in usable}))
    labels = {category: label for label, category in enumerate(categories)}
    rows: dict[tuple[str, str], int] = {}
    for row, photo in enumerate(photos):
        rows.setdefault((photo.category, photo.photo_id), row)
    return Pack(
        photos=stored.photos,
        sketches=stored.sketches,
        photo_records=photos,
        sketch_records=sketches,
        categories=categories,
        photo_category=np.array([labels[photo.category] for photo in photos], np.int64),
        sketch_category=np.array([labels[sketch.category] for sketch in sketches], np.int64),
        sketch_photo=np.array([rows.get((s.category, s.photo_id), -1) for s in sketches], np.int64),
        skipped=tuple(Skipped(source.locate(name), reason) for name, reason in stored.skipped.items()),
    )
