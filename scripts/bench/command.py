"""Running the command line as a user does."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sketchy.errors import SketchyError

PEAK = Path(__file__).with_name("peak.py")
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""As most users have it; with that variable, our modules would be compiled anew in each start, and torch's not."""


def run_sketchy(*arguments: str) -> float:
    """Run a command in a process of its own and return its peak memory in MiB (Linux). Raises SketchyError."""
    return int(run_python(str(PEAK), *arguments).split()[-1]) / 1024


def run_python(*arguments: str) -> str:
    """Run the interpreter with some arguments and return what it wrote to stderr. Raises SketchyError if it fails."""
    done = subprocess.run([sys.executable, *arguments], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SketchyError(f"python {' '.join(arguments)} failed:\n{done.stderr}")
    return done.stderr


@contextmanager
def served(gallery: str, checkpoint: Path) -> Iterator[tuple[int, str]]:
    """Run `sketchy serve` and yield its process id and its address as soon as it is ready. Raises SketchyError."""
    words = ["serve", "--gallery", gallery, "--checkpoint", str(checkpoint), "--device", "cpu", "--port", "0"]
    command = [sys.executable, "-m", "sketchy", *words]
    with subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            ready = process.stdout.readline()
            if not ready.startswith("ready at "):
                raise SketchyError("sketchy serve failed; run it to see why")
            yield process.pid, ready.removeprefix("ready at ").strip()
        finally:
            process.terminate()
