"""The report page: one HTML file that shows an evaluation and asks nothing of any other file or host."""

from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from sketchy.dataset.loader import Dataset
from sketchy.errors import StorageError
from sketchy.evaluation.charts import LEVELS, Focus, category_bars, confusion, heat_map
from sketchy.evaluation.examples import pick_examples, read_examples
from sketchy.evaluation.judge import Judgement
from sketchy.evaluation.metrics import METRICS
from sketchy.progress import Progress, no_progress
from sketchy.results import Evaluation
from sketchy.storage import write_text


class MetricRow(NamedTuple):
    """A row of the table of metrics."""

    name: str
    meaning: str
    value: float
    chance: float


PAGE = "index.html"
OWN_TITLE = b"<title>Evaluation of "
"""What an earlier page has near its beginning."""


def refuse_other_page(path: Path) -> None:
    """Raise StorageError when a page that someone else wrote lies where a report is to be written."""
    if path.is_file():
        with path.open("rb") as file:
            if OWN_TITLE not in file.read(1024):
                raise StorageError(f"{path} is no earlier report and would be replaced; name another folder")


def write_page(
    judgement: Judgement, data: Dataset, folder: Path, *, title: str, progress: Progress = no_progress
) -> Path:
    """Write `index.html` into a folder, in place of an earlier one.

    An image that can no longer be read is shown as an empty tile.

    Args:
        judgement: of a part of `data`.
        data: whose files the pictures are read from.
        folder: made when it is not there.
        title: the heading of the page.
        progress: Shows the progress over the pictures.

    Returns:
        The path of the page.

    Raises:
        StorageError: it cannot be written.
    """
    focus = Focus.of(judgement)
    best, worst = pick_examples(judgement, focus)
    examples = read_examples(judgement, data, best + worst, focus, progress)
    content = _figures(judgement, focus, data.pack.categories) | {
        "title": title,
        "best": examples[: len(best)],
        "worst": examples[len(best) :],
    }
    page = _environment().get_template("page.html.j2").render(content)
    path = folder / PAGE
    write_text(path, page.encode(errors="replace").decode())  # lone surrogates of names that are not Unicode
    return path


def _figures(judgement: Judgement, focus: Focus, names: tuple[str, ...]) -> dict[str, Any]:
    """Collect what the template shows besides pictures; what was not measured is left out."""
    evaluation, scores = judgement.evaluation, judgement.scores
    figures: dict[str, Any] = {
        "protocol": evaluation.protocol,
        "instance": focus.instance,
        "label": METRICS[focus.key].label,
        "measured": bool(focus.counted.any()),
        "metrics": metric_rows(evaluation),
        "bars": category_bars(judgement, focus, names),
        "shown": scores.nearest.shape[1],
    }
    if figures["measured"] and not focus.instance:
        present, shares = confusion(judgement, focus.counted)
        figures["curve"] = scores.curve[focus.counted].mean(0).tolist()
        figures["prevalence"] = _prevalence(judgement, focus)  # what a random order has at every recall
        figures["heat"] = heat_map(present, shares, names)
        figures["levels"] = LEVELS
    return figures


def _prevalence(judgement: Judgement, focus: Focus) -> float:
    """Return the share of the gallery that is relevant, as a mean over the queries."""
    return float(judgement.scores.relevant[focus.counted].double().mean()) / len(judgement.gallery_categories)


def metric_rows(evaluation: Evaluation) -> list[MetricRow]:
    """Name and explain the metrics, without those that no query was measured for."""
    instance, category = evaluation.protocol["instance_queries"], evaluation.protocol["queries"]
    return [
        MetricRow(METRICS[key].label, METRICS[key].meaning, value, evaluation.chance[key])
        for key, value in evaluation.metrics.items()
        if (instance if METRICS[key].instance else category)
    ]


def percent(share: float) -> str:
    """Write a share as a percentage, with two decimals where one would say little."""
    return f"{100 * share:.{1 if share >= 0.01 or share == 0 else 2}f}\N{NO-BREAK SPACE}%"


def times(value: float, chance: float) -> str:
    """Write how many times chance a value is."""
    if chance == 0:
        return "\N{EN DASH}"
    return f"{value / chance:,.{1 if value < 10 * chance else 0}f}\N{NO-BREAK SPACE}\N{MULTIPLICATION SIGN}"


def amount(count: int, one: str, many: str) -> str:
    """Write a number with its noun."""
    return f"{count:,} {one if count == 1 else many}"


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("sketchy.evaluation", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "times": times, "amount": amount}
    return environment
