"""Where a dataset's files lie: a folder, a .zip or a .tar, read alike and never written to."""

import os
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from lzma import LZMAError
from pathlib import Path
from tarfile import TarError
from typing import Protocol
from zipfile import BadZipFile

from sketchy.dataset.archives import Archive, Member, SevenZip, opener_of, split_name
from sketchy.errors import DataError, ImageError
from sketchy.storage import os_problem, os_reason

MAX_FILE_BYTES = 256 * 2**20
"""A larger file is no image of a dataset; reading it could fill the memory."""

READ_ERRORS = (OSError, EOFError, BadZipFile, TarError, zlib.error, LZMAError)
"""What the libraries raise over a damaged archive."""


@dataclass(frozen=True)
class Entry:
    """One file of a source.

    Attributes:
        name: Path inside the source, parts joined by "/".
        size: Bytes.
        stamp: Changes with the content. In a folder, mtime in ns plus the permission bits, so that a file that becomes
            readable counts as changed; CRC-32 in a .zip; mtime in s in a .tar.
    """

    name: str
    size: int
    stamp: int


class Source(Protocol):
    """Files by name. Safe to read from several threads.

    Attributes:
        path: The folder or archive.
        sequential: Going back is slow (a compressed .tar): read in the order of `entries`, from one thread.
    """

    path: Path
    sequential: bool

    def entries(self) -> list[Entry]:
        """List all files but hidden ones, as of the first call. Raises DataError if that fails."""

    def read(self, name: str) -> bytes:
        """Return the content of one file. Raises ImageError with the reason."""

    def close(self) -> None:
        """Close open files."""

    def locate(self, name: str) -> str:
        """Return the path of a file as users know it: `folder/name` or `archive.zip/name`."""
        return str(self.path / name)


def open_source(path: Path) -> Source:
    """Open a folder, a .zip or a .tar (plain, .gz, .bz2 or .xz); archives are known by content, not by name.

    Raises:
        DataError: It is missing, unreadable, damaged or none of these.
    """
    try:
        if path.is_dir():
            return FolderSource(path)
        if path.exists() and not path.is_file():  # a device may have no end, a pipe can be read only once
            raise DataError(f"{path} is a device or a pipe; name a folder, a .zip or a .tar")
        opener = opener_of(path)
        if opener is SevenZip:
            raise DataError(f"{path} is a .7z, which is not read in place; run `sketchy data fetch --from {path}`")
        if opener is not None:
            return ArchiveSource(path, opener(path))
    except FileNotFoundError:
        raise DataError(f"no dataset at {path}; name a folder, a .zip or a .tar") from None
    except READ_ERRORS as error:
        raise _unreadable(path, error) from None
    raise DataError(f"{path} is not a folder, .zip or .tar; name one of these")


class FolderSource(Source):
    """Files of a folder and of the folders below it. Links to folders are followed, but never in a circle."""

    sequential = False

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def _entries(self) -> list[Entry]:
        try:
            return list(_scan(str(self.path), "", frozenset()))
        except OSError as error:
            raise _unreadable(Path(error.filename or self.path), error) from None

    def entries(self) -> list[Entry]:
        return self._entries

    def read(self, name: str) -> bytes:
        try:
            with Path(self.path, name).open("rb", buffering=0) as file:
                _refuse_huge(os.fstat(file.fileno()).st_size)
                return file.readall()
        except OSError as error:
            raise ImageError(os_reason(error).lower()) from None

    def close(self) -> None:
        pass


class FileSource(FolderSource):
    """One file as if it were alone in its folder."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.parent)
        self._name = path.name

    def entries(self) -> list[Entry]:
        status = (self.path / self._name).stat()
        return [Entry(self._name, status.st_size, status.st_mtime_ns)]


class ArchiveSource(Source):
    """Files of an open archive; of two with one name the later counts, and symbolic links are left out."""

    def __init__(self, path: Path, archive: Archive) -> None:
        self.path = path
        self.sequential = archive.sequential
        self._archive = archive
        self._files: dict[str, Member] = {}
        try:
            for member in archive.members():
                if member.content is not None:
                    name = "/".join(split_name(member.name))
                    self._files.pop(name, None)  # the position of the later one counts as well
                    self._files[name] = member
        except BaseException:
            archive.close()
            raise

    def entries(self) -> list[Entry]:
        return [Entry(name, file.size, file.stamp) for name, file in self._files.items() if not _is_hidden(name)]

    def read(self, name: str) -> bytes:
        if name not in self._files:
            raise ImageError("not in the archive")
        _refuse_huge(self._files[name].size)
        try:
            return b"".join(self._archive.chunks(self._files[name]))
        except (RuntimeError, NotImplementedError) as error:  # a password, a rare compression
            reason = "it needs a password" if "password" in str(error) else error
            raise ImageError(f"cannot be unpacked: {reason}") from None
        except READ_ERRORS as error:
            raise ImageError(f"damaged in the archive: {error}") from None

    def close(self) -> None:
        self._archive.close()


def _scan(folder: str, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[Entry]:
    """List a folder and those below it; `above` holds the (device, inode) of the folders that it lies in."""
    status = Path(folder).stat()
    identity = (status.st_dev, status.st_ino)
    if identity in above:
        return
    with os.scandir(folder) as found:
        items = sorted((item for item in found if not _is_hidden(item.name)), key=lambda item: item.name)
    for item in items:
        if item.is_dir():
            yield from _scan(item.path, f"{prefix}{item.name}/", above | {identity})
            continue
        try:
            status = item.stat()
        except OSError:  # a broken link: reading it will say so
            yield Entry(prefix + item.name, 0, 0)
            continue
        if stat.S_ISREG(status.st_mode):
            yield Entry(prefix + item.name, status.st_size, status.st_mtime_ns + stat.S_IMODE(status.st_mode))


def _is_hidden(name: str) -> bool:
    return any(part == "__MACOSX" or (part.startswith(".") and part != ".") for part in name.split("/"))


def _refuse_huge(size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise ImageError(f"larger than {MAX_FILE_BYTES // 2**20} MiB")


def _unreadable(path: Path, error: Exception) -> DataError:
    if isinstance(error, OSError) and error.errno is not None:
        return DataError(os_problem(error, path, "read"))
    return DataError(f"cannot read {path}: {str(error) or 'damaged'}; get it again")
