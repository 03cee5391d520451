"""Options that several commands share, and what they mean."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sketchy.cli.console import TALK, suffix
from sketchy.errors import CheckpointError
from sketchy.results import Skipped

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


Runs = Annotated[Path, typer.Option(help="Folder of the run folders.")]
CheckpointOption = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        "-c",
        help="A .pth file or a run folder.  [default: the newest run, else the bundled model]",
    ),
]
GalleryOption = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER_OR_INDEX",
        help="Folder of photos, index, or milvus://host:port/collection.  [default: the model's test photos]",
    ),
]
SheetOption = Annotated[
    Path | None,
    typer.Option(
        help="Write a contact sheet, .png or .jpg: the query, then the photos.",
        callback=suffix(".png", ".jpg", ".jpeg"),
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on stdout.")]


def chosen_checkpoint(given: Path | None, runs: Path) -> Path:
    """Return the checkpoint that was named, else the newest, else the bundled model, and say which."""
    from sketchy.trainer.run_dir import RunDir, newest_checkpoint

    if given is not None:
        chosen = RunDir(given).checkpoint if given.is_dir() else given
        if not chosen.exists():
            raise CheckpointError(f"no such checkpoint: {chosen}; train one or name another with --checkpoint")
        return chosen
    if found := newest_checkpoint(runs):
        TALK.say(f"using {found}")
        return found
    from sketchy.model.bundled import BUNDLED

    TALK.say(f"no run under {runs}: using the bundled model")
    return BUNDLED


def say_skipped(skipped: tuple[Skipped, ...], *, every: bool = False) -> None:
    """Name files that were left out, a few of them or every one."""
    shown = len(skipped) if every else SKIPPED_SHOWN
    for item in skipped[:shown]:
        TALK.say(f"skipping {item.path}: {item.reason}")
    if len(skipped) > shown:
        TALK.say(f"skipped {len(skipped)} files in all")
