"""`sketchy runs`: the runs of a folder side by side."""

import difflib
import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sketchy.config_file import load_config, read_tree, with_current_names
from sketchy.errors import ConfigError, RunError
from sketchy.results import EpochResult, RunSummary
from sketchy.section import Role
from sketchy.trainer.history import BEST_BY, History
from sketchy.trainer.run_dir import RunDir

log = logging.getLogger(__name__)


def run(runs: Path, names: Sequence[str] = ()) -> list[RunSummary]:
    """Summarize runs, sorted by name; each with the settings in which it differs from another one of them.

    Args:
        runs: The folder that contains the runs.
        names: The runs to compare; empty for all of them.

    Raises:
        RunError: There is no run, or none of one of the names.
    """
    found = {path.name: RunDir(path) for path in (runs.iterdir() if runs.is_dir() else ())}
    found = {name: run for name, run in sorted(found.items()) if run.config.is_file()}
    if not found:
        raise RunError(f"there is no run under {runs}; train one, or name another folder with --runs")
    for name in names:
        if name not in found:
            close = difflib.get_close_matches(name, found, n=3) or list(found)[-10:]
            raise RunError(f"no run called {name} under {runs}; known are {', '.join(close)}")
    settings = {}
    for name in set(names) or found:
        try:
            settings[name] = _settings(name, found[name])
        except ConfigError as error:
            log.warning(f"{name} is left out: {error.args[0]} {'; '.join(error.args[1:])}".rstrip())
    differing = _differing(list(settings.values()))
    return [
        _summary(found[name], settings[name]["train.epochs"], {key: settings[name].get(key) for key in differing})
        for name in sorted(settings)
    ]


def _settings(name: str, run: RunDir) -> dict[str, Any]:
    """Return the settings of a run as plain values, by dotted name.

    Those that this version does not know are kept, as the run may be of another version.

    Raises:
        ConfigError: The config cannot be read.
    """
    try:
        return dict(_flat(load_config(run.config, of_run=True).settings(*Role)))
    except ConfigError as error:
        settings = dict(_flat(with_current_names(read_tree(run.config))))
        if not isinstance(settings.get("train.epochs"), int):
            raise
        log.warning(f"{name} is of another version: {'; '.join(error.args[1:])}")
        return settings


def _flat(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested sections by dotted name."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _differing(settings: Sequence[dict[str, Any]]) -> list[str]:
    """Return the names of the settings that are not the same in all runs, in the order of the config."""
    names = dict.fromkeys(name for run in settings for name in run)
    return [name for name in names if any(run.get(name) != settings[0].get(name) for run in settings)]


def _summary(run: RunDir, planned: int, settings: dict[str, Any]) -> RunSummary:
    rows: list[EpochResult] = []
    with suppress(RunError):  # no epoch is finished yet
        rows = History.read(run.history).rows
    validated = [row.columns[BEST_BY] for row in rows if BEST_BY in row.columns]
    return RunSummary(
        name=run.path.name,
        finished=run.is_finished(),
        epochs=len(rows),
        planned_epochs=planned,
        val_map=run.saved(run.result).get("best", {}).get(BEST_BY, max(validated, default=None)),
        test_map=run.saved(run.evaluation).get("metrics", {}).get("map_all"),
        minutes=sum(row.columns.get("seconds", 0) for row in rows) / 60,
        settings=settings,
    )
