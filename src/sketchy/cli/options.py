"""The options of the commands, where several commands share one or its declaration is long."""

import logging
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sketchy.cli.console import suffix
from sketchy.cli.parsing import address, path, path_glob, protocol_name, refuse_empty, run_name, since, until
from sketchy.evaluation.metrics import PROTOCOLS
from sketchy.results import Retrieval, Skipped, left_out_text

if TYPE_CHECKING:
    from sketchy.retrieval.scan import Scan

log = logging.getLogger(__name__)

SKIPPED_SHOWN = 5


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


Categories = Annotated[
    list[str] | None,
    typer.Option("--category", help="Search only this category of a dataset; may be repeated.", callback=refuse_empty),
]
Folder = Annotated[
    list[str] | None,
    typer.Option(
        "--folder",
        parser=path_glob,
        metavar="FOLDER",
        help="Search only this folder and those in it, for example 'Holiday/2023'; may be repeated.",
        callback=refuse_empty,
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
        callback=refuse_empty,
    ),
]
PathGlob = Annotated[
    str | None,
    typer.Option(
        parser=path_glob,
        metavar="GLOB",
        help="Search only photos whose path matches, for example 'holiday/*'.",
        callback=refuse_empty,
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        parser=path_glob,
        metavar="GLOB",
        help="Leave out files and folders whose path matches, for example 'Trash' or '*.gif'; may be repeated.",
        callback=refuse_empty,
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
    list[Path] | None,
    typer.Argument(parser=path, help="One or more drawings of the same thing, or photos; - is stdin."),
]
Words = Annotated[
    list[str] | None,
    typer.Option("--text", metavar="THING", help="Search for a thing by name; may be repeated.", callback=refuse_empty),
]
Like = Annotated[
    list[str] | None,
    typer.Option("--like", parser=path_glob, metavar="PHOTO", help="Search for more like this; may be repeated."),
]
Unlike = Annotated[
    list[str] | None,
    typer.Option("--unlike", parser=path_glob, metavar="PHOTO", help="Search for less like this; may be repeated."),
]
Without = Annotated[
    list[str] | None,
    typer.Option("--without", parser=path_glob, metavar="PHOTO", help="Leave this photo out; may be repeated."),
]
Count = Annotated[int, typer.Option("--k", "-k", min=1, help="The number of photos to find.")]
QueryKind = Annotated[
    Literal["auto", "photo", "sketch"],
    typer.Option(help="What the query is; a photo finds similar photos, and auto takes it for what it is."),
]
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
        log.info(f"skipped {len(skipped):,} files in all; -v lists them")
    if left_out:
        log.info(left_out_text(left_out) + "; -v lists them" * (not every))
        log_raw_remedy(left_out)


def log_new_unused(found: Retrieval) -> None:
    """Report files that are not searched since the last search of a folder, and count those that were not before."""
    log_unused(found.new_skipped, found.new_left_out)
    skipped = len(found.skipped) - len(found.new_skipped)
    left_out = 0 if found.new_left_out else sum(found.left_out.values())
    if skipped or left_out:
        counts = {"skipped": skipped, "left out": left_out}
        told = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
        log.info(f"files not searched, as before: {told}; -v lists them")


def log_raw_remedy(left_out: Mapping[str, int]) -> None:
    """Say how the raw files of cameras are read, if some were left out."""
    from sketchy.retrieval.scan import raw_remedy

    if remedy := raw_remedy(left_out):
        log.info(remedy)
