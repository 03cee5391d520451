"""The options of the commands, where several commands share one or its declaration is long."""

import logging
import os
import re
from collections.abc import Callable, Mapping
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sketchy.cli.console import suffix
from sketchy.evaluation.metrics import PROTOCOLS
from sketchy.paths import expanded
from sketchy.results import Skipped, left_out_text
from sketchy.retrieval.taken import first_day, last_day

if TYPE_CHECKING:
    from sketchy.retrieval.scan import Scan

log = logging.getLogger(__name__)

SKIPPED_SHOWN = 5


class Kind(StrEnum):
    """The kind of an image."""

    photo = "photo"
    sketch = "sketch"


def path(text: str) -> Path:
    """Parse the path of a file or a folder; `~` is expanded only here."""
    return Path(_expanded(str(text)))


def address(text: str) -> str:
    """Parse the path of a file or a folder, or the address of a server."""
    return text if re.match(r"\w+://", text) else _expanded(text)


def path_glob(text: str) -> str:
    """Parse a glob of paths: a shell expands its `~` neither in quotes nor after `=`."""
    return _expanded(text)


def since(text: str) -> date:
    """Parse the first day of a period."""
    return _day(first_day, text)


def until(text: str) -> date:
    """Parse the last day of a period."""
    return _day(last_day, text)


def _day(parse: Callable[[str], date], text: str) -> date:
    try:
        return parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def protocol_name(text: str) -> str:
    """Parse the name of an evaluation protocol."""
    if text not in PROTOCOLS:
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(map(repr, PROTOCOLS))}.")
    return text


def run_name(text: str) -> str:
    """Parse the name of a run: the name of one folder, not a path."""
    if text in (".", "..", "~") or set(text) & {"/", os.sep, "\0"}:
        raise typer.BadParameter(f"{text!r} is not the name of one folder; choose its parent folder with --runs")
    return text


def _expanded(text: str) -> str:
    try:
        return expanded(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Runs = Annotated[Path, typer.Option(parser=path, help="The folder that contains the runs.")]
CheckpointOption = Annotated[
    str | None,
    typer.Option(
        "--checkpoint",
        "-c",
        parser=address,
        metavar="MODEL",
        help="The model: the name of a run, a run folder, a .pth file, an exported model, or bundled.  [default: that "
        "of the index, else the bundled model; for test photos, the newest finished run]",
    ),
]
GalleryOption = Annotated[
    str | None,
    typer.Option(
        parser=address,
        metavar="FOLDER_OR_INDEX",
        help="A folder of photos, an index, or milvus://host:port/collection.  [default: the model's test photos]",
    ),
]
SheetOption = Annotated[
    Path | None,
    typer.Option(
        parser=path,
        help="Write a picture of the query and the photos found, as .png or .jpg.",
        callback=suffix(".png", ".jpg", ".jpeg"),
    ),
]


def _refuse_empty(texts: list[str] | None) -> list[str] | None:
    """Refuse an empty text, which usually comes from an unset variable."""
    if texts and not all(text.strip() for text in texts):
        raise typer.BadParameter("it is empty; leave the option out, or give it a value")
    return texts


Categories = Annotated[
    list[str] | None,
    typer.Option("--category", help="Search only this category of a dataset; may be repeated.", callback=_refuse_empty),
]
Folder = Annotated[
    list[str] | None,
    typer.Option(
        "--folder",
        parser=path_glob,
        metavar="FOLDER",
        help="Search only this folder and those in it, for example 'Holiday/2023'; may be repeated.",
        callback=_refuse_empty,
    ),
]
Since = Annotated[
    date | None, typer.Option(parser=since, metavar="DATE", help="Search only photos taken since 2023 or 2023-07-14.")
]
Until = Annotated[
    date | None, typer.Option(parser=until, metavar="DATE", help="Search only photos taken until 2023 or 2023-07-14.")
]
NameGlob = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="GLOB",
        help="Search only files whose name matches, for example '*.png'.",
        callback=lambda text: _refuse_empty(None if text is None else [text]) and text,
    ),
]
PathGlob = Annotated[
    str | None,
    typer.Option(
        parser=path_glob,
        metavar="GLOB",
        help="Search only photos whose path matches, for example 'holiday/*'.",
        callback=lambda text: _refuse_empty(None if text is None else [text]) and text,
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        parser=path_glob,
        metavar="GLOB",
        help="Leave out files and folders whose path matches, for example 'Trash' or '*.gif'; may be repeated.",
        callback=_refuse_empty,
    ),
]
DropMissing = Annotated[
    bool, typer.Option("--drop-missing", help="Remove photos from the index whose folder is missing or empty now.")
]
Device = Annotated[str, typer.Option(help="The device to compute on: auto, cpu, cuda or cuda:N.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on stdout.")]

Sources = Annotated[list[Path], typer.Argument(parser=path, help="Folders of photos and image files.")]
IndexOption = Annotated[
    str,
    typer.Option(
        parser=address,
        metavar="INDEX",
        help="The index to create or update: a folder, or milvus://host:port/collection.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only print what would be done.")]
Rebuild = Annotated[bool, typer.Option("--force", help="Build the index anew, whatever it contains.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="List every file that is skipped or left out.")]
Watch = Annotated[
    bool, typer.Option("--watch", help="Go on, and update the index whenever the photos change, until Ctrl-C.")
]

Queries = Annotated[
    list[Path],
    typer.Argument(parser=path, help="One or more drawings of the same thing, as PNG or JPEG; - is stdin."),
]
Count = Annotated[int, typer.Option("--k", "-k", min=1, help="The number of photos to find.")]
QueryKind = Annotated[Kind, typer.Option(help="The kind of the query; a photo finds similar photos.")]
MaxDistance = Annotated[float | None, typer.Option(min=0, help="Leave out photos with a higher distance.")]
MinScore = Annotated[float | None, typer.Option(min=0, max=1, help="Leave out photos with a lower score.")]
Exact = Annotated[bool, typer.Option("--exact", help="Do not use an approximate index.")]
SpatialShare = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="How much it counts how things lie, against what they are; 0 to 1."),
]
CopyTo = Annotated[
    Path | None,
    typer.Option(parser=path, metavar="DIR", help="Copy the photos found to a folder; no file in it is replaced."),
]
LinkTo = Annotated[
    Path | None,
    typer.Option(parser=path, metavar="DIR", help="Make links to the photos found in a folder; no file is replaced."),
]
PathsOnly = Annotated[bool, typer.Option("--paths-only", help="Print only paths, one a line, nearest first.")]
Print0 = Annotated[bool, typer.Option("--print0", "-0", help="Print only paths, a NUL after each, for xargs -0.")]

ConfigOption = Annotated[
    str | None,
    typer.Option(parser=address, help="The name of a config, see `sketchy configs`, or the path of a .yaml file."),
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated.")
]
RunName = Annotated[
    str | None, typer.Option(parser=run_name, help="The name of the run.  [default: that of the config]")
]
Resume = Annotated[Path | None, typer.Option(parser=path, help="Continue the run in this folder, with its own config.")]
ReplaceRun = Annotated[bool, typer.Option("--force", help="Replace an existing run of the same name.")]

DatasetOption = Annotated[
    Path | None, typer.Option(parser=path, help="The dataset.  [default: the one of the training]")
]
Protocol = Annotated[
    str,
    typer.Option(
        parser=protocol_name,
        metavar=f"[{'|'.join(PROTOCOLS)}]",
        autocompletion=lambda: list(PROTOCOLS),
        help="What counts as correct, and in which gallery.",
    ),
]
Extended = Annotated[
    Path | None,
    typer.Option(parser=path, metavar="DIR", help="A folder of <category>/<photo> to add to a zero-shot gallery."),
]
ReportFolder = Annotated[
    Path | None, typer.Option("--report", parser=path, help="The folder to write a report to, an HTML page.")
]
PerCategory = Annotated[bool, typer.Option("--per-category", help="Print the metrics of every category.")]


def refuse_if(wrong: bool, message: str) -> None:
    """Refuse options that do not go together."""
    if wrong:
        raise typer.BadParameter(message)


def choose_checkpoint(
    named: str | None, runs: Path, *, gallery: str | None = None, without_run: str | None = None
) -> Path:
    """Choose the checkpoint; see `sketchy.trainer.choose`, which is imported only now."""
    from sketchy.trainer import choose

    return choose.choose_checkpoint(named, runs, gallery=gallery, without_run=without_run)


def scan_options(exclude: list[str] | None, drop_missing: bool, verbose: bool = False) -> "Scan":
    """Return the options for scanning folders."""
    from sketchy.retrieval.scan import Scan

    return Scan(tuple(exclude or ()), drop_missing, verbose)


def log_unused(skipped: tuple[Skipped, ...], left_out: Mapping[str, int] | None = None, *, every: bool = False) -> None:
    """Report files that could not be used, the first few or `every` one, and how many others were left out."""
    shown = len(skipped) if every else SKIPPED_SHOWN
    for item in skipped[:shown]:
        log.info(f"skipping {item.path}: {item.reason}")
    if len(skipped) > shown:
        log.info(f"skipped {len(skipped)} files in all")
    if left_out:
        log.info(f"{left_out_text(left_out)}; `sketchy index FOLDER --out INDEX --dry-run -v` lists them")
