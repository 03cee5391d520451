"""The command line from start to exit, beside importing torch."""

import tempfile
from functools import partial

from command import run_python, run_sketchy
from options import Options
from timing import Table, in_turns


def measure(options: Options) -> Table:
    """Measure runs per second."""
    sketch, photo = options.images("*.png")[0], options.images("*.jpg")[0]
    model = ["--checkpoint", str(options.checkpoint)]
    with tempfile.TemporaryDirectory() as work:
        index = f"{work}/photos.index"
        run_sketchy("index", str(photo.parent), "--out", index, *model)
        commands = {
            "retrieve": ["-m", "sketchy", "retrieve", str(sketch), "--gallery", index, *model],
            "import torch": ["-c", "import torch"],
            "--help": ["-m", "sketchy", "--help"],
        }
        variants = {name: partial(run_python, *arguments) for name, arguments in commands.items()}
        return in_turns(variants, 1, options.turns)
