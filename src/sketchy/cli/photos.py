"""The commands for your own photos: embed, index, info, retrieve and serve."""

import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from sketchy import report
from sketchy.cli.console import guarded, importing, show_links, show_paths, show_progress, suffix
from sketchy.cli.options import (
    AsJson,
    Categories,
    Checkpoint,
    CheckpointToIndex,
    CheckpointToSearch,
    CopyTo,
    Count,
    Device,
    DropMissing,
    DryRun,
    Exact,
    Exclude,
    Folder,
    GalleryOption,
    Host,
    IndexOption,
    Like,
    LinkTo,
    MaxDistance,
    MinScore,
    NameGlob,
    PathGlob,
    PathsOnly,
    Port,
    Print0,
    Queries,
    QueryKind,
    Rebuild,
    Runs,
    SheetOption,
    Since,
    Sources,
    SpatialShare,
    Unlike,
    Until,
    Verbose,
    Watch,
    Without,
    Words,
    refuse_if,
    scan_options,
)
from sketchy.cli.parsing import address, path
from sketchy.cli.pictures import picture_printer
from sketchy.results import Indexed, Retrieval
from sketchy.trainer.choose import choose_checkpoint

NO_GALLERY = "give --gallery FOLDER to search your own photos"
"""What to do where there is neither a gallery nor a run, whose test photos are searched by default."""


@guarded
def embed(
    images: Annotated[
        list[Path], typer.Argument(parser=path, metavar="IMAGES", help="Image files and folders; - is stdin.")
    ],
    kind: Annotated[Literal["photo", "sketch"], typer.Option(help="The kind of all these images.")],
    out: Annotated[
        Path,
        typer.Option(
            parser=path,
            metavar="FILE",
            help="The .npz to write: paths (N,), embeddings (N, D) float32.",
            callback=suffix(".npz"),
        ),
    ],
    checkpoint: Checkpoint = None,
    runs: Runs = Path("runs"),
    device: Device = "auto",
    verbose: Verbose = False,
    json: AsJson = False,
) -> None:
    """Write the embeddings of images to an .npz file.

    Compare them by Euclidean distance; a lower distance is closer.

    Example: sketchy embed photos/ --kind photo --out photos.npz
    """
    with importing(searches=True):
        chosen = choose_checkpoint(checkpoint, runs)
        from sketchy.commands import embed as command
        from sketchy.retrieval.unused import log_unused

    made = command.run(images, kind, out, chosen, name_left_out=verbose, device=device, progress=show_progress)
    log_unused(made.skipped, made.left_out, every=verbose)
    print(report.as_json(made) if json else report.embedded_text(made))


@guarded
def index(
    photos: Sources,
    out: IndexOption,
    checkpoint: CheckpointToIndex = None,
    dry_run: DryRun = False,
    force: Rebuild = False,
    watch: Watch = False,
    exclude: Exclude = None,
    drop_missing: DropMissing = False,
    verbose: Verbose = False,
    runs: Runs = Path("runs"),
    device: Device = "auto",
    json: AsJson = False,
) -> None:
    """Embed folders of photos into an index.

    Run again, the command embeds new and changed photos, recognises copies and renamed ones by their content, and
    removes deleted ones. Photos of a missing or empty folder stay, as its drive may not be mounted; see --drop-missing.

    With --watch, it goes on and follows the folders, and needs `pip install 'sketchy-search[serve]'`.

    Several processes can share the photos for an index on a Milvus server:
    torchrun --nproc-per-node N -m sketchy index PHOTOS --out milvus://host:port/collection

    Example: sketchy index ~/Pictures --out pictures.index
    """
    refuse_if(watch and dry_run, "give either --watch or --dry-run")
    with importing(searches=True):
        chosen = choose_checkpoint(checkpoint, runs, gallery=None if force else out)
        from sketchy.commands import index as command

    show = partial(_show_indexed, json, verbose)
    scan = scan_options(exclude, drop_missing, verbose)
    if watch:
        command.follow(photos, out, chosen, show, force=force, scan=scan, device=device, progress=show_progress)
    made = command.run(
        photos, out, chosen, dry_run=dry_run, force=force, scan=scan, device=device, progress=show_progress
    )
    if made is not None:
        show(made)


def _show_indexed(json: bool, verbose: bool, made: Indexed) -> None:
    from sketchy.retrieval.unused import log_raw_remedy, log_unused

    log_unused(made.skipped, {}, every=verbose)
    log_raw_remedy(made.left_out)
    print(report.as_json(made) if json else report.index_text(made), flush=True)


@guarded
def info(
    path: Annotated[
        str,
        typer.Argument(
            parser=address,
            metavar="INDEX_OR_MODEL",
            help="An index, the name of a run, a run folder, a .pth file, an exported model, or bundled.",
        ),
    ],
    verify: Annotated[bool, typer.Option("--verify", help="Compare all data with its checksums.")] = False,
    runs: Runs = Path("runs"),
    json: AsJson = False,
) -> None:
    """Describe an index, a checkpoint or a run, and check it.

    The exit code is 1 if there are problems.

    Example: sketchy info pictures.index --verify
    """
    with importing():
        from sketchy.commands import info as command

    found = command.run(path, runs=runs, verify=verify)
    print(report.info_json(found) if json else report.info_text(found))
    if found.problems:
        raise typer.Exit(1)


@guarded
def retrieve(
    queries: Queries = None, k: Count = 10, gallery: GalleryOption = None,
    text: Words = None, like: Like = None, unlike: Unlike = None, without: Without = None,
    kind: QueryKind = "auto", max_distance: MaxDistance = None, min_score: MinScore = None,
    folder: Folder = None, since: Since = None, until: Until = None, name: NameGlob = None,
    path_glob: PathGlob = None, category: Categories = None, exclude: Exclude = None,
    drop_missing: DropMissing = False, exact: Exact = False, spatial_share: SpatialShare = None,
    save: SheetOption = None, copy_to: CopyTo = None, link_to: LinkTo = None,
    paths_only: PathsOnly = False, print0: Print0 = False, verbose: Verbose = False,
    checkpoint: CheckpointToSearch = None, runs: Runs = Path("runs"), device: Device = "auto", json: AsJson = False,
) -> None:  # fmt: skip
    """Find the photos nearest to a sketch, to a photo, or to words.

    A lower distance is closer. The score is the probability that a photo shows what was drawn.

    Example: sketchy retrieve sketch.png --k 10 --gallery ~/Pictures --save sheet.png

    Example: sketchy retrieve --text cat --unlike dog.jpg --gallery ~/Pictures
    """
    refuse_if(not (queries or text or like), "give a drawing, --text or --like")
    refuse_if(json and (paths_only or print0), "give either --json or --paths-only")
    refuse_if(bool(copy_to and link_to), "give either --copy-to or --link-to")
    with importing(searches=True):
        chosen = _checkpoint_to_search(gallery, checkpoint, runs)
        from sketchy.commands import retrieve as command
        from sketchy.retrieval.query import Extras
        from sketchy.retrieval.search import Request, where_of
    where = where_of(categories=category, path_glob=path_glob, folder=folder, since=since, until=until, name=name)
    request = Request(k, where, max_distance, min_score, exact, spatial_share)
    extras = Extras(text=text or (), like=like or (), unlike=unlike or (), without=without or ())
    show = None if json or paths_only or print0 else picture_printer()
    scan = scan_options(exclude, drop_missing, verbose)
    run = partial(command.run, scan=scan, save=save, show=show, progress=show_progress)
    target = copy_to or link_to
    run = partial(run, collect_in=target and (target, "copy" if copy_to else "link"))
    found = run(queries or (), request, chosen, gallery, kind=kind, extras=extras, device=device)
    _show_retrieval(found, json, paths_only, print0)


def _checkpoint_to_search(gallery: str | None, checkpoint: str | None, runs: Path) -> Path:
    return choose_checkpoint(checkpoint, runs, gallery=gallery, without_run=None if gallery else NO_GALLERY)


def _show_retrieval(found: Retrieval, json: bool, paths_only: bool, print0: bool) -> None:
    if json:
        print(report.retrieval_json(found))
    elif paths_only or print0:
        show_paths([hit.path for hit in found.results], "\0" if print0 else "\n")
    else:
        columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        print(report.retrieval_text(found, columns))


@guarded
def serve(
    gallery: GalleryOption = None,
    checkpoint: CheckpointToSearch = None,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    exclude: Exclude = None,
    drop_missing: DropMissing = False,
    runs: Runs = Path("runs"),
    device: Device = "auto",
) -> None:
    """Serve a web page on which you draw and see the photos.

    The photos are updated with every stroke. A folder is indexed while the page is up, and again whenever its photos
    change. Other machines need a --host that they can reach, and the link that is then shown.

    This needs `pip install 'sketchy-search[serve]'`.

    Example: sketchy serve --gallery ~/Pictures --open
    """
    with importing(searches=True):
        chosen = _checkpoint_to_search(gallery, checkpoint, runs)
        from sketchy.commands import serve as command

    command.run(
        chosen,
        show_links,
        gallery=gallery,
        scan=scan_options(exclude, drop_missing),
        host=host,
        port=port,
        browser=browser,
        launch=lambda file, in_folder: typer.launch(file, locate=in_folder),
        device=device,
        progress=show_progress,
    )
