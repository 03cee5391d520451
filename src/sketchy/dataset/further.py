"""Further sources of sketches and photos to train on, joined to a dataset by the names of their categories."""

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sketchy.config import Config, DataConfig
from sketchy.dataset.drawings import Drawings, is_drawing_file, open_drawings
from sketchy.dataset.loader import Dataset, warn_skipped
from sketchy.dataset.pack import open_pack
from sketchy.dataset.reader import Listing, find_records, image_names
from sketchy.dataset.records import FOLDERS, Record
from sketchy.dataset.source import FileSource, Source, open_source
from sketchy.dataset.split import split_photos
from sketchy.dataset.things import canonical, imagenet, related
from sketchy.dataset.zero_shot import ZERO_SHOT_CATEGORIES
from sketchy.errors import DataError
from sketchy.image import Kind
from sketchy.preprocess import Preprocess, build_preprocess
from sketchy.progress import Progress, no_progress

WNID_AND_WORD = re.compile(r"n[0-9]{8}_([A-Za-z].*)\.\w+")
"""A file name that says what it shows, such as `n01518878_ostrich.jpg`."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FurtherImages:
    """The images of one kind that one source holds.

    Attributes:
        name: Name of the folder or file.
        images: Images, shape (N, C, S, S), uint8, memory-mapped and read-only; or vector drawings.
        categories: Labels in the `categories` of `Further`, shape (N,), int64.
        train: Rows to train on.
        test: Rows that are held out.
    """

    name: str
    images: NDArray[np.uint8] | Drawings
    categories: NDArray[np.int64]
    train: NDArray[np.int64]
    test: NDArray[np.int64]

    @property
    def calibrating(self) -> NDArray[np.int64]:
        """The held-out rows that the score is fitted on; it is measured on `checking`, the others."""
        return self.test[::2]

    @property
    def checking(self) -> NDArray[np.int64]:
        """The held-out rows that nothing is fitted on."""
        return self.test[1::2]

    @property
    def trained(self) -> NDArray[np.int64]:
        """The category of every row to train on."""
        return self.categories[self.train]


@dataclass(frozen=True)
class Further:
    """All further sources.

    Attributes:
        own: Names of the dataset's own categories, in the order of their labels.
        others: Names of the other categories, whose labels follow.
        sketches: The sources of sketches.
        photos: The sources of photos.
    """

    own: tuple[str, ...]
    others: tuple[str, ...] = ()
    sketches: tuple[FurtherImages, ...] = ()
    photos: tuple[FurtherImages, ...] = ()

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of all categories, in the order of their labels."""
        return self.own + self.others

    def related(self) -> NDArray[np.bool_] | None:
        """Return which categories are too near for one to be a negative of the other; None if there are none.

        The dataset's own are always told from each other: they are what it is evaluated on.

        Returns:
            Symmetric mask, shape (C, C); False on the diagonal.
        """
        mask = np.zeros((len(self.categories),) * 2, np.bool_)
        for label in range(len(self.own), len(mask)):
            mask[label, :label] = [related(self.categories[label], other) for other in self.categories[:label]]
        return mask | mask.T if mask.any() else None

    def classes(self) -> NDArray[np.bool_]:
        """Return which of ImageNet's classes each category has, shape (C, 1000)."""
        mask = np.zeros((len(self.categories), 1000), np.bool_)
        for label, name in enumerate(self.categories):
            mask[label, list(imagenet(name))] = True
        return mask


def load_further(config: Config, dataset: Dataset, progress: Progress = no_progress) -> Further:
    """Pack, or open the packs of, all further sources that a config names, and split each of them.

    Args:
        config: Settings, of which the sections data and image are read.
        dataset: The dataset that they add to.
        progress: Shows the progress.

    Raises:
        DataError: A source is missing, or holds nothing of its kind.
        StorageError: The cache cannot be written.
    """
    data, preprocess = config.data, build_preprocess(config.image)
    cache = Path(data.cache) if data.cache else None
    sketches = [_open(Path(path), "sketch", preprocess, cache, progress) for path in data.sketches]
    photos = [_open(Path(path), "photo", preprocess, cache, progress) for path in data.photos]
    own = dataset.pack.categories
    others, label_of = _union(own, {record.category for part in (*sketches, *photos) for record in part.records})
    names = (*own, *others)
    return Further(
        own,
        others,
        tuple(_split(part, names, label_of, data) for part in sketches),
        tuple(_split(part, names, label_of, data) for part in photos),
    )


@dataclass(frozen=True)
class _Opened:
    """The images of a source with their records, in which categories are named as the source does."""

    name: str
    images: NDArray[np.uint8] | Drawings
    records: Sequence[Record]


def _open(path: Path, kind: Kind, preprocess: Preprocess, cache: Path | None, progress: Progress) -> _Opened:
    source = FileSource(path) if path.is_file() and is_drawing_file(path.name) else open_source(path)
    try:
        if kind == "sketch" and any(is_drawing_file(entry.name) for entry in source.entries()):
            drawings, records, skipped = open_drawings(source, preprocess.shape("sketch")[1], cache, progress)
            warn_skipped(source, "lines", skipped)
            return _Opened(path.name, drawings, records)
        listing = Listing(f"further {kind}", tuple(sorted(_records(source, kind), key=_order)), ())
        if not listing.records:
            raise DataError(f"no images of a {kind} in {path}; name a folder of <category>/<{kind}>")
        pack = open_pack(source, listing, preprocess, cache, progress)
        warn_skipped(source, "images", pack.skipped)
    finally:
        source.close()
    if kind == "sketch":
        return _Opened(path.name, pack.sketches, pack.sketch_records)
    return _Opened(path.name, pack.photos, pack.photo_records)


def _records(source: Source, kind: Kind) -> list[Record]:
    """Return the images of one kind: those of a dataset, or all of the category that folder or file name says."""
    names = image_names(source)
    kinds = {FOLDERS.get(part.lower()) for name in names for part in name.split("/")[:-1]}
    if {"photo", "sketch"} <= kinds:
        return [record for record in find_records(source).records if record.kind == kind]
    return [Record(kind, category, name, name) for name in names if (category := _category(name))]


def _category(name: str) -> str:
    folder, _, file = name.rpartition("/")
    told = WNID_AND_WORD.fullmatch(file)
    return told[1] if told else folder.rpartition("/")[2]


def _order(record: Record) -> tuple[str, str]:
    return record.category, record.name


def _union(own: Sequence[str], found: set[str]) -> tuple[tuple[str, ...], Callable[[str], int]]:
    """Return the names of the categories that are not the dataset's own, and the label of any category by any name."""
    labels = {canonical(name): label for label, name in reversed([*enumerate(own)])}
    same = {name: label for label, name in enumerate(own)}
    others = sorted({canonical(name) for name in found if name not in same} - labels.keys())
    labels |= {name: label for label, name in enumerate(others, len(own))}

    def label_of(name: str) -> int:
        return same[name] if name in same else labels[canonical(name)]

    return tuple(others), label_of


def _split(part: _Opened, names: Sequence[str], label_of: Callable[[str], int], data: DataConfig) -> FurtherImages:
    """Hold out a share of each category, and leave out those that a zero-shot protocol keeps from training."""
    labels = {category: label_of(category) for category in {record.category for record in part.records}}
    hidden = ZERO_SHOT_CATEGORIES[data.zero_shot] if data.zero_shot else ()
    left_out = {label for label in labels.values() if any(related(names[label], name) for name in hidden)}
    records = [replace(record, category=names[labels[record.category]]) for record in part.records]
    parts = split_photos(records, data.test_fraction, 0.0, data.split_seed)
    categories = np.array([labels[record.category] for record in part.records], np.int64)
    held_out = np.array([parts[record.category, record.photo_id] == "test" for record in records])
    used = ~np.isin(categories, list(left_out))
    return FurtherImages(
        part.name, part.images, categories, np.flatnonzero(used & ~held_out), np.flatnonzero(used & held_out)
    )


def log_sources(further: Further, dataset: Dataset) -> None:
    """Log how many images of each source are trained on, and how many of its categories have some of the other kind."""
    pack, part = dataset.pack, dataset.parts["train"]
    sketched = [pack.sketch_category[part.sketches], *(source.trained for source in further.sketches)]
    pictured = [pack.photo_category[part.photos], *(source.trained for source in further.photos)]
    for kind, sources, other, those in (
        ("sketches", further.sketches, "photos", np.concatenate(pictured)),
        ("photos", further.photos, "sketches", np.concatenate(sketched)),
    ):
        for source in sources:
            own = np.unique(source.trained)
            met = np.isin(own, those).sum()
            log.info(f"{len(source.train):,} {kind} of {len(own)} categories from {source.name} ({met} with {other})")
