"""How much the stress test does."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """How much is done.

    Attributes:
        kills: Writers that are killed.
        cuts: Times that each file is cut.
        flips: Times that a bit of each file is flipped.
        seconds: Time that readers search for.
        changing: Photos that are indexed while they change.
        files: Photos in one folder, one number after the other.
    """

    kills: int = 100
    cuts: int = 51
    flips: int = 100
    seconds: float = 4
    changing: int = 3000
    files: Sequence[int] = (10_000, 100_000)


FULL = Load()
QUICK = Load(kills=2, cuts=1, flips=1, seconds=0.2, changing=100, files=(100,))
