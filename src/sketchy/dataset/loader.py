"""From a config to packed, split data: the first step of every command that reads a dataset."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sketchy.config import Config
from sketchy.dataset.pack import Pack, Subset, open_pack, split_pack
from sketchy.dataset.reader import find_records
from sketchy.dataset.source import Source, open_source
from sketchy.dataset.split import Part
from sketchy.dataset.zero_shot import ZERO_SHOT_CATEGORIES, hold_out
from sketchy.errors import DataError
from sketchy.preprocess import build_preprocess
from sketchy.progress import Progress, no_progress
from sketchy.results import Skipped

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dataset:
    """Packed images, their split, and the files they come from.

    Attributes:
        source: The files.
        pack: All readable images.
        parts: The parts train, val and test, and `zero_shot` if data.zero_shot names a protocol; no image is in two.
    """

    source: Source
    pack: Pack
    parts: dict[Part, Subset]

    def photo_path(self, row: int) -> str:
        """Return the path of photo `row` of the pack."""
        return self.source.locate(self.pack.photo_records[row].name)

    def sketch_path(self, row: int) -> str:
        """Return the path of sketch `row` of the pack."""
        return self.source.locate(self.pack.sketch_records[row].name)

    def photo_file(self, row: int) -> bytes:
        """Read the file of photo `row` of the pack. Raises ImageError if it is gone."""
        return self.source.read(self.pack.photo_records[row].name)

    def sketch_file(self, row: int) -> bytes:
        """Read the file of sketch `row` of the pack. Raises ImageError if it is gone."""
        return self.source.read(self.pack.sketch_records[row].name)


def load_dataset(config: Config, *, progress: Progress = no_progress, root: Path | None = None) -> Dataset:
    """Find, pack (or open the pack of an earlier run) and split the dataset that the config names.

    Args:
        config: Configuration, of which the sections data and image are read.
        progress: Shows the progress.
        root: Where the dataset is now, if not at data.root.

    Raises:
        DataError: It is missing, empty or unusable, or has no category of data.zero_shot.
        StorageError: The pack cannot be written.
    """
    data = config.data
    cache = Path(data.cache) if data.cache else None
    source = open_source(root or Path(data.root))
    try:
        listing = find_records(source, data.photo_rendering, data.sketch_rendering)
        pack = open_pack(source, listing, build_preprocess(config.image), cache, progress)
        parts = split_pack(pack, data.test_fraction, data.val_fraction, data.split_seed)
        if data.zero_shot:
            parts = hold_out(pack, parts, data.zero_shot)
    except BaseException:
        source.close()
        raise
    warn_skipped(source, "images", pack.skipped, "; `sketchy data check` names them all")
    if data.zero_shot:
        categories = ZERO_SHOT_CATEGORIES[data.zero_shot]
        found = len(categories.intersection(pack.categories))
        log.info(
            f"{data.zero_shot}: the dataset has {found} of its {len(categories)} categories; they are not trained on"
        )
    return Dataset(source, pack, parts)


def warn_skipped(source: Source, what: str, skipped: Sequence[Skipped], remedy: str = "") -> None:
    """Warn of what could not be read in a source, with the first of it."""
    if skipped:
        first = skipped[0]
        log.warning(
            f"skipped {len(skipped)} unreadable {what} of {source.path}, "
            f"the first: {first.path}: {first.reason}{remedy}"
        )


def refuse_moved(config: Config, remedy: str) -> None:
    """Check that the dataset of a run is still at its path. Raises DataError with the remedy."""
    root = Path(config.data.root)
    if not root.exists():
        moved = (
            f"the dataset of the model is not at {root}"
            if root.is_absolute()
            else "the model comes without its dataset"
        )
        raise DataError(f"{moved}; {remedy}")
