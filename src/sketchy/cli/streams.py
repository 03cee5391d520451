"""The three standard streams, so that none of them ends the work by what it cannot take."""

import codecs
import io
import json
import os
import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from sketchy.report import SURROGATES, UNSAFE, escape

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_LINE_OR_UNSAFE = re.compile(rf"(\x1b\[A|[\n\r\t])|{UNSAFE.pattern}|{SURROGATES.pattern}")
"""New lines and the cursor movements of progress bars; then what is escaped on stderr."""


class _Stderr(io.TextIOWrapper):
    """Escapes control characters, also those in messages of libraries."""

    def write(self, text: str) -> int:
        super().write(_LINE_OR_UNSAFE.sub(lambda found: found[1] or escape(found), text))
        return len(text)


class _Unbreakable(io.FileIO):
    """Drops what cannot be written: a full disk behind stderr, or a reader that left, is no reason to stop."""

    def write(self, data: "ReadableBuffer") -> int:
        with suppress(OSError):
            return super().write(data)
        return memoryview(data).nbytes


def prepare_streams() -> None:
    """Open what is closed, and let stdout and stderr take every character."""
    _open_closed()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=ON_TERMINAL if sys.stdout.isatty() else ERRORS)
    raw = _Unbreakable(2, "wb", closefd=False)
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    sys.stderr = _Stderr(io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=True)


def drop_stdout() -> None:
    """Let the rest of the output go nowhere, else the interpreter fails by it once more when it ends."""
    with suppress(OSError, ValueError):
        number = sys.stdout.fileno()
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def _open_closed() -> None:
    """Put the null device in place of closed streams, else the next file that is opened would take the place."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # gets the lowest free number, this one
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, _null(number))


def _null(number: int) -> TextIO:
    return open(number, "w" if number else "r", encoding="utf-8", closefd=False)


ERRORS = "sketchy"
ON_TERMINAL = "sketchy-on-terminal"
"""Names of the error handlers of stdout."""


def _for_programs(error: UnicodeError) -> tuple[str | bytes, int]:
    """Write a byte of a file name that is no text as that byte, and another character as JSON escapes it."""
    if isinstance(error, UnicodeEncodeError) and "\udc80" <= error.object[error.start] <= "\udcff":
        return bytes([ord(error.object[error.start]) - 0xDC00]), error.start + 1
    return _for_people(error)


def _for_people(error: UnicodeError) -> tuple[str, int]:
    """Escape what cannot be written."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    text = SURROGATES.sub(escape, character)
    return text if text != character else json.dumps(character)[1:-1], error.start + 1


codecs.register_error(ERRORS, _for_programs)
codecs.register_error(ON_TERMINAL, _for_people)
