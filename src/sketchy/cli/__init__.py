"""The command line: parse, call a command, print. Nothing else in the package prints.

Results go to stdout, all else to stderr. Heavy modules are imported inside the commands, so that `--help` and usage
errors answer at once.
"""

import sys
from typing import Annotated

import typer

import sketchy
from sketchy.cli import data, model, photos
from sketchy.cli.console import one_line
from sketchy.cli.streams import prepare_streams

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

data_app.command("check")(data.data_check)
data_app.command("fetch")(data.data_fetch)
data_app.command("demo")(data.data_demo)
app.command("train")(model.train)
app.command("evaluate")(model.evaluate)
app.command("export")(model.export)
app.command("embed")(photos.embed)
app.command("index")(photos.index)
app.command("info")(photos.info)
app.command("retrieve")(photos.retrieve)
app.command("serve")(photos.serve)


def main() -> None:
    """Run the command line."""
    prepare_streams()
    with one_line():
        try:
            app()  # ends in SystemExit
        finally:
            sys.stdout.flush()


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(sketchy.__version__)
        raise typer.Exit
