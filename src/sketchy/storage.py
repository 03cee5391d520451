"""Writing files so that a reader sees the old one or the new one, never a half."""

import errno
import os
from collections.abc import Iterator
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


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text to `path` atomically. Raises StorageError as `replacing` does."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _remedy(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some space there and run the command again"
    return "choose a place that can be written to"
