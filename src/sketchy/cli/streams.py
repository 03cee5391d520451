"""Prepare the standard streams, so that a closed or full stream, or an odd character, never ends a command."""

import codecs
import io
import json
import os
import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from sketchy.text import SURROGATES, UNSAFE, escape

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_LINE_OR_UNSAFE = re.compile(rf"(\x1b\[A|[\n\r\t])|{UNSAFE.pattern}|{SURROGATES.pattern}")
"""Line breaks and the cursor movements of progress bars, which stay; then characters that are escaped on stderr."""


class _Stderr(io.TextIOWrapper):
    """Escapes control characters, including those in messages of libraries."""

    def write(self, text: str) -> int:
        super().write(_LINE_OR_UNSAFE.sub(lambda found: found[1] or escape(found), text))
        return len(text)


class _NeverFails(io.FileIO):
    """Drops what cannot be written: a full disk or a closed pipe behind stderr is no reason to stop."""

    def write(self, data: "ReadableBuffer") -> int:
        with suppress(OSError):
            return super().write(data)
        return memoryview(data).nbytes


def prepare_streams() -> None:
    """Open closed streams, and let stdout and stderr accept every character."""
    _open_closed()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=ON_TERMINAL if sys.stdout.isatty() else ERRORS)
    raw = _NeverFails(2, "wb", closefd=False)
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    sys.stderr = _Stderr(io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=True)


def drop_stdout() -> None:
    """Discard further output; otherwise the interpreter would fail on it again at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_closed() -> None:
    """Replace closed streams by the null device; otherwise the next file that is opened would become that stream."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # takes the lowest free number, which is this one
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, _null(descriptor))


def _null(descriptor: int) -> TextIO:
    return open(descriptor, "w" if descriptor else "r", encoding="utf-8", closefd=False)


ERRORS = "sketchy"
ON_TERMINAL = "sketchy-on-terminal"
"""Names of the encoding error handlers of stdout, for a file or pipe and for a terminal."""


def _for_programs(error: UnicodeError) -> tuple[str | bytes, int]:
    """Write an undecodable byte of a file name as that byte; escape other characters as in JSON."""
    if isinstance(error, UnicodeEncodeError) and "\udc80" <= error.object[error.start] <= "\udcff":
        return bytes([ord(error.object[error.start]) - 0xDC00]), error.start + 1
    return _for_people(error)


def _for_people(error: UnicodeError) -> tuple[str, int]:
    """Escape characters that cannot be encoded."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    text = SURROGATES.sub(escape, character)
    return text if text != character else json.dumps(character)[1:-1], error.start + 1


codecs.register_error(ERRORS, _for_programs)
codecs.register_error(ON_TERMINAL, _for_people)
