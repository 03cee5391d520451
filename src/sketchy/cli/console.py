"""What all commands share: progress on stderr, errors as one line, and exit codes."""

import functools
import gc
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import ParamSpec

import typer

from sketchy import interrupts
from sketchy.cli.streams import ERRORS, drop_stdout
from sketchy.errors import SketchyError
from sketchy.extras import require_torch
from sketchy.progress import Advance
from sketchy.storage import os_problem
from sketchy.text import escaped

P = ParamSpec("P")

WHITE_ON_BLACK, RESET = "\x1b[38;5;231;48;5;16m", "\x1b[0m"
"""Control sequences for a QR code, as many cameras cannot read one in the inverse colours of a light terminal."""

DISTRIBUTED = ("train", "index")
"""The commands that torchrun can start in several processes."""


def show_line(message: str) -> None:
    """Print one line on stderr, above any progress bar."""
    if "tqdm" in sys.modules:
        sys.modules["tqdm"].tqdm.write(escaped(message), file=sys.stderr)
    else:
        print(escaped(message), file=sys.stderr)


@contextmanager
def show_progress(label: str, total: int, unit: str) -> Iterator[Advance]:
    """Show a progress bar on stderr, if it is a terminal, and clear it at the end; see `Progress`."""
    with importing():
        from tqdm import tqdm

    scale = unit == "B"
    with tqdm(
        total=total,
        desc=escaped(label),
        unit=unit,
        unit_scale=scale,
        leave=False,
        disable=None,
        file=sys.stderr,
        smoothing=0.05,  # so that one slow step hardly changes the time that is left
    ) as bar:
        yield bar.update


class _Messages(logging.Handler):
    """Shows log messages on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message; a warning begins with `warning: `."""
        show_line(f"{'warning: ' if record.levelno >= logging.WARNING else ''}{record.getMessage()}")


def show_messages(command: str) -> None:
    """Show the log messages of the package from INFO on, in only one of the processes that torchrun started."""
    log = logging.getLogger("sketchy")
    log.handlers = [_Messages()]
    log.setLevel(logging.INFO if _is_first(command, "RANK") else logging.CRITICAL)


@contextmanager
def importing(purpose: str = "", *, searches: bool = False) -> Iterator[None]:
    """Run the imports of a command; after them, Ctrl-C raises KeyboardInterrupt.

    Args:
        purpose: What PyTorch is needed for, as the subject of a sentence; empty if it is not.
        searches: The command embeds images with ONNX Runtime. It is imported last, so that a wrong checkpoint is told
            first, but here: an exception of Ctrl-C within its C++ code would abort the program.

    Garbage collection is off meanwhile: importing torch makes no garbage, and `retrieve` answers a tenth faster.

    Raises:
        SketchyError: A library is damaged, or rejects its environment variables.
    """
    if purpose:
        require_torch(purpose)
    gc.disable()
    try:
        yield
        if searches:
            import onnxruntime  # noqa: F401
    except (ImportError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise SketchyError(
            f"cannot load a library of the command: {reason}; check the installation and the environment variables"
        ) from error
    finally:
        gc.enable()
    interrupts.raise_instead()


@contextmanager
def one_line(command: str = "") -> Iterator[None]:
    """Turn errors that the user can correct into one line on stderr and an exit code; flush stdout at the end.

    Args:
        command: Name of the command that runs in the context.
    """
    try:
        try:
            yield
            sys.stdout.flush()
        finally:
            interrupts.quit_again()
    except (SketchyError, KeyboardInterrupt, UnicodeEncodeError, OSError, MemoryError, RuntimeError) as error:
        lines = _lines(error)
        if lines is None:
            raise
        if isinstance(error, OSError) and not error.filename:
            drop_stdout()
        if _is_first(command, "LOCAL_RANK"):
            for line in lines:
                show_line(line)
        code = interrupts.STOPPED if isinstance(error, KeyboardInterrupt) else getattr(error, "exit_code", 1)
        raise SystemExit(code) from None


def _lines(error: BaseException) -> list[str] | None:
    """Return the lines of the message of an error; None for a bug of the program."""
    match error:
        case SketchyError():
            head, *problems = map(str, error.args or ("",))
            label = "" if error.exit_code == interrupts.STOPPED else "error: "
            return [f"{label}{head}", *(f"  {problem}" for problem in problems)]
        case KeyboardInterrupt():
            return ["stopped"]
        case BrokenPipeError():  # the reader of the output, for example `head`, has finished
            return []
        case UnicodeEncodeError():
            return [f"error: cannot encode {error.object!a} in {error.encoding}; set LC_ALL=C.UTF-8 and run again"]
        case OSError():  # of a path that no command expected to fail
            unnamed = "the current folder" if isinstance(error, FileNotFoundError) else "the output"
            return [f"error: {os_problem(error, error.filename or unnamed, 'use')}"]
        case _ if _is_out_of_memory(error):
            return ["error: out of memory; lower the batch in `sampler` or image.size, or use a larger machine"]
        case _:
            return None


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """Decorate a command to run in `one_line`, and to refuse empty values of its options."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        for name, value in kwargs.items():
            if value == "" or (isinstance(value, list) and "" in value):
                raise typer.BadParameter(f"--{name.strip('_').replace('_', '-')} is empty; is a variable unset?")
        show_messages(command.__name__)
        with one_line(command.__name__):
            Path.cwd()  # raises if the folder was removed, which would abort torch
            command(*args, **kwargs)

    return run


def show_paths(paths: Sequence[str], end: str) -> None:
    """Print file names byte for byte, so that programs can open them, but escaped on a terminal."""
    if sys.stdout.isatty():
        print("".join(f"{escaped(path)}{end}" for path in paths), end="")
    else:
        encoding = sys.getfilesystemencoding()
        sys.stdout.flush()
        sys.stdout.buffer.write("".join(f"{path}{end}" for path in paths).encode(encoding, ERRORS))


def show_links(here: str, elsewhere: str | None) -> None:
    """Print the link to the page, and if other machines can connect, who can see the photos, and a QR code."""
    print(f"ready at {here}", flush=True)
    if elsewhere is None:
        return
    show_line(f"whoever has this link and reaches this machine over the network can see the photos: {elsewhere}")
    if sys.stderr.isatty() and "utf" in sys.stderr.encoding.lower():
        import segno

        drawn = StringIO()
        segno.make(elsewhere, error="l").terminal(drawn, compact=True)
        for line in drawn.getvalue().splitlines():
            print(f"{WHITE_ON_BLACK}{line}{RESET}", file=sys.stderr)


def suffix(*known: str) -> Callable[[Path | None], Path | None]:
    """Return the callback of an option that accepts only files with these suffixes."""

    def check(path: Path | None) -> Path | None:
        if path is not None and path.suffix.lower() not in known:
            raise typer.BadParameter(f"{path} does not end in {' or '.join(known)}")
        return path

    return check


def _is_first(command: str, rank: str) -> bool:
    """Return whether this process prints messages: only the first of those that torchrun started does.

    Args:
        command: Name of the command.
        rank: Environment variable with the number of the process, RANK or LOCAL_RANK.
    """
    size = os.environ.get("WORLD_SIZE", "")
    many = command in DISTRIBUTED and size.isdecimal() and int(size) > 1
    return not many or os.environ.get(rank, "0") == "0"


def _is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory is exhausted, for which torch has no single class."""
    return isinstance(error, MemoryError) or "out of memory" in str(error) or "allocate memory" in str(error)
