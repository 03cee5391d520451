"""The commands around a model: train, evaluate, export."""

from pathlib import Path
from typing import Annotated

import typer

from sketchy import report
from sketchy.cli.console import TALK, guarded, importing, show_progress, suffix
from sketchy.cli.options import (
    AsJson,
    CheckpointOption,
    Device,
    Kind,
    Protocol,
    Runs,
    chosen_checkpoint,
    path,
    run_name,
)


@guarded
def train(
    config: Annotated[Path | None, typer.Option(parser=path, help="A YAML file, such as configs/default.yaml.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(parser=run_name, help="Name of the run.  [default: that of the config]")
    ] = None,
    runs: Runs = Path("runs"),
    resume: Annotated[
        Path | None, typer.Option(parser=path, help="Run folder to continue, with its own config.")
    ] = None,
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
    from sketchy.config_file import load_config
    from sketchy.trainer.run_dir import existing_run

    run = resume or runs / (name or config.stem)  # type: ignore[union-attr]
    loaded = load_config(existing_run(resume).config if resume else config, settings or (), of_run=resume is not None)
    with importing():
        from sketchy.commands import train as command

    result = command.run(loaded, run, resume=resume is not None, force=force, talk=TALK)
    if result is not None:
        print(report.as_json(result) if json else report.train_text(result))


@guarded
def evaluate(
    checkpoint: CheckpointOption = None,
    data: Annotated[
        Path | None, typer.Option(parser=path, help="Where the dataset lies.  [default: where it lay]")
    ] = None,
    protocol: Annotated[Protocol, typer.Option(help="What is judged.")] = Protocol.all,
    extended: Annotated[
        Path | None,
        typer.Option(
            parser=path, metavar="DIR", help="Folder of <category>/<photo> that a zero-shot gallery has besides."
        ),
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--report", parser=path, help="Folder to write an HTML page into.")
    ] = None,
    per_category: Annotated[bool, typer.Option("--per-category", help="Print every category.")] = False,
    runs: Runs = Path("runs"),
    device: Device = "auto",
    json: AsJson = False,
) -> None:
    """Measure retrieval on what was not trained on, with chance beside each figure.

    category: a photo is right if it is of the sketch's category. instance: if it is the very photo that was traced.
    Both on the test split. zero-shot-25, zero-shot-21: as category, on all photos and sketches of the categories that
    a run with data.zero_shot left out. docs/protocols.md has the formulas.

    Example: sketchy evaluate --report evaluation
    """
    if extended is not None and not protocol.is_zero_shot:
        raise typer.BadParameter("--extended needs --protocol zero-shot-25 or zero-shot-21")
    if extended is not None and page is not None:
        raise typer.BadParameter("give either --extended DIR or --report FOLDER; the page shows no photos of DIR")
    with importing():
        chosen = chosen_checkpoint(checkpoint, runs)
        from sketchy.commands import evaluate as command

    found = command.run(
        chosen,
        data=data,
        protocol=protocol.value,
        extended=extended,
        report=page,
        device=device,
        progress=show_progress,
    )
    print(report.as_json(found) if json else report.evaluation_text(found, per_category=per_category))


@guarded
def export(
    kind: Annotated[Kind, typer.Option(help="What the images are that it will embed.")],
    out: Annotated[Path, typer.Option(parser=path, help="The .onnx to write.", callback=suffix(".onnx"))],
    checkpoint: CheckpointOption = None,
    runs: Runs = Path("runs"),
    json: AsJson = False,
) -> None:
    """Write the encoder for programs that have no PyTorch, and check that it computes the same.

    The file takes images as sketchy.image prepares them, (B, C, S, S) uint8, and gives (B, D) float32 embeddings to
    compare by Euclidean distance. One file is for sketches, another for photos: export both.

    Example: sketchy export --kind sketch --out sketch.onnx
    """
    with importing():
        chosen = chosen_checkpoint(checkpoint, runs)
        from sketchy.commands import export as command

    made = command.run(chosen, kind.value, out)
    print(report.as_json(made) if json else report.export_text(made))
