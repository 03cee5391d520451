"""What an update of an index changed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sketchy.results import Kept, Skipped


@dataclass
class UpdateResult:
    """What an update did, or what it would do.

    Attributes:
        embedded: Number of pictures that were embedded.
        reused: Number of photos at new paths whose content was in the store: copies and renamed files.
        unchanged: Number of photos that did not change.
        removed: Number of photos that were removed.
        skipped: Files that could not be used, with the reason.
        left_out: Number of files that were left out on purpose, by reason.
        unavailable: Number of photos kept though their files cannot be found, by folder and reason.
    """

    embedded: int = 0
    reused: int = 0
    unchanged: int = 0
    removed: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    unavailable: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def kept(self) -> tuple[Kept, ...]:
        """The photos that were kept though their files cannot be found, by folder."""
        return tuple(Kept(path, count, reason) for (path, reason), count in sorted(self.unavailable.items()))

    @property
    def found(self) -> int:
        """Number of photos that exist."""
        return self.embedded + self.reused + self.unchanged


def summed(parts: Sequence[UpdateResult]) -> UpdateResult:
    """Sum the changes of several processes."""
    total = UpdateResult()
    for part in parts:
        for name, value in vars(part).items():
            setattr(total, name, getattr(total, name) + value)
    return total
