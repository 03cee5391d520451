"""The command line: parse, call a command, print. Nothing else in the package prints.

Results go to stdout, all talk to stderr. Heavy modules are imported inside the commands, so that `--help` and usage
errors answer at once.
"""

import io
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import sketchy
from sketchy import report
from sketchy.console import TALK, guarded, suffix
from sketchy.errors import CheckpointError
from sketchy.results import Skipped

app = typer.Typer(
    help="Find a photo by drawing it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(help="Check, get or draw a dataset.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data_app, name="data")

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


Runs = Annotated[Path, typer.Option(help="Folder of the run folders.")]
CheckpointOption = Annotated[
    Path | None, typer.Option("--checkpoint", "-c", help="A .pth file or a run folder.  [default: the newest run]")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on stdout.")]


def main() -> None:
    """Run the command line."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # names of files that are not Unicode come out as they are
    app()


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(sketchy.__version__)
        raise typer.Exit


@data_app.command("check")
@guarded
def data_check(
    source: Annotated[Path, typer.Argument(help="Folder, .zip or .tar with photo/ and sketch/.")],
    photo_rendering: Annotated[str | None, typer.Option(help="tx_... folder of photos to read.")] = None,
    sketch_rendering: Annotated[str | None, typer.Option(help="tx_... folder of sketches to read.")] = None,
    json: AsJson = False,
) -> None:
    """Count photos and sketches by category and name what is missing, unreadable or unpaired.

    Example: sketchy data check data/sketchy
    """
    from sketchy.commands import data_check as command

    found = command.run(source, photo_rendering, sketch_rendering, TALK)
    print(report.as_json(found) if json else report.data_report_text(found))


@data_app.command("fetch")
@guarded
def data_fetch(
    out: Annotated[Path, typer.Option(help="Folder to make.")] = Path("data/sketchy"),
    source: Annotated[
        str | None, typer.Option("--from", help="Your copy, as a file or an address: .7z, .zip or .tar.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Get the Sketchy Database and unpack it; run again, it goes on where it stopped.

    Without --from it tries the authors' links, which need `pip install 'sketchy[fetch]'`.

    Example: sketchy data fetch --from rendered_256x256.7z
    """
    from sketchy.commands import data_fetch as command

    made = command.run(out, source, TALK)
    print(report.as_json(made) if json else report.made_text(made))


@data_app.command("demo")
@guarded
def data_demo(
    out: Annotated[Path, typer.Argument(help="Folder to make.")],
    photos: Annotated[int, typer.Option(min=1, help="Photos of each category.")] = 20,
    sketches: Annotated[int, typer.Option(min=1, help="Sketches of each photo.")] = 2,
    categories: Annotated[int | None, typer.Option(help="How many categories.  [default: all]")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other pictures.")] = 0,
    json: AsJson = False,
) -> None:
    """Draw a small dataset by program, in the layout of the Sketchy Database.

    Example: sketchy data demo data/demo
    """
    from sketchy.commands import data_demo as command

    made = command.run(out, photos=photos, sketches=sketches, categories=categories, seed=seed, talk=TALK)
    print(report.as_json(made) if json else report.made_text(made))


@app.command("train")
@guarded
def train(
    config: Annotated[Path | None, typer.Option(help="A YAML file, such as configs/default.yaml.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run.  [default: that of the config]")] = None,
    runs: Runs = Path("runs"),
    resume: Annotated[Path | None, typer.Option(help="Run folder to continue, with its own config.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a run of the same name.")] = False,
    json: AsJson = False,
) -> None:
    """Train a model; a run folder with the weights, the history and pictures comes out.

    Ctrl-C saves and stops; --resume goes on. On several GPUs in one process DataParallel is used; started by torchrun
    (torchrun --nproc-per-node N -m sketchy train ...), DistributedDataParallel.

    Example: sketchy train --config configs/default.yaml --set data.root=data/demo --set train.epochs=5
    """
    if (config is None) == (resume is None):
        raise typer.BadParameter("give either --config FILE or --resume RUN")
    from sketchy.config import load_config
    from sketchy.trainer.run_dir import existing_run

    path = resume or runs / (name or config.stem)  # type: ignore[union-attr]
    loaded = load_config(existing_run(resume).config if resume else config, settings or ())
    from sketchy.commands import train as command

    result = command.run(loaded, path, resume=resume is not None, force=force, talk=TALK)
    if result is not None:
        print(report.as_json(result) if json else report.train_text(result))


@app.command("evaluate")
@guarded
def evaluate(
    checkpoint: CheckpointOption = None,
    data: Annotated[Path | None, typer.Option(help="Where the dataset lies.  [default: where it lay]")] = None,
    protocol: Annotated[Protocol, typer.Option(help="What is judged.")] = Protocol.all,
    page: Annotated[Path | None, typer.Option("--report", help="Folder to write an HTML page into.")] = None,
    per_category: Annotated[bool, typer.Option("--per-category", help="Print every category.")] = False,
    runs: Runs = Path("runs"),
    device: Device = "auto",
    json: AsJson = False,
) -> None:
    """Measure retrieval on the held-out test split, with chance beside each figure.

    category: a photo is right if it is of the sketch's category. instance: if it is the very photo that was traced.

    Example: sketchy evaluate --report evaluation
    """
    chosen = _checkpoint(checkpoint, runs)
    from sketchy.commands import evaluate as command

    found = command.run(chosen, data=data, protocol=protocol.value, report=page, device=device, talk=TALK)
    print(report.as_json(found) if json else report.evaluation_text(found, per_category=per_category))


@app.command("embed")
@guarded
def embed(
    images: Annotated[list[Path], typer.Argument(help="Image files, and folders of them.")],
    kind: Annotated[Kind, typer.Option(help="What all of them are.")],
    out: Annotated[
        Path,
        typer.Option(help="The .npz to write: paths (N,), embeddings (N, D) float32.", callback=suffix(".npz")),
    ],
    checkpoint: CheckpointOption = None,
    runs: Runs = Path("runs"),
    device: Device = "auto",
    json: AsJson = False,
) -> None:
    """Write embeddings of images to an .npz, for your own tools. Euclidean distance; lower is closer.

    Example: sketchy embed photos/ --kind photo --out photos.npz
    """
    chosen = _checkpoint(checkpoint, runs)
    from sketchy.commands import embed as command

    made = command.run(images, kind.value, out, chosen, device=device, talk=TALK)
    _say_skipped(made.skipped)
    print(report.as_json(made) if json else f"{made.out}: {made.count:,} embeddings of {made.embedding_size} numbers")


@app.command("index")
@guarded
def index(
    photos: Annotated[list[Path], typer.Argument(help="Folders of photos, and image files.")],
    out: Annotated[
        str,
        typer.Option(
            metavar="INDEX", help="A folder to make, or to bring up to date; or milvus://host:port/collection."
        ),
    ],
    checkpoint: CheckpointOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Begin anew, whatever is in the index.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Name every file that is skipped.")] = False,
    runs: Runs = Path("runs"),
    device: Device = "auto",
    json: AsJson = False,
) -> None:
    """Embed folders of photos into an index; run again, it only does what changed.

    Photos that are gone leave the index; copies and renamed ones are known by their content. Many
    processes take their shares of the photos of a server's gallery:
    torchrun --nproc-per-node N -m sketchy index PHOTOS --out milvus://host:port/collection

    Example: sketchy index ~/Pictures --out pictures.index
    """
    from sketchy.commands import index as command

    chosen = _checkpoint(checkpoint, runs)
    made = command.run(photos, out, chosen, dry_run=dry_run, force=force, device=device, talk=TALK)
    if made is not None:
        _say_skipped(made.skipped, every=verbose)
        print(report.as_json(made) if json else report.index_text(made))


@app.command("info")
@guarded
def info(
    path: Annotated[str, typer.Argument(help="An index, a .pth file or a run folder.")],
    verify: Annotated[bool, typer.Option("--verify", help="Read all of it and compare with its checksums.")] = False,
    json: AsJson = False,
) -> None:
    """Say what an index, a checkpoint or a run is, and whether it is whole; exits with 1 where it is not.

    Example: sketchy info pictures.index --verify
    """
    from sketchy.commands import info as command

    found = command.run(path, verify=verify)
    print(report.info_json(found) if json else report.info_text(found))
    if found.problems:
        raise typer.Exit(1)


@app.command("retrieve")
@guarded
def retrieve(
    queries: Annotated[
        list[Path], typer.Argument(help="A drawing, as PNG or JPEG; several of one thing are averaged.")
    ],
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="How many photos.")] = 10,
    gallery: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER_OR_INDEX",
            help="Folder of photos, index, or milvus://host:port/collection.  [default: the model's test photos]",
        ),
    ] = None,
    kind: Annotated[Kind, typer.Option(help="What the query is: photo finds more like it.")] = Kind.sketch,
    max_distance: Annotated[float | None, typer.Option(min=0, help="Leave out photos further away.")] = None,
    min_score: Annotated[float | None, typer.Option(min=0, max=1, help="Leave out photos less likely right.")] = None,
    category: Annotated[list[str] | None, typer.Option(help="Only photos of it; may be repeated.")] = None,
    path_glob: Annotated[str | None, typer.Option(help="Only photos whose path matches, such as 'holiday/*'.")] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Measure every photo, however many there are.")] = False,
    save: Annotated[
        Path | None,
        typer.Option(
            help="Write a contact sheet, .png or .jpg: the query, then the photos.",
            callback=suffix(".png", ".jpg", ".jpeg"),
        ),
    ] = None,
    paths_only: Annotated[bool, typer.Option("--paths-only", help="Print one path a line, nearest first.")] = False,
    checkpoint: CheckpointOption = None,
    runs: Runs = Path("runs"),
    device: Device = "auto",
    json: AsJson = False,
) -> None:
    """Find the photos nearest to a sketch. A lower distance is closer.

    The score is the probability that the photo is of the sketched category, as on the model's validation split.

    Example: sketchy retrieve sketch.png --k 10 --gallery ~/Pictures --save sheet.png
    """
    if json and paths_only:
        raise typer.BadParameter("give either --json or --paths-only")
    chosen = _checkpoint(checkpoint, runs)
    from sketchy.commands import retrieve as command
    from sketchy.retrieval.query import Request
    from sketchy.retrieval.store.records import Where

    request = Request(k, Where(tuple(category or ()), path_glob), max_distance, min_score, exact)
    found = command.run(
        queries,
        request,
        checkpoint=chosen,
        kind=kind.value,
        gallery=gallery,
        save=save,
        device=device,
        talk=TALK,
    )
    _say_skipped(found.skipped)
    if json:
        print(report.retrieval_json(found))
    elif paths_only:
        print("".join(f"{hit.path}\n" for hit in found.results), end="")
    else:
        print(report.retrieval_text(found))


@app.command("serve")
@guarded
def serve(
    gallery: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER_OR_INDEX",
            help="Folder of photos, index, or milvus://host:port/collection.  [default: the model's test photos]",
        ),
    ] = None,
    checkpoint: CheckpointOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets others in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    runs: Runs = Path("runs"),
    device: Device = "auto",
) -> None:
    """Serve a page on which you draw, and the photos change with every stroke.

    A folder without an index is indexed first. Needs `pip install 'sketchy[serve]'`.

    Example: sketchy serve --gallery ~/Pictures --open
    """
    from sketchy.commands import serve as command

    command.run(
        _checkpoint(checkpoint, runs),
        lambda address: print(f"ready at {address}", flush=True),
        gallery=gallery,
        host=host,
        port=port,
        browser=browser,
        device=device,
        talk=TALK,
    )


def _checkpoint(given: Path | None, runs: Path) -> Path:
    """Return the checkpoint that was named, or the newest, and say which."""
    from sketchy.trainer.run_dir import RunDir, newest_checkpoint

    if given is not None:
        chosen = RunDir(given).checkpoint if given.is_dir() else given
        if not chosen.exists():
            raise CheckpointError(f"no such checkpoint: {chosen}; train one or name another with --checkpoint")
        return chosen
    found = newest_checkpoint(runs)
    TALK.say(f"using {found}")
    return found


def _say_skipped(skipped: tuple[Skipped, ...], *, every: bool = False) -> None:
    shown = len(skipped) if every else SKIPPED_SHOWN
    for item in skipped[:shown]:
        TALK.say(f"skipping {item.path}: {item.reason}")
    if len(skipped) > shown:
        TALK.say(f"skipped {len(skipped)} files in all")
