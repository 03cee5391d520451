"""Writing files so that a reader sees the old one or the new one, never a half."""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sketchy.errors import StorageError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; on success sync it and rename it to `path`, else remove it.

    Raises:
        StorageError: nothing could be written there (no space, no permission); `path` is as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    refuse_unwritable(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}; {_remedy(error)}") from error
    finally:
        with suppress(OSError):  # gone, or never made; what hindered it is already on its way
            temporary.unlink()


def refuse_unwritable(path: Path) -> None:
    """Find out before long work whether its result cannot be written in the end.

    Raises:
        StorageError: `path` is a folder, or the folder that it is to lie in cannot be made or written to.
    """
    try:
        above = next(parent for parent in path.absolute().parents if parent.exists())
        if path.is_dir():
            reason = "it is a folder"
        elif not above.is_dir():
            reason = f"{above} is a file"
        elif not os.access(above, os.W_OK | os.X_OK):
            reason = f"no permission to write in {above}"
        else:
            return
    except OSError as error:
        reason = error.strerror or str(error)
    raise StorageError(f"cannot write {path}: {reason}; choose a place that can be written to")


def refuse_replacing(path: Path, originals: Iterable[Path], what: str) -> None:
    """Raise StorageError when writing `path` would replace one of the files that a command reads, also by a link."""
    for original in originals if path.exists() else ():
        if original.exists() and path.samefile(original):
            raise StorageError(f"{path} would replace the {what} {original}; choose another name for it")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text to `path` atomically. Raises StorageError as `replacing` does."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _remedy(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some space there and run the command again"
    return "choose a place that can be written to"
