"""The command line: parse the arguments, run a command, print its result. Nothing else in the package prints.

Results go to stdout, everything else to stderr. Modules that are slow to import are imported inside the commands, so
that `--help` and usage errors answer at once.
"""

import sys
from collections.abc import Callable
from typing import Annotated

import typer
from typer.core import TyperGroup

import sketchy
from sketchy.cli import data, model, photos
from sketchy.cli.console import one_line
from sketchy.cli.streams import prepare_streams

data_app = typer.Typer(help="Check, download or draw a dataset.", no_args_is_help=True, rich_markup_mode=None)
data_app.command("check")(data.data_check)
data_app.command("fetch")(data.data_fetch)
data_app.command("demo")(data.data_demo)

COMMANDS: dict[str, typer.Typer | Callable[..., None]] = {
    "retrieve": photos.retrieve,
    "serve": photos.serve,
    "index": photos.index,
    "embed": photos.embed,
    "info": photos.info,
    "data": data_app,
    "configs": model.configs,
    "train": model.train,
    "evaluate": model.evaluate,
    "runs": model.runs,
    "export": model.export,
}
"""The commands in the order of `--help`: first those that everyone needs, then those for training."""


class _Group(TyperGroup):
    """Lists the commands in the order of `COMMANDS`; typer lists groups such as `data` last."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        return list(COMMANDS)


app = typer.Typer(
    cls=_Group,
    help="Find a photo by drawing it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, _command in COMMANDS.items():
    if isinstance(_command, typer.Typer):
        app.add_typer(_command, name=_name)
    else:
        app.command(_name)(_command)


def main() -> None:
    """Run the command line."""
    prepare_streams()
    with one_line():
        try:
            app(prog_name="sketchy")  # raises SystemExit
        finally:
            sys.stdout.flush()


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if version:
        print(sketchy.__version__)
        raise typer.Exit
