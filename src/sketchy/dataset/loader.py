"""From a config to packed, split data: what every command that reads a dataset starts with."""

from dataclasses import dataclass
from pathlib import Path

from sketchy.config import Config
from sketchy.dataset.pack import Pack, Subset, open_pack, split_pack
from sketchy.dataset.reader import find_records
from sketchy.dataset.source import Source, open_source
from sketchy.dataset.split import Part
from sketchy.dataset.zero_shot import ZERO_SHOT_CATEGORIES, hold_out
from sketchy.errors import DataError
from sketchy.image import build_preprocess
from sketchy.talk import SILENT, Talk


@dataclass(frozen=True)
class Dataset:
    """Packed images, their split, and the files they come from.

    Attributes:
        source: the files.
        pack: all images.
        parts: train, val and test, and `zero_shot` where data.zero_shot names a protocol; no image is in two of them.
    """

    source: Source
    pack: Pack
    parts: dict[Part, Subset]

    def photo_path(self, row: int) -> str:
        """Return what to call the file of photo `row` of the pack."""
        return self.source.locate(self.pack.photo_records[row].name)

    def sketch_path(self, row: int) -> str:
        """Return what to call the file of sketch `row` of the pack."""
        return self.source.locate(self.pack.sketch_records[row].name)

    def photo_file(self, row: int) -> bytes:
        """Read the file of photo `row` of the pack. Raises ImageError when it is gone."""
        return self.source.read(self.pack.photo_records[row].name)

    def sketch_file(self, row: int) -> bytes:
        """Read the file of sketch `row` of the pack. Raises ImageError when it is gone."""
        return self.source.read(self.pack.sketch_records[row].name)


def load_dataset(config: Config, talk: Talk = SILENT, root: Path | None = None) -> Dataset:
    """Find, pack (or open the pack of an earlier run) and split the dataset that the config names.

    Args:
        config: sections data and image are read.
        root: where the dataset lies now, if not at data.root.

    Raises:
        DataError: it is missing, empty or unusable, or has no category of data.zero_shot.
        StorageError: the pack cannot be written.
    """
    data = config.data
    cache = Path(data.cache) if data.cache else None
    source = open_source(root or Path(data.root))
    try:
        listing = find_records(source, data.photo_rendering, data.sketch_rendering)
        pack = open_pack(source, listing, build_preprocess(config.image), cache, talk)
        parts = split_pack(pack, data.test_fraction, data.val_fraction, data.split_seed)
        if data.zero_shot:
            parts = hold_out(pack, parts, data.zero_shot)
    except BaseException:
        source.close()
        raise
    if pack.skipped:
        first = pack.skipped[0]
        talk.say(
            f"skipped {len(pack.skipped)} unreadable images of {source.path}, the first: {first.path}: {first.reason}; "
            "`sketchy data check` names them all"
        )
    if data.zero_shot:
        categories = ZERO_SHOT_CATEGORIES[data.zero_shot]
        there = len(categories.intersection(pack.categories))
        talk.say(
            f"{data.zero_shot}: the dataset has {there} of its {len(categories)} categories; they are not trained on"
        )
    return Dataset(source, pack, parts)


def refuse_moved(config: Config, remedy: str) -> None:
    """Check that the dataset of a run still lies where it lay. Raises DataError with the remedy."""
    if not Path(config.data.root).exists():
        raise DataError(f"the dataset of the model is not at {config.data.root}; {remedy}")
