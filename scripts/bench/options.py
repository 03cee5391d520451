"""The options of a benchmark."""

from dataclasses import dataclass
from pathlib import Path

from sketchy.errors import DataError


@dataclass(frozen=True)
class Options:
    """The arguments of the command line.

    Attributes:
        data: The dataset.
        config: The config of training and packing.
        settings: Settings that override it, as `key=value`.
        checkpoint: The model of the other sections.
        photos: Number of photos that `memory` embeds.
        turns: Number of times that each variant is measured.
        quick: Whether to do less of everything, only to see that it runs.
    """

    data: Path
    config: Path
    settings: tuple[str, ...]
    checkpoint: Path
    photos: int
    turns: int
    quick: bool

    def images(self, pattern: str) -> list[Path]:
        """Return the files of the dataset that match a glob pattern, sorted. Raises DataError if there are none."""
        files = sorted(self.data.rglob(pattern))
        if not files:
            raise DataError(f"no {pattern} below {self.data}; name the folder of an unpacked dataset with --data")
        return files
