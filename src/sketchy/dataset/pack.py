"""All images of a dataset decoded once, as arrays in a cache that training reads without decoding anything."""

import hashlib
import json
import math
import os
import pkgutil
import threading
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import IO, Any

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
from sketchy.results import Skipped
from sketchy.storage import cache_folder
from sketchy.talk import SILENT, Talk

FORMAT = 1
"""Of the files in a pack's folder; another one makes all packs anew."""

DECODERS = ("image.py", "ink.py")
"""What makes the pixels: packs made with other versions of these files are not used."""

IMAGES, CONTENTS = "images.u8", "pack.json"
"""The files of a pack: the pixels, photos before sketches; their shapes, and what was left out."""


@dataclass(frozen=True)
class Pack:
    """The readable images of a dataset, S x S pixels, in the order of their records.

    Attributes:
        photos: (Np, C, S, S) uint8, C is 1 or 3; memory-mapped, read-only.
        sketches: (Ns, 1, S, S) uint8, the same.
        photo_records: Np, sorted by category, photo id and name.
        sketch_records: Ns, sorted alike.
        categories: of both kinds, sorted.
        photo_category: (Np,) int64, place in `categories`.
        sketch_category: (Ns,) int64, place in `categories`.
        sketch_photo: (Ns,) int64, row of the traced photo in `photos`; -1 where there is none.
        skipped: images that could not be used, with the reason.
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


@dataclass(frozen=True)
class Subset:
    """Rows of a pack's photos and sketches that belong to one part, ascending int64."""

    photos: NDArray[np.int64]
    sketches: NDArray[np.int64]


@dataclass(frozen=True)
class _Stored:
    """What the files of a pack say; `skipped` is name to reason."""

    photos: NDArray[np.uint8]
    sketches: NDArray[np.uint8]
    skipped: dict[str, str]


def open_pack(
    source: Source, listing: Listing, preprocess: Preprocess, cache: Path | None = None, talk: Talk = SILENT
) -> Pack:
    """Open the packed images of a dataset, after decoding them if that was not done yet.

    A pack is known by what it was made from: any other file, size, time of change or preprocessing makes another
    one. Images that cannot be used are left out, and named in `skipped` each time.

    Args:
        source: read only when there is no pack yet.
        listing: what `find_records` found in it.
        preprocess: what is done to every image.
        cache: folder for packs; None takes $SKETCHY_CACHE, else the user's cache folder.
        talk: shows the progress.

    Raises:
        DataError: all that there is of one kind is unusable.
        StorageError: the cache cannot be written or lies in the dataset.
    """
    folder = cache_folder(cache) / _fingerprint(source, listing, preprocess)[:32]
    if folder.resolve().is_relative_to(source.path.resolve()):
        raise StorageError(f"the cache {folder.parent} lies inside the dataset {source.path}; {OTHER_CACHE}")
    stored = make_once(folder, _load, lambda into: _build(into, source, listing, preprocess, talk), talk)
    return _assemble(stored, source, listing)


def split_pack(pack: Pack, test_fraction: float, val_fraction: float, seed: int) -> dict[Part, Subset]:
    """Split a pack as `split_photos` does, into train, val and test; each is there, though it may be empty."""
    parts = split_photos((*pack.photo_records, *pack.sketch_records), test_fraction, val_fraction, seed)
    of_photos = np.array([parts[record.category, record.photo_id] for record in pack.photo_records])
    of_sketches = np.array([parts[record.category, record.photo_id] for record in pack.sketch_records])
    every: tuple[Part, ...] = ("train", "val", "test")
    return {part: Subset(np.flatnonzero(of_photos == part), np.flatnonzero(of_sketches == part)) for part in every}


def _fingerprint(source: Source, listing: Listing, preprocess: Preprocess) -> str:
    """Hash all that the pixels and their order depend on."""
    entries = {entry.name: entry for entry in source.entries()}
    files = [
        (record.kind, record.category, record.photo_id, record.name, entry.size, entry.stamp)
        for record in listing.records
        for entry in (entries[record.name],)
    ]
    state = json.dumps([FORMAT, PIL.__version__, asdict(preprocess), files])
    code = (pkgutil.get_data("sketchy", name) or b"" for name in DECODERS)
    return hashlib.sha256(b"\0".join([state.encode(), *code])).hexdigest()


def _build(into: Path, source: Source, listing: Listing, preprocess: Preprocess, talk: Talk) -> None:
    """Fill an empty folder with the two files of a pack."""
    records = listing.records
    kinds: tuple[Kind, ...] = ("photo", "sketch")
    shapes = {kind: preprocess.shape(kind) for kind in kinds}
    starts = [0, *accumulate(math.prod(shapes[record.kind]) for record in records)]
    failures = _write_images(into / IMAGES, source, records, starts, preprocess, talk)
    usable = Counter(record.kind for place, record in enumerate(records) if place not in failures)
    for kind in {record.kind for record in records}:
        if not usable[kind]:
            place = next(place for place in failures if records[place].kind == kind)
            raise DataError(
                f"not one {kind} of {source.path} can be used, such as {source.locate(records[place].name)}: "
                f"{failures[place]}; `sketchy data check` lists them all"
            )
    contents = {
        "shapes": {kind: (usable[kind], *shape) for kind, shape in shapes.items()},
        "skipped": {records[place].name: reason for place, reason in failures.items()},
    }
    with (into / CONTENTS).open("w", encoding="utf-8") as file:
        json.dump(contents, file)
        _sync(file)


def _write_images(
    path: Path,
    source: Source,
    records: Sequence[Record],
    starts: Sequence[int],
    preprocess: Preprocess,
    talk: Talk,
) -> dict[int, str]:
    """Write the pixels of every record at its start, then close the gaps of those that failed; return why."""
    lock = threading.Lock()
    with path.open("w+b") as file:

        def put(place: int, pixels: NDArray[np.uint8]) -> None:
            with lock:
                file.seek(starts[place])
                file.write(pixels.tobytes())

        failures = for_each_image(source, records, put, "packing", talk, preprocess.load)
        _close_gaps(file, starts, failures)
        _sync(file)
    return failures


def _close_gaps(file: IO[bytes], starts: Sequence[int], gaps: Container[int]) -> None:
    end = 0
    for place, (start, stop) in enumerate(pairwise(starts)):
        if place in gaps:
            continue
        if end < start:
            file.seek(start)
            pixels = file.read(stop - start)
            file.seek(end)
            file.write(pixels)
        end += stop - start
    file.truncate(end)


def _sync(file: IO[Any]) -> None:
    """Bring what was written to the disk: after a crash a complete name must not stand for lost bytes."""
    file.flush()
    os.fsync(file.fileno())


def _load(folder: Path) -> _Stored | None:
    """Map the files of a pack; None when they are not there or not whole."""
    try:
        contents = json.loads((folder / CONTENTS).read_text(encoding="utf-8"))
        pixels = np.memmap(folder / IMAGES, np.uint8, "r").view(np.ndarray)
        of_photos, of_sketches = contents["shapes"]["photo"], contents["shapes"]["sketch"]
        cut = math.prod(of_photos)
        return _Stored(pixels[:cut].reshape(of_photos), pixels[cut:].reshape(of_sketches), contents["skipped"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _assemble(stored: _Stored, source: Source, listing: Listing) -> Pack:
    """Lay the records beside the pixels."""
    usable = [record for record in listing.records if record.name not in stored.skipped]
    photos = tuple(record for record in usable if record.kind == "photo")
    sketches = tuple(record for record in usable if record.kind == "sketch")
    categories = tuple(sorted({record.category for record in usable}))
    number = {category: place for place, category in enumerate(categories)}
    rows: dict[tuple[str, str], int] = {}
    for row, photo in enumerate(photos):
        rows.setdefault((photo.category, photo.photo_id), row)
    return Pack(
        photos=stored.photos,
        sketches=stored.sketches,
        photo_records=photos,
        sketch_records=sketches,
        categories=categories,
        photo_category=np.array([number[photo.category] for photo in photos], np.int64),
        sketch_category=np.array([number[sketch.category] for sketch in sketches], np.int64),
        sketch_photo=np.array([rows.get((s.category, s.photo_id), -1) for s in sketches], np.int64),
        skipped=tuple(Skipped(source.locate(name), reason) for name, reason in stored.skipped.items()),
    )
