"""What the commands find out: plain dataclasses without torch, for tables, JSON and tests."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Skipped:
    """A file that was left out, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class CategoryCount:
    """A row of the dataset table."""

    category: str
    photos: int
    sketches: int


@dataclass(frozen=True)
class DataReport:
    """What `data check` finds: readable images by category, and everything that is wrong."""

    source: str
    layout: str
    counts: tuple[CategoryCount, ...]
    problems: tuple[str, ...]
    skipped: tuple[Skipped, ...]

    @property
    def photos(self) -> int:
        """Readable photos of all categories."""
        return sum(row.photos for row in self.counts)

    @property
    def sketches(self) -> int:
        """Readable sketches of all categories."""
        return sum(row.sketches for row in self.counts)


@dataclass(frozen=True)
class MadeFolder:
    """A dataset folder that was fetched or drawn."""

    path: str
    photos: int
    sketches: int
    categories: int


@dataclass(frozen=True)
class EpochResult:
    """One row of history.csv; `columns` keeps their order."""

    epoch: int
    columns: dict[str, float]


@dataclass(frozen=True)
class TrainResult:
    """Where a finished run lies and how good its best epoch was on the validation split."""

    run: str
    epochs: int
    best_epoch: int
    best: dict[str, float]
    seconds: float


@dataclass(frozen=True)
class Evaluation:
    """Metrics of one checkpoint on one split, with what guessing would give."""

    protocol: dict[str, str | int | float]
    metrics: dict[str, float]
    chance: dict[str, float]
    per_category: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Hit:
    """One retrieved photo; rank from 1, a lower distance is closer, category None where unknown."""

    rank: int
    path: str
    distance: float
    category: str | None


@dataclass(frozen=True)
class Retrieval:
    """The photos nearest to one sketch."""

    query: str
    checkpoint: str
    gallery: str
    results: tuple[Hit, ...]
    skipped: tuple[Skipped, ...] = field(default=())


@dataclass(frozen=True)
class Embedded:
    """A file of embeddings that was written."""

    out: str
    count: int
    embedding_size: int
    skipped: tuple[Skipped, ...]
