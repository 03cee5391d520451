"""What all commands share towards the terminal: talk on stderr, errors as one line, exit codes."""

import functools
import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec

import typer

from sketchy.errors import SketchyError
from sketchy.storage import os_problem
from sketchy.talk import Advance

P = ParamSpec("P")


class StderrTalk:
    """Lines and progress bars on stderr; bars only where a person watches."""

    def say(self, message: str) -> None:
        """Print one line, above any bar."""
        from tqdm import tqdm

        tqdm.write(message, file=sys.stderr)

    @contextmanager
    def bar(self, label: str, total: int, unit: str) -> Iterator[Advance]:
        """Show a bar that vanishes when it is full."""
        from tqdm import tqdm

        scale = unit == "B"
        with tqdm(
            total=total, desc=label, unit=unit, unit_scale=scale, leave=False, disable=None, file=sys.stderr
        ) as bar:
            yield bar.update


TALK = StderrTalk()


@contextmanager
def importing() -> Iterator[None]:
    """Look for no garbage while torch is imported, which makes none: a tenth of the time until `retrieve` answers."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """Turn what the user can mend into one line on stderr and an exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except SketchyError as error:
            label = "" if error.exit_code == 130 else "error: "
            if os.environ.get("LOCAL_RANK", "0") == "0":  # the other processes of a machine fail of the same
                TALK.say(f"{label}{error}")
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            TALK.say("stopped")
            raise typer.Exit(130) from None
        except BrokenPipeError:  # the reader of our output, `head` say, has left
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        except OSError as error:  # of a path that was named and that no command expected to be like this
            TALK.say(f"error: {os_problem(error, error.filename or 'the output', 'use')}")
            raise typer.Exit(1) from None
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            TALK.say("error: out of memory; lower the batch in `sampler` or image.size, or use a larger machine")
            raise typer.Exit(1) from None

    return run


def _is_out_of_memory(error: Exception) -> bool:
    """Tell a lack of memory, of which torch has no one class, from a mistake of ours."""
    return isinstance(error, MemoryError) or "out of memory" in str(error) or "allocate memory" in str(error)


def suffix(*known: str) -> Callable[[Path | None], Path | None]:
    """Make a check of the suffix of a file to write, so that it says what is inside."""

    def check(path: Path | None) -> Path | None:
        if path is not None and path.suffix.lower() not in known:
            raise typer.BadParameter(f"{path} does not end in {' or '.join(known)}")
        return path

    return check
