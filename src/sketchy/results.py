"""What the commands find out: plain dataclasses without torch, for tables, JSON and tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Skipped:
    """A file that was left out, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Kept:
    """Photos that stay in an index though their files cannot be found: their drive may not be mounted.

    Attributes:
        path: The source, or the folder in it, that no longer has any photo.
        photos: How many photos stay.
        reason: What is the matter with the folder.
    """

    path: str
    photos: int
    reason: str

    def __str__(self) -> str:
        """Say so in one line."""
        photos = f"{self.photos:,} photo{'' if self.photos == 1 else 's'}"
        return (
            f"kept {photos} of {self.path}, which {self.reason} now; mount its drive, or drop them with --drop-missing"
        )


def left_out_text(left_out: Mapping[str, int]) -> str:
    """Say how many files of folders are left out, by reason, the largest number first; nothing where there are none."""
    ranked = sorted(left_out.items(), key=lambda item: (item[0] == "other", -item[1], item[0]))
    return f"left out: {', '.join(f'{count:,} {reason}' for reason, count in ranked)}" if ranked else ""


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
    """One photo that a search found; its position in the list of hits is its rank.

    Attributes:
        path: The file to show.
        distance: Euclidean distance to the query; lower is closer.
        category: What is known about the picture; None where nothing is.
        paths: All files with the same content, `path` among them.
        score: Probability that it is of the sketched category, as on the model's validation split; None where the
            model has no calibration, and for a photo as query.
        missing: Whether none of the files is there.
    """

    path: str
    distance: float
    category: str | None
    paths: tuple[str, ...]
    score: float | None = None
    missing: bool = False


@dataclass(frozen=True)
class Retrieval:
    """The photos nearest to a query.

    Attributes:
        query: Name of the image; names of several are joined with " + ".
        skipped: Files of the searched folder that could not be used.
        left_out: How many other files of it are not searched, by reason.
    """

    query: str
    checkpoint: str
    gallery: str
    results: tuple[Hit, ...]
    skipped: tuple[Skipped, ...] = field(default=())
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Indexed:
    """What `index` did, or would do.

    Attributes:
        photos: files in the index afterwards; in a dry run, now.
        embedded: photos that went through the network.
        reused: copies and renames of known pictures.
        skipped: files that could not be used, with the reason.
        left_out: how many files are no photos to be searched, by reason.
        kept: photos whose files cannot be found, but may come back.
    """

    out: str
    dry_run: bool
    photos: int
    embedded: int
    reused: int
    unchanged: int
    removed: int
    skipped: tuple[Skipped, ...]
    seconds: float
    left_out: Mapping[str, int] = field(default_factory=dict)
    kept: tuple[Kept, ...] = ()


@dataclass(frozen=True)
class Info:
    """What an index, a checkpoint or a run folder is.

    Attributes:
        kind: index, checkpoint or run.
        format: number of its format.
        counts: how many of what.
        size: bytes on the disk; 0 where that is the server's business.
        model: what makes its embeddings.
        figures: how good that model was found to be.
        updated: when, in ISO format; empty where unknown.
        verified: whether all of it was read and compared with its checksums.
        problems: what is wrong with it.
    """

    kind: str
    path: str
    format: int
    counts: dict[str, int]
    size: int
    model: dict[str, str | int]
    figures: dict[str, float]
    updated: str
    verified: bool
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Embedded:
    """A file of embeddings that was written."""

    out: str
    count: int
    embedding_size: int
    skipped: tuple[Skipped, ...]
    left_out: Mapping[str, int]


@dataclass(frozen=True)
class Exported:
    """An encoder that was written for other programs.

    Attributes:
        out: the file.
        kind: of the images that it embeds.
        shape: of one of them: channels, height, width; uint8.
        embedding_size: numbers that it becomes.
        size: bytes.
        difference: largest difference to the checkpoint's embeddings on pictures that were tried.
    """

    out: str
    kind: str
    shape: tuple[int, int, int]
    embedding_size: int
    size: int
    difference: float
