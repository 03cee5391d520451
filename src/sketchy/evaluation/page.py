"""The report page: an evaluation as one self-contained HTML file."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from sketchy.dataset.loader import Dataset
from sketchy.errors import StorageError
from sketchy.evaluation.charts import LEVELS, Focus, category_bars, confusion, heat_map
from sketchy.evaluation.embedding_map import embedding_map
from sketchy.evaluation.evaluate import EvaluationDetails
from sketchy.evaluation.examples import pick_examples, read_examples
from sketchy.evaluation.learning_curves import learning_curves
from sketchy.evaluation.metrics import METRICS, label
from sketchy.progress import Progress, no_progress
from sketchy.results import EpochResult, Evaluation
from sketchy.storage import refuse_unwritable, write_text
from sketchy.text import amount

log = logging.getLogger(__name__)


class MetricRow(NamedTuple):
    """A row of the table of metrics."""

    name: str
    meaning: str
    value: float
    chance: float


@dataclass(frozen=True)
class About:
    """What the page says of the model, beside its evaluation.

    Attributes:
        title: Heading of the page.
        facts: Short facts by name, such as the date.
        settings: The settings of the training by dotted name; empty leaves them out.
        history: The epochs of the training; empty leaves out the learning curves.
    """

    title: str
    facts: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[EpochResult] = ()


PAGE = "index.html"
OWN_TITLE = b"<title>Evaluation of "
"""Text near the beginning of a report page, by which an earlier one is recognised."""


def refuse_other_page(folder: Path) -> None:
    """Raise StorageError if the page cannot be written into a folder, or would replace one that is no report."""
    path = folder / PAGE
    refuse_unwritable(path)
    if path.is_file():
        with path.open("rb") as file:
            if OWN_TITLE not in file.read(1024):
                raise StorageError(f"{path} is not an earlier report and would be replaced; name another folder")


def write_page(
    details: EvaluationDetails, data: Dataset, folder: Path, about: About, progress: Progress = no_progress
) -> None:
    """Write the report page as `index.html` into a folder, and replace an earlier one.

    An image that can no longer be read is shown as an empty tile.

    Args:
        details: The evaluation of a subset of `data`.
        data: The dataset, from which the thumbnails are read.
        folder: The folder; created if it does not exist.
        about: What the page says of the model.
        progress: Shows the progress while images are read.

    Raises:
        StorageError: The page cannot be written.
    """
    focus = Focus.of(details)
    best, worst = pick_examples(details, focus)
    examples = read_examples(details, data, best + worst, focus, progress)
    content = _content(details, focus, data.pack.categories) | {
        "about": about,
        "panels": learning_curves(about.history),
        "best": examples[: len(best)],
        "worst": examples[len(best) :],
    }
    page = _environment().get_template("page.html.j2").render(content)
    path = folder / PAGE
    write_text(path, page.encode(errors="replace").decode())  # names that are not Unicode have lone surrogates
    log.info(f"wrote {path}")


def _content(details: EvaluationDetails, focus: Focus, names: tuple[str, ...]) -> dict[str, Any]:
    """Collect the values that the template shows, except examples; charts that were not measured are left out."""
    evaluation, scores = details.evaluation, details.scores
    figures: dict[str, Any] = {
        "protocol": evaluation.protocol,
        "instance": focus.instance,
        "label": METRICS[focus.key].label,
        "measured": bool(focus.counted.any()),
        "metrics": _metric_rows(evaluation),
        "further": evaluation.further,
        "bars": category_bars(details, focus, names),
        "shown": scores.nearest.shape[1],
    }
    if figures["measured"] and not focus.instance:
        present, shares = confusion(details, focus.counted)
        figures["map"] = embedding_map(details, focus.counted, names)
        figures["curve"] = scores.curve[focus.counted].mean(0).tolist()
        figures["prevalence"] = _prevalence(details, focus)  # the precision of a random order at every recall
        figures["heat"] = heat_map(present, shares, names)
        figures["levels"] = LEVELS
    return figures


def _prevalence(details: EvaluationDetails, focus: Focus) -> float:
    """Return the share of the gallery that is relevant, averaged over the queries."""
    return float(details.scores.relevant[focus.counted].double().mean()) / len(details.gallery_categories)


def _metric_rows(evaluation: Evaluation) -> list[MetricRow]:
    """Return the metrics with labels and explanations, except those that were measured for no query."""
    instance, category = evaluation.protocol["instance_queries"], evaluation.protocol["queries"]
    return [
        MetricRow(METRICS[key].label, METRICS[key].meaning, value, evaluation.chance[key])
        for key, value in evaluation.metrics.items()
        if (instance if METRICS[key].instance else category)
    ]


def percent(share: float) -> str:
    """Format a share as a percentage, with a second decimal below 1 %."""
    return f"{100 * share:.{1 if share >= 0.01 or share == 0 else 2}f}\N{NO-BREAK SPACE}%"


def times(value: float, chance: float) -> str:
    """Format a value as a multiple of its chance level."""
    if chance == 0:
        return "\N{EN DASH}"
    return f"{value / chance:,.{1 if value < 10 * chance else 0}f}\N{NO-BREAK SPACE}\N{MULTIPLICATION SIGN}"


def plain(value: Any) -> str:
    """Format the value of a setting as in a config."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("sketchy.evaluation", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "times": times, "amount": amount, "plain": plain, "label": label}
    return environment
