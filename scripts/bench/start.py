"""The command line from start to exit, beside importing torch."""

import tempfile
import time
from functools import partial

from command import run_python, run_sketchy, served
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

        def until_ready() -> float:
            started = time.perf_counter()
            with served(index, options.checkpoint):
                return time.perf_counter() - started

        return in_turns(variants | {"serve, until it is ready": until_ready}, 1, options.turns)
