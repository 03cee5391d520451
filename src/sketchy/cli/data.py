"""The commands for datasets: check, fetch and demo."""

from pathlib import Path
from typing import Annotated

import typer

from sketchy import report
from sketchy.cli.console import guarded, importing, show_progress
from sketchy.cli.options import AsJson
from sketchy.cli.parsing import address, path


@guarded
def data_check(
    source: Annotated[
        Path, typer.Argument(parser=path, metavar="DATASET", help="A folder, .zip or .tar with photo/ and sketch/.")
    ],
    photo_rendering: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="The tx_... folder of photos to read.")
    ] = None,
    sketch_rendering: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="The tx_... folder of sketches to read.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Count the photos and sketches of each category, and list problems.

    Problems are files that are missing or unreadable, and sketches without their photo.

    Example: sketchy data check data/sketchy
    """
    with importing():
        from sketchy.commands import data_check as command

    found = command.run(source, photo_rendering, sketch_rendering, show_progress)
    print(report.as_json(found) if json else report.data_report_text(found))


@guarded
def data_fetch(
    out: Annotated[Path, typer.Option(parser=path, metavar="FOLDER", help="The folder to create.")] = Path(
        "data/sketchy"
    ),
    source: Annotated[
        str | None,
        typer.Option(
            "--from", parser=address, metavar="FILE_OR_URL", help="The file or URL of your own copy: .7z, .zip or .tar."
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Download the Sketchy Database and unpack it.

    Run again, the command continues where it stopped. Without --from it tries the authors' links; they, and .7z files,
    need `pip install 'sketchy-search[fetch]'`.

    Example: sketchy data fetch --from rendered_256x256.7z
    """
    with importing():
        from sketchy.commands import data_fetch as command

    made = command.run(out, source, show_progress)
    print(report.as_json(made) if json else report.made_text(made))


@guarded
def data_demo(
    out: Annotated[Path, typer.Argument(parser=path, metavar="FOLDER", help="The folder to create.")],
    photos: Annotated[int, typer.Option(metavar="N", min=1, help="The number of photos in each category.")] = 20,
    sketches: Annotated[int, typer.Option(metavar="N", min=1, help="The number of sketches of each photo.")] = 2,
    categories: Annotated[
        int | None, typer.Option(metavar="N", help="The number of categories.  [default: all]")
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="The random seed: another seed draws other images.")
    ] = 0,
    json: AsJson = False,
) -> None:
    """Draw a small synthetic dataset to try everything on.

    It has the folder structure of the Sketchy Database.

    Example: sketchy data demo data/demo
    """
    with importing():
        from sketchy.commands import data_demo as command

    made = command.run(out, photos=photos, sketches=sketches, categories=categories, seed=seed, progress=show_progress)
    print(report.as_json(made) if json else report.made_text(made))
