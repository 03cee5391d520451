"""Errors of an index folder, in words that say what to do."""

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
"""SQLite's codes that are about the system and not about the content of a file."""
ROOM = 2**20
"""With less free space than this in bytes, an I/O error of SQLite is taken for a full disk."""


class Damage(Exception):
    """What was read is not what was written; the message says what."""


@contextmanager
def explained(file: Path, action: Literal["read", "write"]) -> Iterator[None]:
    """Turn what SQLite and the operating system say into what a user can do.

    Args:
        file: The SQLite file in use; the index is the folder that it lies in.
        action: What is done to the index.

    Raises:
        DamagedError: The content is not what was written.
        StorageError: The operating system refuses something.
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


def damaged(folder: Path, what: str) -> DamagedError:
    """Make the error of an index that cannot be trusted, with the command that rebuilds it."""
    return DamagedError(f"the index {folder} is damaged: {what}; run `sketchy index PHOTOS --out {folder} --force`")


def _refusal(error: sqlite3.DatabaseError, file: Path, action: str) -> OSError | None:
    """Find the operating system's reason for an error of SQLite, which knows none; None when it is about content."""
    name = getattr(error, "sqlite_errorname", "")
    code = _ERRNO.get("_".join(name.split("_")[:2]))
    if code is None:
        return None
    if code == errno.EACCES:
        return _closed(file, action) or OSError(code, str(error))
    if code == errno.EIO and shutil.disk_usage(file.parent).free < ROOM:
        code = errno.ENOSPC
    return OSError(code, os.strerror(code) if code == errno.ENOSPC else str(error))


def _closed(file: Path, action: str) -> OSError | None:
    """Say what keeps a file from being used. It is not opened: closing it would drop this process's own locks on it."""
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
