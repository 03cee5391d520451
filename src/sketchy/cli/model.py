"""The commands for models: train, evaluate and export."""

from pathlib import Path
from typing import Annotated

import typer

from sketchy import report
from sketchy.cli.console import guarded, importing, show_progress, suffix
from sketchy.cli.options import (
    AsJson,
    CheckpointOption,
    Device,
    Runs,
    chosen_checkpoint,
    path,
    protocol_name,
    run_name,
)
from sketchy.evaluation.metrics import PROTOCOLS
from sketchy.extras import require_torch


@guarded
def train(
    config: Annotated[
        Path | None, typer.Option(parser=path, help="The config, for example configs/default.yaml.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(parser=run_name, help="The name of the run.  [default: that of the config]")
    ] = None,
    runs: Runs = Path("runs"),
    resume: Annotated[
        Path | None, typer.Option(parser=path, help="Continue the run in this folder, with its own config.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing run of the same name.")] = False,
    json: AsJson = False,
) -> None:
    """Train a model and write it to a run folder.

    The run folder also holds the history of the training and pictures. Ctrl-C stops and saves; --resume continues.
    Several GPUs are used by DataParallel; if the command is started by torchrun (torchrun --nproc-per-node N -m sketchy
    train ...), by DistributedDataParallel.

    Example: sketchy train --config configs/default.yaml --set data.root=data/demo --set train.epochs=5
    """
    if (config is None) == (resume is None):
        raise typer.BadParameter("give either --config FILE or --resume RUN")
    require_torch("training")
    from sketchy.config_file import load_config
    from sketchy.trainer.run_dir import existing_run

    run = resume or runs / (name or config.stem)  # type: ignore[union-attr]
    loaded = load_config(existing_run(resume).config if resume else config, settings or (), of_run=resume is not None)
    with importing():
        from sketchy.commands import train as command

    result = command.run(loaded, run, resume=resume is not None, force=force, progress=show_progress)
    if result is not None:
        print(report.as_json(result) if json else report.train_text(result))


@guarded
def evaluate(
    checkpoint: CheckpointOption = None,
    data: Annotated[
        Path | None, typer.Option(parser=path, help="The dataset.  [default: the one of the training]")
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(
            parser=protocol_name,
            metavar=f"[{'|'.join(PROTOCOLS)}]",
            autocompletion=lambda: list(PROTOCOLS),
            help="What counts as correct, and in which gallery.",
        ),
    ] = "all",
    extended: Annotated[
        Path | None,
        typer.Option(
            parser=path,
            metavar="DIR",
            help="A folder of <category>/<photo> to add to a zero-shot gallery.",
        ),
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--report", parser=path, help="The folder to write a report to, an HTML page.")
    ] = None,
    per_category: Annotated[bool, typer.Option("--per-category", help="Print the metrics of every category.")] = False,
    runs: Runs = Path("runs"),
    device: Device = "auto",
    json: AsJson = False,
) -> None:
    """Measure retrieval on data that was not used for training.

    Every metric is printed with its value for a random ranking. The protocols category and instance use the test split:
    for category a photo is correct if it has the category of the sketch, for instance if the sketch was drawn from it.
    The protocols zero-shot-25 and zero-shot-21 are like category, on all photos and sketches of the categories that a
    run with data.zero_shot left out of its training. docs/protocols.md has the formulas.

    Example: sketchy evaluate --report evaluation
    """
    if extended is not None and not protocol.startswith("zero-shot"):
        raise typer.BadParameter("--extended needs --protocol zero-shot-25 or zero-shot-21")
    if extended is not None and page is not None:
        raise typer.BadParameter("give either --extended DIR or --report FOLDER; the page shows no photos of DIR")
    require_torch("evaluating")
    with importing():
        chosen = chosen_checkpoint(checkpoint, runs)
        from sketchy.commands import evaluate as command

    found = command.run(
        chosen,
        data=data,
        protocol=protocol,
        extended=extended,
        report=page,
        device=device,
        progress=show_progress,
    )
    print(report.as_json(found) if json else report.evaluation_text(found, per_category=per_category))


@guarded
def export(
    out: Annotated[Path, typer.Option(parser=path, help="The .zip file to write.", callback=suffix(".zip"))],
    checkpoint: CheckpointOption = None,
    runs: Runs = Path("runs"),
    json: AsJson = False,
) -> None:
    """Export a model to one file, for search without PyTorch.

    The file takes the place of the checkpoint in every command that searches. It holds two ONNX networks, sketch.onnx
    and photo.onnx, for other programs (docs/python.md). The command checks that the file computes the same embeddings
    as the checkpoint. A finished training has exported its model already, to best.zip in the run folder.

    Example: sketchy export --out model.zip
    """
    require_torch("exporting a model")
    with importing():
        chosen = chosen_checkpoint(checkpoint, runs)
        from sketchy.commands import export as command

    made = command.run(chosen, out)
    print(report.as_json(made) if json else report.export_text(made))
