"""The options of the commands, where several commands share one or its declaration is long."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from sketchy.cli.console import suffix
from sketchy.cli.parsing import address, path, path_glob, protocol_name, refuse_empty, run_name, since, until
from sketchy.evaluation.metrics import PROTOCOLS

if TYPE_CHECKING:
    from sketchy.retrieval.scan import Scan

Runs = Annotated[Path, typer.Option(parser=path, metavar="FOLDER", help="The folder that contains the runs.")]
_MODEL = "The model: the name of a run, a run folder, a .pth file, an exported model, or bundled.  [default: {}]"


def _model_option(default: str) -> Any:
    """Return the declaration of the option that names a model, with what is used by default."""
    return typer.Option("--checkpoint", "-c", parser=address, metavar="MODEL", help=_MODEL.format(default))


Checkpoint = Annotated[str | None, _model_option("bundled")]
CheckpointToIndex = Annotated[str | None, _model_option("that of the index, else bundled")]
CheckpointToSearch = Annotated[
    str | None, _model_option("that of the index, else bundled; without --gallery, the newest finished run")
]
CheckpointToEvaluate = Annotated[str | None, _model_option("the newest finished run")]
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
        metavar="FILE",
        help="Write a picture of the query and the photos found, as .png or .jpg.",
        callback=suffix(".png", ".jpg", ".jpeg"),
    ),
]


Categories = Annotated[
    list[str] | None,
    typer.Option(
        "--category",
        metavar="NAME",
        help="Search only this category of a dataset; may be repeated.",
        callback=refuse_empty,
    ),
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
Device = Annotated[str, typer.Option(metavar="DEVICE", help="The device to compute on: auto, cpu, cuda or cuda:N.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on stdout.")]

Sources = Annotated[
    list[Path], typer.Argument(parser=path, metavar="PHOTOS", help="Folders of photos and image files.")
]
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

Host = Annotated[
    str, typer.Option(metavar="ADDRESS", help="The address to listen on; 0.0.0.0 admits other machines with a link.")
]
Port = Annotated[
    int, typer.Option(metavar="PORT", min=0, max=65535, help="The port to listen on; 0 chooses a free one.")
]

Queries = Annotated[
    list[Path] | None,
    typer.Argument(parser=path, metavar="IMAGE", help="One or more drawings of the same thing, or photos; - is stdin."),
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
Count = Annotated[int, typer.Option("--k", "-k", metavar="N", min=1, help="The number of photos to find.")]
QueryKind = Annotated[
    Literal["auto", "photo", "sketch"],
    typer.Option(help="What the query is; a photo finds similar photos, and auto takes it for what it is."),
]
MaxDistance = Annotated[
    float | None, typer.Option(metavar="DISTANCE", min=0, help="Leave out photos with a higher distance.")
]
MinScore = Annotated[
    float | None, typer.Option(metavar="SCORE", min=0, max=1, help="Leave out photos with a lower score.")
]
Exact = Annotated[bool, typer.Option("--exact", help="Do not use an approximate index.")]
SpatialShare = Annotated[
    float | None,
    typer.Option(metavar="SHARE", min=0, max=1, help="How much it counts how things lie, against what they are."),
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
    typer.Option(
        parser=address,
        metavar="CONFIG",
        help="The name of a config, see `sketchy configs`, or the path of a .yaml file.",
    ),
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated.")
]
RunName = Annotated[
    str | None,
    typer.Option(parser=run_name, metavar="NAME", help="The name of the run.  [default: that of the config]"),
]
Resume = Annotated[
    Path | None, typer.Option(parser=path, metavar="RUN", help="Continue the run in this folder, with its own config.")
]
ReplaceRun = Annotated[bool, typer.Option("--force", help="Replace an existing run of the same name.")]

DatasetOption = Annotated[
    Path | None, typer.Option(parser=path, metavar="DATASET", help="The dataset.  [default: the one of the training]")
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
    Path | None,
    typer.Option("--report", parser=path, metavar="FOLDER", help="The folder to write a report to, an HTML page."),
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
