"""What can be wrong with an index folder, in words that say what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sketchy.errors import DamagedError, StorageError


class Damage(Exception):
    """What was read is not what was written; the message says what."""


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn what SQLite says into what a user can do."""
    try:
        yield
    except Damage as error:
        raise damaged(folder, str(error)) from None
    except sqlite3.ProgrammingError:  # such as using a store that was closed
        raise
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "")
        if name == "SQLITE_FULL" or name.startswith("SQLITE_IOERR"):
            raise StorageError(
                f"cannot write the index {folder}: {error} (is it full?); free some space there and run the command "
                "again"
            ) from error
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            raise StorageError(
                f"cannot open the index {folder}: {error}; choose a place that can be written to"
            ) from error
        if name.startswith("SQLITE_BUSY"):
            raise StorageError(f"the index {folder} is busy: {error}; run the command again") from error
        raise damaged(folder, str(error)) from error


def damaged(folder: Path, what: str) -> DamagedError:
    """Make the error of an index that cannot be trusted, with the command that rebuilds it."""
    return DamagedError(f"the index {folder} is damaged: {what}; run `sketchy index PHOTOS --out {folder} --force`")
