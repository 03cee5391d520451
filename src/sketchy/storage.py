"""The cache folder, atomic writing, and messages for the errors of the operating system."""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Literal
from zlib import crc32

from sketchy.errors import StorageError
from sketchy.paths import as_path

OTHER_CACHE = "set SKETCHY_CACHE to a folder that can be written to"

_AGAIN = "and run the command again"
_SHORTER = "choose a shorter name"
_LINKS = "correct the symbolic links, which form a loop"
_LIMIT = "close other programs or raise the limit (`ulimit -n`)"
_CONNECT = f"see that the drive or network share is connected, {_AGAIN}"
_CLOSE = f"close the program that uses it, {_AGAIN}"
_NAME = "check the name: this file system may not allow it"
_CHECK = "check the path and its permissions"

_TABLE = [
    # Codes; reason (empty for the system's own words); remedy if reading failed; remedy if writing failed.
    ("ENOSPC EDQUOT", "", f"free some space there {_AGAIN}", f"free some space there {_AGAIN}, or {{elsewhere}}"),
    ("EACCES EPERM", "", "change its permissions", "{elsewhere}, or change the permissions"),
    ("EROFS", "", _CHECK, "{elsewhere}"),
    ("ENOENT", "no such file", "check the path", "check the path"),
    ("ENOTDIR", "a part of the path is a file", "check the path", "{elsewhere}"),
    ("EISDIR", "is a folder", "name a file", "choose another name, or move it away"),
    ("EEXIST", "", "check the path", "{elsewhere}"),
    ("ENAMETOOLONG", "", _SHORTER, _SHORTER),
    ("ELOOP", "", _LINKS, _LINKS),
    ("EMFILE ENFILE", "", _LIMIT, _LIMIT),
    ("EIO ESTALE ENOTCONN EHOSTDOWN EHOSTUNREACH ETIMEDOUT ENODEV ENXIO", "", _CONNECT, _CONNECT),
    ("EBUSY ETXTBSY", "", _CLOSE, _CLOSE),
    ("EFBIG", "", _CHECK, "choose a disk that takes files as large, or raise the limit (`ulimit -f`)"),
    ("EINVAL EILSEQ", "", _NAME, _NAME),
    ("ENOMEM", "", f"free some memory {_AGAIN}", f"free some memory {_AGAIN}"),
]
_KNOWN = {name: row for names, *row in _TABLE for name in names.split()}
_NO_NAME = ["not a valid file name", "check the name", "check the name"]
_OTHERS = ["", _CHECK, "{elsewhere}"]


def os_reason(error: OSError | ValueError) -> str:
    """Return in a few words why a file cannot be used; a ValueError means that its name is invalid."""
    words = _row(error)[0]
    if isinstance(error, OSError) and (not words or (error.errno and error.strerror != os.strerror(error.errno))):
        return error.strerror or str(error) or "it cannot be used"
    return words


def os_problem(
    error: OSError | ValueError,
    path: Path | str,
    action: Literal["read", "write", "use"] = "write",
    elsewhere: str | None = None,
) -> str:
    """Return one line that says what cannot be done, why, and what to do.

    Args:
        error: The error of the operating system, or the ValueError of an invalid file name.
        path: The file or folder, as the user knows it.
        action: What was tried; "use" if that is not known.
        elsewhere: How to choose another location; by default SKETCHY_CACHE for files of the cache.
    """
    _, reading, writing = _row(error)
    remedy = writing if action == "write" else reading
    return f"cannot {action} {path}: {os_reason(error)}; {remedy.format(elsewhere=elsewhere or _elsewhere(path))}"


def _row(error: OSError | ValueError) -> list[str]:
    if not isinstance(error, OSError):
        return _NO_NAME
    return _KNOWN.get(errno.errorcode.get(error.errno or 0, ""), _OTHERS)


def _elsewhere(path: Path | str) -> str:
    with suppress(StorageError, OSError, ValueError):
        if Path(path).absolute().is_relative_to(cache_folder(None).absolute()):
            return OTHER_CACHE
    return "choose a place that can be written to"


def cache_folder(cache: Path | None) -> Path:
    """Return `cache`, else $SKETCHY_CACHE, else the user's cache folder, which may not exist yet."""
    if cache is not None:
        return cache
    if own := os.environ.get("SKETCHY_CACHE"):
        return _path_of_variable("SKETCHY_CACHE", own)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return _path_of_variable("XDG_CACHE_HOME", shared) / "sketchy"
    try:
        return Path.home() / ".cache" / "sketchy"
    except RuntimeError:
        raise StorageError(f"no home folder to keep a cache in; {OTHER_CACHE}") from None


def _path_of_variable(variable: str, text: str) -> Path:
    try:
        return as_path(text)
    except ValueError as error:
        raise StorageError(f"{variable}: {error}") from None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success sync the file and rename it to `path`, else remove it.

    Raises:
        StorageError: The file cannot be written (no space, no permission); `path` is unchanged.
    """
    temporary = temporary_name(path)
    refuse_unwritable(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise StorageError(os_problem(error, path)) from error
    finally:
        with suppress(OSError):  # renamed, or never made; the error that prevented it is being raised
            temporary.unlink()


def sync(file: IO[Any]) -> None:
    """Bring what was written to the disk: after a crash, a complete name must not stand for lost bytes."""
    file.flush()
    os.fsync(file.fileno())


def temporary_name(path: Path) -> Path:
    """Return a path beside `path`, different for each file and process; short, as `path` may have the longest name."""
    digest = crc32(path.name.encode(errors="surrogatepass"))
    return path.with_name(f".{os.getpid()}-{digest:08x}.part")


def refuse_unwritable(path: Path) -> None:
    """Check before long work that its result can be written.

    Raises:
        StorageError: `path` is a folder, or its parent folder cannot be made or written to.
    """
    try:
        above = next(parent for parent in path.absolute().parents if parent.exists())
        with suppress(FileNotFoundError, NotADirectoryError):
            path.lstat()  # raises if the name is invalid
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        if not above.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{above} is a file")
        if not os.access(above, os.W_OK | os.X_OK):
            if hasattr(os, "statvfs") and os.statvfs(above).f_flag & os.ST_RDONLY:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            raise PermissionError(errno.EACCES, f"no permission to write in {above}")
    except (OSError, ValueError) as error:
        raise StorageError(os_problem(error, path)) from None


def refuse_replacing(path: Path, originals: Iterable[Path], what: str) -> None:
    """Raise StorageError if `path` is, even by a link, one of the files that a command reads."""
    for original in originals if path.exists() else ():
        if original.exists() and path.samefile(original):
            raise StorageError(f"{path} would replace the {what} {original}; choose another name for it")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text to `path` atomically. Raises StorageError."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
