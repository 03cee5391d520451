"""Turning faults of an index folder into errors that say what to do."""

import errno
import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from sketchy.errors import DamagedError, StorageError
from sketchy.storage import os_problem

_ERRNO = {
    "SQLITE_FULL": errno.ENOSPC,
    "SQLITE_IOERR": errno.EIO,
    "SQLITE_READONLY": errno.EACCES,
    "SQLITE_CANTOPEN": errno.EACCES,
    "SQLITE_PERM": errno.EACCES,
    "SQLITE_BUSY": errno.EBUSY,
    "SQLITE_LOCKED": errno.EBUSY,
    "SQLITE_NOMEM": errno.ENOMEM,
}
"""SQLite's error codes that are about the system and not about the content of a file."""
FULL_DISK_BYTES = 2**20
"""With less free space than this, an I/O error of SQLite is reported as a full disk."""


class Damage(Exception):
    """Part of an index is missing or differs from what was written; the message names the part."""


@contextmanager
def translated(file: Path, action: Literal["read", "write"]) -> Iterator[None]:
    """Translate errors of SQLite and the operating system into errors for the user.

    Args:
        file: The SQLite file in use; its folder is the index.
        action: Operation that the block performs on the index.

    Raises:
        DamagedError: The content differs from what was written.
        StorageError: The operating system refuses the operation.
    """
    try:
        yield
    except Damage as error:
        raise damaged(file.parent, str(error)) from None
    except sqlite3.ProgrammingError:  # such as using a store that was closed
        raise
    except sqlite3.DatabaseError as error:
        refusal = _refusal(error, file, action)
        if refusal is None:
            raise damaged(file.parent, str(error)) from error
        raise StorageError(os_problem(refusal, file, action)) from error
    except OSError as error:
        raise StorageError(os_problem(error, error.filename or file.parent, action)) from error


def damaged(folder: Path, problem: str) -> DamagedError:
    """Make the error for a damaged index, which names the command that rebuilds it."""
    return DamagedError(f"the index {folder} is damaged: {problem}; run `sketchy index PHOTOS --out {folder} --force`")


def _refusal(error: sqlite3.DatabaseError, file: Path, action: str) -> OSError | None:
    """Return the operating system error behind an error of SQLite; None if the content of the file is at fault."""
    name = getattr(error, "sqlite_errorname", "")
    code = _ERRNO.get("_".join(name.split("_")[:2]))
    if code is None:
        return None
    if code == errno.EACCES:
        return _access_error(file, action) or OSError(code, str(error))
    if code == errno.EIO and shutil.disk_usage(file.parent).free < FULL_DISK_BYTES:
        code = errno.ENOSPC
    return OSError(code, os.strerror(code) if code == errno.ENOSPC else str(error))


def _access_error(file: Path, action: str) -> OSError | None:
    """Return why a file cannot be accessed. Does not open it: closing it would drop this process's locks on it."""
    try:
        mode = file.stat().st_mode
    except OSError as error:
        return error
    if stat.S_ISDIR(mode):
        return IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    wanted = os.R_OK | os.W_OK if action == "write" else os.R_OK
    if not (os.access(file, wanted) and os.access(file.parent, wanted)):
        return PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return None
