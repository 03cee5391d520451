"""Results of the commands: plain dataclasses without torch, for tables, JSON and tests."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


@dataclass(frozen=True)
class Skipped:
    """A file that could not be used, and the reason."""

    path: str
    reason: str


@dataclass(frozen=True)
class Kept:
    """Photos that stay in an index although their files are missing, as their drive may not be mounted.

    Attributes:
        path: The folder that no longer contains any photo.
        photos: Number of photos that stay.
        reason: State of the folder, such as "is empty".
    """

    path: str
    photos: int
    reason: str

    def __str__(self) -> str:
        """Return a message of one line."""
        photos = f"{self.photos:,} photo{'' if self.photos == 1 else 's'}"
        return (
            f"kept {photos} of {self.path}, which {self.reason} now; mount its drive, or drop them with --drop-missing"
        )


def left_out_text(left_out: Mapping[str, int]) -> str:
    """Return how many files are left out for each reason, most frequent first; empty if there are none."""
    ranked = sorted(left_out.items(), key=lambda item: (item[0] == "of another kind", -item[1], item[0]))
    return f"left out: {', '.join(f'{count:,} {reason}' for reason, count in ranked)}" if ranked else ""


@dataclass(frozen=True)
class CategoryCount:
    """A row of the dataset table."""

    category: str
    photos: int
    sketches: int


@dataclass(frozen=True)
class DataReport:
    """Result of `data check`: readable images by category, and every problem."""

    source: str
    layout: str
    counts: tuple[CategoryCount, ...]
    problems: tuple[str, ...]
    skipped: tuple[Skipped, ...]

    @property
    def photos(self) -> int:
        """Number of readable photos of all categories."""
        return sum(row.photos for row in self.counts)

    @property
    def sketches(self) -> int:
        """Number of readable sketches of all categories."""
        return sum(row.sketches for row in self.counts)


@dataclass(frozen=True)
class MadeFolder:
    """A dataset folder that was downloaded or drawn."""

    path: str
    photos: int
    sketches: int
    categories: int


@dataclass(frozen=True)
class ConfigSummary:
    """A config that comes with the package: its name, and in words its network, training time and quality."""

    name: str
    network: str
    time: str
    quality: str


@dataclass(frozen=True)
class EpochResult:
    """One row of history.csv, with its columns in order."""

    epoch: int
    columns: dict[str, float]


@dataclass(frozen=True)
class TrainResult:
    """A finished run, with the metrics of its best epoch on the validation split."""

    run: str
    epochs: int
    best_epoch: int
    best: dict[str, float]
    seconds: float


@dataclass(frozen=True)
class RunSummary:
    """A run beside others.

    Attributes:
        finished: Whether the training is complete, with all that follows its last epoch.
        epochs: Number of epochs that are done.
        planned_epochs: Number of epochs in the config; early stopping ends with fewer.
        val_map: mAP@all of the best epoch on the validation split; None if nothing was validated.
        test_map: mAP@all on the test split; None if the run was not evaluated.
        minutes: Time of its epochs, without validation.
        settings: The settings that are not the same in all runs, by dotted name; None if the run does not have one.
    """

    name: str
    finished: bool
    epochs: int
    planned_epochs: int
    val_map: float | None
    test_map: float | None
    minutes: float
    settings: dict[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """Metrics of a checkpoint, with their expected values for a random ranking (`chance`).

    Attributes:
        further: Evaluations on the held-out images of further sources, which `source` in their protocol names.
    """

    protocol: dict[str, str | int | float]
    metrics: dict[str, float]
    chance: dict[str, float]
    per_category: dict[str, dict[str, float]]
    further: tuple["Evaluation", ...] = ()


@dataclass(frozen=True)
class Hit:
    """A photo that a search found; its rank is its position in the list of hits.

    Attributes:
        path: Path of the photo.
        distance: Euclidean distance to the query; lower is closer.
        category: Category of the photo in a dataset; None if the gallery is none.
        paths: Paths of all files with the same content, including `path`.
        score: Probability that the photo shows what was drawn, as calibrated on the validation split; None if the model
            is not calibrated, or the query is a photo.
        missing: Whether all these files are missing now.
        taken: When it was taken, in ISO format without a time zone, from its EXIF data, else when its file was changed;
            None if that is unknown.
    """

    path: str
    distance: float
    category: str | None
    paths: tuple[str, ...]
    score: float | None = None
    missing: bool = False
    taken: str | None = None


class Advice(StrEnum):
    """What to say about the hits of a search."""

    KEEP_DRAWING = "keep drawing"
    """The sketch is only a dot or a line."""
    NOTHING_FITS = "nothing fits well"
    """Probably no hit shows what was drawn."""


class Hits(list[Hit]):
    """The hits of a search, nearest first.

    Attributes:
        advice: What to say about them; None if there is nothing.
    """

    def __init__(self, hits: Iterable[Hit] = (), advice: Advice | None = None) -> None:
        super().__init__(hits)
        self.advice = advice


@dataclass(frozen=True)
class Retrieval:
    """The photos nearest to a query.

    Attributes:
        query: Names of the query images, the words, and the photos to be like, joined with " + ".
        left_out: Number of files in the searched folder that are left out on purpose, by reason.
        advice: What to say about the hits; None if there is nothing.
        kind: What the images were taken for, "sketch" or "photo"; None without images.
    """

    query: str
    checkpoint: str
    gallery: str
    results: tuple[Hit, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)
    advice: Advice | None = None
    kind: str | None = None


@dataclass(frozen=True)
class Indexed:
    """What `index` did, or would do in a dry run.

    Attributes:
        photos: Number of files in the index afterwards; in a dry run, now.
        embedded: Number of photos that were embedded.
        reused: Number of copies and renamed files of photos that were embedded before.
        skipped: Files that could not be used.
        left_out: Number of other files in the folders, by reason.
        kept: Photos whose files are missing but may come back.
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
    """Description of an index, a checkpoint, an exported model or a run folder.

    Attributes:
        kind: "index", "checkpoint", "exported model" or "run".
        format: Version of its file format.
        counts: Numbers of its items, by name.
        size: Size on disk in bytes; 0 for an index on a server.
        model: Properties of the model.
        figures: Metrics of the model.
        updated: Time of the last change in ISO format; empty if unknown.
        verified: Whether all data was read and compared with its checksums.
        problems: Problems that were found.
    """

    kind: str
    path: str
    format: int
    counts: dict[str, int]
    size: int
    model: dict[str, str | int]
    figures: dict[str, float] = field(default_factory=dict)
    updated: str = ""
    verified: bool = False
    problems: tuple[str, ...] = ()


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
    """A model that was exported.

    Attributes:
        out: Path of the file.
        embedding_size: Dimension of an embedding.
        size: Size of the file in bytes.
        difference: Largest difference to the checkpoint's embeddings, on a few images.
    """

    out: str
    embedding_size: int
    size: int
    difference: float
