"""Format results as text for people and as JSON for scripts."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len

from sketchy.evaluation.metrics import HEADLINE, label
from sketchy.results import (
    ConfigSummary,
    DataReport,
    Embedded,
    Evaluation,
    Exported,
    Hit,
    Indexed,
    Info,
    MadeFolder,
    Retrieval,
    RunSummary,
    TrainResult,
    left_out_text,
)
from sketchy.text import amount, escaped, strict_json, table, table_lines

LEAST_PATH = 16
"""Cells of a terminal that a path gets at least."""
LEAST_SETTING = 8
"""Cells of a terminal that the value of a setting gets at least."""


def as_json(result: Any) -> str:
    """Return a result dataclass as one JSON object."""
    return strict_json(dataclasses.asdict(result))


def as_json_list(name: str, results: Sequence[Any]) -> str:
    """Return result dataclasses as one JSON object, a list by its name."""
    return strict_json({name: [dataclasses.asdict(result) for result in results]})


def retrieval_json(retrieval: Retrieval) -> str:
    """Return a retrieval as JSON, its hits with their ranks."""
    tree = dataclasses.asdict(retrieval)
    tree["results"] = [{"rank": rank, **hit} for rank, hit in enumerate(tree["results"], start=1)]
    return strict_json(tree)


def info_json(info: Info) -> str:
    """Return a description as JSON, with its counts at the top level."""
    tree = dataclasses.asdict(info)
    health = {"verified": tree.pop("verified"), "problems": tree.pop("problems")}
    return strict_json(
        {"kind": tree.pop("kind"), "format": tree.pop("format"), **tree.pop("counts"), **tree, "health": health}
    )


def _text(*lines: str) -> str:
    return "\n".join(map(escaped, lines))


def data_report_text(report: DataReport) -> str:
    """Return the table of categories with photos, sketches and totals, then the problems."""
    rows: list[tuple[object, ...]] = [(row.category, row.photos, row.sketches) for row in report.counts]
    rows.append(("total", report.photos, report.sketches))
    lines = [f"{report.source}: {report.layout}", "", *table_lines(("category", "photos", "sketches"), rows), ""]
    problems = [*report.problems, *(f"unreadable: {item.path}: {item.reason}" for item in report.skipped)]
    lines.append(amount(len(problems), "problem") if problems else "no problems")
    return _text(*lines, *(f"  {problem}" for problem in problems))


def embedded_text(made: Embedded) -> str:
    """Return a line about a file of embeddings that was written."""
    return _text(f"{made.out}: {amount(made.count, 'embedding')} of {made.embedding_size} numbers")


def export_text(made: Exported) -> str:
    """Return a line about an exported model: its size, and its difference to the checkpoint."""
    return _text(
        f"{made.out}: embeddings of {made.embedding_size} dimensions, {made.size / 1e6:.1f} MB, "
        f"at most {made.difference:.0e} from the checkpoint"
    )


def evaluation_text(evaluation: Evaluation, *, per_category: bool) -> str:
    """Return the protocol in one line, the metrics beside chance, and if `per_category` a table of categories."""
    rows = [
        (label(name), f"{value:.4f}", f"{evaluation.chance[name]:.4f}") for name, value in evaluation.metrics.items()
    ]
    lines = [protocol_line(evaluation), "", *table_lines(("metric", "value", "chance"), rows)]
    if evaluation.further:
        lines += ["", *_further_table(evaluation.further)]
    if per_category:
        ranked = sorted(evaluation.per_category.items(), key=lambda item: -item[1]["map_all"])
        body = [
            (name, f"{row['map_all']:.3f}", f"{row['p_at_1']:.3f}", int(row["queries"]), int(row["photos"]))
            for name, row in ranked
        ]
        header = ("category", label("map_all"), label("p_at_1"), "queries", "photos")
        lines += ["", *table_lines(header, body)]
    return _text(*lines)


def _further_table(evaluations: Sequence[Evaluation]) -> list[str]:
    """Return the table of evaluations on the held-out images of further sources."""
    shown = ("map_all", "p_at_1", "p_at_10")
    rows = [
        (
            found.protocol["source"],
            found.protocol["queries"],
            found.protocol["gallery"],
            *(f"{found.metrics[key]:.4f}" for key in shown),
            f"{found.chance['map_all']:.4f}",
        )
        for found in evaluations
    ]
    header = ("held out", "sketches", "against photos", *map(label, shown), f"chance {label('map_all')}")
    return table_lines(header, rows)


def protocol_line(evaluation: Evaluation) -> str:
    """Return one line about the queries and the gallery of an evaluation."""
    facts = evaluation.protocol
    left_out = facts["queries_without_relevant"]
    return (
        f"protocol {facts['name']}: {facts['queries']:,} sketches against {facts['gallery']:,} photos of "
        f"{facts['categories']} categories, the whole gallery ranked; "
        f"{facts['instance_queries']:,} sketches have their traced photo in it"
        + (f"; {left_out:,} sketches without a photo of their category left out" if left_out else "")
        + (f"; {facts['extended_photos']:,} of the photos from the extension" if "extended_photos" in facts else "")
    )


def retrieval_text(retrieval: Retrieval, columns: int | None = None) -> str:
    """Return a table of the hits, of a dataset with their categories, else with their dates, below any advice on them.

    Paths are shortened to fit a terminal with this number of columns; None leaves them whole.
    `+1` after a path means one copy, `(missing)` that there is no such file.
    """
    if not retrieval.results:
        return "no photo fits"
    in_dataset = any(hit.category for hit in retrieval.results)
    facts = [
        (
            rank,
            f"{hit.distance:.4f}",
            "-" if hit.score is None else f"{hit.score:.3f}",
            (hit.category if in_dataset else hit.taken and hit.taken[:10]) or "-",
        )
        for rank, hit in enumerate(retrieval.results, start=1)
    ]
    header = ("rank", "distance", "score", "category" if in_dataset else "taken")
    left = None if columns is None else columns - len(table_lines(header, facts)[1]) - 2
    rows = [(*row, _photo(hit, left)) for row, hit in zip(facts, retrieval.results, strict=True)]
    found = table((*header, "photo"), rows)
    return f"{retrieval.advice}; the nearest photos:\n{found}" if retrieval.advice else found


def _photo(hit: Hit, cells: int | None) -> str:
    """Return the path of a hit and its state, in at most so many cells of a terminal."""
    state = f"  +{len(hit.paths) - 1}" * (len(hit.paths) > 1) + "  (missing)" * hit.missing
    path = escaped(hit.path)
    return (path if cells is None else shortened(path, max(LEAST_PATH, cells - len(state)))) + state


def shortened(path: str, cells: int) -> str:
    """Return the end of a path that takes at most so many cells of a terminal, from a folder on if that is possible."""
    if cell_len(path) <= cells:
        return path
    parts = path.split("/")
    tails = ("…/" + "/".join(parts[first:]) for first in range(1, len(parts)))
    name = parts[-1]
    return next((tail for tail in tails if cell_len(tail) <= cells), None) or next(
        tail for tail in (f"…{name[first:]}" for first in range(len(name) + 1)) if cell_len(tail) <= cells
    )


def index_text(made: Indexed) -> str:
    """Return lines about the changes of an index, its size, and files that were left out."""
    changes = {
        "embedded": made.embedded,
        "copied or renamed": made.reused,
        "unchanged": made.unchanged,
        "gone": made.removed,
        "skipped": len(made.skipped),
    }
    summary = ", ".join(f"{count:,} {what}" for what, count in changes.items() if count) or "nothing to do"
    if made.dry_run:
        first = f"{made.out}: {amount(made.photos, 'photo')} now; would be: {summary}"
    else:
        first = f"{made.out}: {amount(made.photos, 'photo')}; {summary}; {made.seconds:.1f} s"
    return _text(first, *filter(None, [left_out_text(made.left_out)]), *map(str, made.kept))


def info_text(info: Info) -> str:
    """Return a description in lines of name and value."""
    figures = {label(name): f"{value:.4g}" for name, value in info.figures.items()}
    health = "; ".join(info.problems) or ("intact" if info.verified else "can be opened; --verify checks all of it")
    lines = {
        "kind": f"{info.kind}, format {info.format}",
        **{name: f"{count:,}" for name, count in info.counts.items()},
        **({"size": f"{info.size / 1e6:,.1f} MB"} if info.size else {}),
        **{f"model {name}".replace("_", " "): str(value) for name, value in info.model.items()},
        **figures,
        **({"updated": info.updated} if info.updated else {}),
        "health": health,
    }
    width = max(map(len, lines))
    return _text(info.path, *(f"  {name.ljust(width)}  {value}" for name, value in lines.items()))


def configs_text(configs: Sequence[ConfigSummary]) -> str:
    """Return the table of configs; times and qualities are those of docs/results.md."""
    rows = [(each.name, each.network, each.time, each.quality.removeprefix("mAP@all ")) for each in configs]
    return table(("config", "network", "on two cores", "mAP@all"), rows)


def runs_text(runs: Sequence[RunSummary], columns: int | None = None) -> str:
    """Return a table of runs, and one of the settings that differ between them, with a column for each run.

    Values of settings are shortened to fit a terminal with this number of columns; None leaves them whole.
    """
    figures = [["-" if value is None else f"{value:.3f}" for value in (run.val_map, run.test_map)] for run in runs]
    rows = [
        (
            run.name,
            "yes" if run.finished else "no",
            f"{run.epochs} of {run.planned_epochs}",
            *maps,
            round(run.minutes, 1),
        )
        for run, maps in zip(runs, figures, strict=True)
    ]
    lines = table_lines(("run", "finished", "epochs", "val mAP", "test mAP", "minutes"), rows)
    names = list(runs[0].settings) if runs else []
    if names:
        left = None if columns is None else (columns - max(map(len, names))) // len(runs) - 2
        settings = [(name, *(_plain(run.settings[name], left) for run in runs)) for name in names]
        lines += ["", *table_lines(("setting", *(run.name for run in runs)), settings)]
    return "\n".join(lines)


def _plain(value: Any, cells: int | None) -> str:
    """Return the value of a setting as in a config; a dash for null, and for a setting that the run does not have."""
    text = "-" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if cells is None else shortened(text, max(LEAST_SETTING, cells))


def train_text(result: TrainResult) -> str:
    """Return a line about a finished run: its folder, and the metrics of its best epoch."""
    figures = ", ".join(
        f"{label(name)} {result.best[f'val_{name}']:.3f}" for name in HEADLINE if f"val_{name}" in result.best
    )
    best = f"best on the validation split: {figures}" if figures else "no validation split; the last epoch was kept"
    return _text(f"{result.run}: {amount(result.epochs, 'epoch')}, epoch {result.best_epoch} kept; {best}")


def made_text(made: MadeFolder) -> str:
    """Return a line about the contents of a dataset folder."""
    return _text(f"{made.path}: {made.categories} categories, {made.photos:,} photos, {made.sketches:,} sketches")
