"""The commands for models: configs, train, evaluate and export."""

import logging
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from sketchy import report
from sketchy.cli.console import guarded, importing, show_progress, suffix
from sketchy.cli.options import (
    AsJson,
    Checkpoint,
    CheckpointToEvaluate,
    ConfigOption,
    DatasetOption,
    Device,
    Extended,
    PerCategory,
    Protocol,
    ReplaceRun,
    ReportFolder,
    Resume,
    RunName,
    Runs,
    Settings,
    refuse_if,
)
from sketchy.cli.parsing import path
from sketchy.trainer.choose import choose_checkpoint

log = logging.getLogger(__name__)

LONG_EPOCHS = 100
"""Number of epochs from which a shorter config is suggested."""


@guarded
def train(
    config: ConfigOption = None,
    settings: Settings = None,
    name: RunName = None,
    runs: Runs = Path("runs"),
    resume: Resume = None,
    force: ReplaceRun = False,
    json: AsJson = False,
) -> None:
    """Train a model and write it to a run folder.

    The run folder also holds the history of the training and pictures. Ctrl-C stops and saves; --resume continues.
    Several GPUs are used by DataParallel; if the command is started by torchrun (torchrun --nproc-per-node N -m sketchy
    train ...), by DistributedDataParallel.

    The config `recommended` is the one to use. `default` is the system of the course report: 200 epochs, which take
    about 18 hours on two cores, for results hardly better than chance.

    Example: sketchy train --config recommended --set data.root=data/demo
    """
    refuse_if((config is None) == (resume is None), "give either --config NAME_OR_FILE or --resume RUN")
    from sketchy.bundled_configs import config_path
    from sketchy.config_file import load_config
    from sketchy.trainer.run_dir import existing_run

    file = existing_run(resume).config if resume else config_path(config or "")
    run = resume or runs / (name or file.stem)
    loaded = load_config(file, settings or (), of_run=resume is not None)
    if resume is None and loaded.train.epochs >= LONG_EPOCHS:
        log.info(
            f"{loaded.train.epochs} epochs may take many hours; `--config recommended` has far fewer and finds far more"
        )
    with importing("training"):
        from sketchy.commands import train as command

    result = command.run(loaded, run, resume=resume is not None, force=force, progress=show_progress)
    if result is not None:
        print(report.as_json(result) if json else report.train_text(result))


@guarded
def configs(
    name: Annotated[
        str | None, typer.Argument(metavar="CONFIG", help="The config to print.  [default: list all of them]")
    ] = None,
    json: AsJson = False,
) -> None:
    """List the configs that come with the package, or print one.

    Times are for training on two cores and metrics on the test split, both on a part of the Sketchy Database;
    docs/results.md has the details. A printed config can be changed and used as a file.

    Example: sketchy configs recommended > mine.yaml
    """
    from sketchy.bundled_configs import config_path, config_summaries
    from sketchy.config_file import load_config

    if name is None:
        found = config_summaries()
        print(report.as_json_list("configs", found) if json else report.configs_text(found))
    elif json:
        print(load_config(config_path(name)).model_dump_json(indent=2))
    else:
        print(config_path(name).read_text(encoding="utf-8"), end="")


@guarded
def evaluate(
    checkpoint: CheckpointToEvaluate = None,
    data: DatasetOption = None,
    protocol: Protocol = "all",
    extended: Extended = None,
    page: ReportFolder = None,
    per_category: PerCategory = False,
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
    if extended is not None:
        refuse_if(not protocol.startswith("zero-shot"), "--extended needs --protocol zero-shot-25 or zero-shot-21")
        refuse_if(page is not None, "give either --extended DIR or --report FOLDER; the page shows no photos of DIR")
    with importing("evaluating"):
        chosen = choose_checkpoint(checkpoint, runs, without_run="train one, or name a model with --checkpoint")
        from sketchy.commands import evaluate as command

    found = command.run(
        chosen, data=data, protocol=protocol, extended=extended, report=page, device=device, progress=show_progress
    )
    print(report.as_json(found) if json else report.evaluation_text(found, per_category=per_category))


@guarded
def runs(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="RUN", help="The runs to compare.  [default: all]")
    ] = None,
    runs: Runs = Path("runs"),
    json: AsJson = False,
) -> None:
    """Compare runs by progress, metrics, time and settings.

    Settings that all of them share are left out. The validation mAP is that of the best epoch; the test mAP is there
    after `sketchy evaluate`. Minutes are those of the epochs, without validation.

    Example: sketchy runs
    """
    from sketchy.commands import runs as command

    found = command.run(runs, names or ())
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print(report.as_json_list("runs", found) if json else report.runs_text(found, columns))


@guarded
def export(
    out: Annotated[
        Path, typer.Option(parser=path, metavar="FILE", help="The .zip file to write.", callback=suffix(".zip"))
    ],
    checkpoint: Checkpoint = None,
    runs: Runs = Path("runs"),
    json: AsJson = False,
) -> None:
    """Export a model to one file, for search without PyTorch.

    The file takes the place of the checkpoint in every command that searches. It holds two ONNX networks, sketch.onnx
    and photo.onnx, for other programs (docs/python.md). The command checks that the file computes the same embeddings
    as the checkpoint. A finished training has exported its model already, to best.zip in the run folder.

    Example: sketchy export --out model.zip
    """
    with importing("exporting a model"):
        chosen = choose_checkpoint(checkpoint, runs)
        from sketchy.commands import export as command

    made = command.run(chosen, out)
    print(report.as_json(made) if json else report.export_text(made))
