"""Options that several commands share, and what they mean."""

import logging
import os
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sketchy.cli.console import suffix
from sketchy.paths import expanded
from sketchy.results import Skipped, left_out_text

log = logging.getLogger(__name__)

SKIPPED_SHOWN = 5


class Kind(StrEnum):
    """What an image is."""

    photo = "photo"
    sketch = "sketch"


class Protocol(StrEnum):
    """What is judged."""

    all = "all"
    category = "category"
    instance = "instance"
    zero_shot_25 = "zero-shot-25"
    zero_shot_21 = "zero-shot-21"

    @property
    def is_zero_shot(self) -> bool:
        """Whether it is about the categories that training left out."""
        return self in (Protocol.zero_shot_25, Protocol.zero_shot_21)


def path(text: str) -> Path:
    """Parse an option that names a file or a folder; `~` is expanded here and nowhere else."""
    return Path(_checked(str(text)))


def address(text: str) -> str:
    """Parse an option that names a file, a folder or a server."""
    return text if re.match(r"\w+://", text) else _checked(text)


def run_name(text: str) -> str:
    """Parse the name of a run: of one folder, not of a place."""
    if text in (".", "..", "~") or set(text) & {"/", os.sep, "\0"}:
        raise typer.BadParameter(f"{text!r} is not the name of one folder; say with --runs where it lies")
    return text


def _checked(text: str) -> str:
    try:
        return expanded(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Runs = Annotated[Path, typer.Option(parser=path, help="Folder of the run folders.")]
CheckpointOption = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        "-c",
        parser=path,
        help="A .pth file or a run folder.  [default: the newest run, else the bundled model]",
    ),
]
GalleryOption = Annotated[
    str | None,
    typer.Option(
        parser=address,
        metavar="FOLDER_OR_INDEX",
        help="Folder of photos, index, or milvus://host:port/collection.  [default: the model's test photos]",
    ),
]
SheetOption = Annotated[
    Path | None,
    typer.Option(
        parser=path,
        help="Write a contact sheet, .png or .jpg: the query, then the photos.",
        callback=suffix(".png", ".jpg", ".jpeg"),
    ),
]


def _refuse_empty(texts: list[str] | None) -> list[str] | None:
    """Refuse an empty text, such as an unset variable gives."""
    if texts and not all(text.strip() for text in texts):
        raise typer.BadParameter("it is empty; leave the option out, or name something")
    return texts


Categories = Annotated[
    list[str] | None, typer.Option("--category", help="Only photos of it; may be repeated.", callback=_refuse_empty)
]
PathGlob = Annotated[
    str | None,
    typer.Option(
        help="Only photos whose path matches, such as 'holiday/*'.",
        callback=lambda text: _refuse_empty(None if text is None else [text]) and text,
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        metavar="GLOB",
        help="Leave out files and folders whose path matches, such as 'Trash' or '*.gif'; may be repeated.",
        callback=_refuse_empty,
    ),
]
DropMissing = Annotated[
    bool, typer.Option("--drop-missing", help="Drop photos of folders that are missing or empty now.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on stdout.")]


def chosen_checkpoint(given: Path | None, runs: Path) -> Path:
    """Return the checkpoint that was named, else the newest, else the bundled model, and say which."""
    from sketchy.trainer.run_dir import checkpoint_file, newest_checkpoint

    if given is not None:
        return checkpoint_file(given)
    if found := newest_checkpoint(runs):
        log.info(f"using {found}")
        return found
    from sketchy.model.bundled import BUNDLED

    log.info(f"no run under {runs}: using the bundled model")
    return BUNDLED


def say_skipped(skipped: tuple[Skipped, ...], *, every: bool = False) -> None:
    """Name files that were left out, a few of them or every one."""
    shown = len(skipped) if every else SKIPPED_SHOWN
    for item in skipped[:shown]:
        log.info(f"skipping {item.path}: {item.reason}")
    if len(skipped) > shown:
        log.info(f"skipped {len(skipped)} files in all")


def say_left_out(left_out: Mapping[str, int]) -> None:
    """Say how many files were left out, and how to have them named."""
    if left_out:
        log.info(f"{left_out_text(left_out)}; `sketchy index FOLDER --out INDEX --dry-run -v` names them")
