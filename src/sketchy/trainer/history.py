"""The training history: history.csv, with one row per epoch, and curves.png."""

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

from sketchy.errors import RunError
from sketchy.evaluation.learning_curves import PANELS
from sketchy.results import EpochResult
from sketchy.storage import os_reason, replacing, write_text

BEST_BY = "val_map_all"
"""Column of the history by which the best epoch is selected."""


@dataclass
class History:
    """The history of a run; its file is rewritten atomically after every epoch."""

    path: Path
    rows: list[EpochResult] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path, epochs: int | None = None) -> "History":
        """Read the first `epochs` epochs (None: all); later rows belong to epochs whose checkpoint was not saved.

        Raises:
            RunError: The file is missing or damaged.
        """
        try:
            with path.open(newline="", encoding="utf-8") as file:
                table = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
            rows = [EpochResult(int(row.pop("epoch")), row) for row in table]
        except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
            reason = os_reason(error) if isinstance(error, OSError) else error
            raise RunError(f"cannot read {path}: {reason}; restore it or start a new run") from None
        epochs = len(rows) if epochs is None else epochs
        if [row.epoch for row in rows[:epochs]] != list(range(1, epochs + 1)):
            raise RunError(f"{path} does not hold epochs 1 to {epochs}; restore it or start a new run")
        return cls(path, rows[:epochs])

    def add(self, row: EpochResult) -> None:
        """Append a row and write the file. Raises StorageError."""
        self.rows.append(row)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["epoch", *row.columns])
        for past in self.rows:
            # Not rounded: a resumed run selects the best epoch from these values.
            writer.writerow([past.epoch, *(float(past.columns[name]) for name in row.columns)])
        write_text(self.path, text.getvalue())

    def draw(self, path: Path) -> None:
        """Plot loss, distances and validation over epochs as a PNG. Raises StorageError."""
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator

        figure = Figure(figsize=(12, 3.6), layout="constrained")
        epochs = [row.epoch for row in self.rows]
        for axes, (title, lines) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
            for name, text in lines.items():
                if self.rows and name in self.rows[0].columns:
                    axes.plot(epochs, [row.columns[name] for row in self.rows], marker=".", label=text)
            axes.set(title=title, xlabel="epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(alpha=0.3)
            if axes.lines:
                axes.legend()
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png", dpi=110)
