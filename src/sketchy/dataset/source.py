"""Where a dataset's files lie: a folder, a .zip or a .tar, read alike and never written to."""

import os
import stat
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from lzma import LZMAError
from pathlib import Path
from typing import Protocol

from sketchy.dataset.archives import is_zip_folder, split_name, zip_name
from sketchy.errors import DataError, ImageError
from sketchy.storage import os_problem, os_reason

MAX_FILE_BYTES = 256 * 2**20
"""A larger file is no image of a dataset; reading it could fill the memory."""


@dataclass(frozen=True)
class Entry:
    """One file of a source.

    Attributes:
        name: path inside the source, parts joined by "/".
        size: bytes.
        stamp: changes with the content: in a folder mtime in ns plus the permission bits, since a file that may be read
            again is another one; CRC-32 in a .zip; mtime in s in a .tar.
    """

    name: str
    size: int
    stamp: int


class Source(Protocol):
    """Files by name. Safe to read from several threads.

    Attributes:
        path: the folder or archive.
        sequential: going back is dear (a compressed .tar): read in the order of `entries`, from one thread.
    """

    path: Path
    sequential: bool

    def entries(self) -> list[Entry]:
        """List all files but hidden ones, as of the first call. Raises DataError where that fails."""

    def read(self, name: str) -> bytes:
        """Return the content of one file. Raises ImageError with the reason."""

    def locate(self, name: str) -> str:
        """Say where a file lies, for people: `folder/name` or `archive.zip/name`."""

    def close(self) -> None:
        """Let go of open files."""


def open_source(path: Path) -> Source:
    """Open a folder, a .zip or a .tar (plain, .gz, .bz2 or .xz); archives are known by content, not by name.

    Raises:
        DataError: it is missing, unreadable or none of these.
    """
    try:
        if path.is_dir():
            return FolderSource(path)
        if path.exists() and not path.is_file():  # a device may have no end, a pipe can be read only once
            raise DataError(f"{path} is a device or a pipe; name a folder, a .zip or a .tar")
        with path.open("rb"):
            pass
        if zipfile.is_zipfile(path):
            return ZipSource(path)
        if tarfile.is_tarfile(path):
            return TarSource(path)
    except FileNotFoundError:
        raise DataError(f"no dataset at {path}; name a folder, a .zip or a .tar") from None
    except (OSError, zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, LZMAError) as error:
        raise _unreadable(path, error) from None
    raise DataError(f"{path} is not a folder, .zip or .tar, or it is damaged; unpack it and name the folder")


class FolderSource:
    """Files of a folder and of the folders below it. Links to folders are followed, but never round in a ring."""

    sequential = False

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> list[Entry]:
        """List all files but hidden ones, sorted within each folder, as of the first call."""
        return self._entries

    @cached_property
    def _entries(self) -> list[Entry]:
        try:
            return list(_scan(str(self.path), "", frozenset()))
        except OSError as error:
            raise _unreadable(Path(error.filename or self.path), error) from None

    def read(self, name: str) -> bytes:
        """Return the content of one file. Raises ImageError with the reason."""
        try:
            with Path(self.path, name).open("rb", buffering=0) as file:
                _refuse_huge(os.fstat(file.fileno()).st_size)
                return file.readall()
        except OSError as error:
            raise ImageError(os_reason(error).lower()) from None

    def locate(self, name: str) -> str:
        """Return the path of a file."""
        return str(self.path / name)

    def close(self) -> None:
        """Nothing stays open."""


class ZipSource:
    """Files of a .zip."""

    sequential = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip = zipfile.ZipFile(path)
        infos = (info for info in self._zip.infolist() if not is_zip_folder(info))
        self._files = {"/".join(split_name(zip_name(info))): info for info in infos}

    def entries(self) -> list[Entry]:
        """List all files but hidden ones, in the archive's order."""
        return [Entry(name, info.file_size, info.CRC) for name, info in self._files.items() if not _is_hidden(name)]

    def read(self, name: str) -> bytes:
        """Return the content of one file. Raises ImageError with the reason."""
        if name not in self._files:
            raise ImageError("not in the archive")
        _refuse_huge(self._files[name].file_size)
        try:
            return self._zip.read(self._files[name])
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error, LZMAError) as error:
            raise ImageError(f"damaged in the archive: {error}") from None
        except (RuntimeError, NotImplementedError) as error:  # a password, a rare compression
            raise ImageError(f"cannot be unpacked: {error}") from None

    def locate(self, name: str) -> str:
        """Return the archive's path followed by the member's."""
        return f"{self.path}/{name}"

    def close(self) -> None:
        """Close the archive."""
        self._zip.close()


class TarSource:
    """Files of a .tar, compressed or not; symbolic links in it are left out.

    There is no table of contents: opening one reads it all, and going back in a compressed one starts from its
    beginning.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            tar = tarfile.open(path, "r:")  # noqa: SIM115
            self.sequential = False
        except tarfile.ReadError:
            tar = tarfile.open(path, "r:*")  # noqa: SIM115
            self.sequential = True
        assert tar.fileobj is not None
        # Only its stream is kept: the TarFile itself holds a kilobyte for every member.
        self._stream = tar.fileobj
        try:
            self._files = _offsets(tar)
        except BaseException:
            self._stream.close()
            raise

    def entries(self) -> list[Entry]:
        """List all files but hidden ones, in the archive's order."""
        return [entry for entry, _ in self._files.values()]

    def read(self, name: str) -> bytes:
        """Return the content of one file. Raises ImageError with the reason."""
        if name not in self._files:
            raise ImageError("not in the archive")
        entry, offset = self._files[name]
        _refuse_huge(entry.size)
        try:
            with self._lock:
                self._stream.seek(offset)
                return self._stream.read(entry.size)
        except (OSError, EOFError, zlib.error, LZMAError) as error:
            raise ImageError(f"damaged in the archive: {error}") from None

    def locate(self, name: str) -> str:
        """Return the archive's path followed by the member's."""
        return f"{self.path}/{name}"

    def close(self) -> None:
        """Close the archive."""
        self._stream.close()


def _scan(folder: str, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[Entry]:
    """List a folder and those below; `above` are the (device, inode) of the folders on the way to it."""
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
        except OSError:  # a link to nothing: an entry whose reading says so
            yield Entry(prefix + item.name, 0, 0)
            continue
        if stat.S_ISREG(status.st_mode):
            yield Entry(prefix + item.name, status.st_size, status.st_mtime_ns + stat.S_IMODE(status.st_mode))


def _offsets(tar: tarfile.TarFile) -> dict[str, tuple[Entry, int]]:
    """Return entries and where their bytes begin, by name; of two with one name the later counts, as in unpacking."""
    files: dict[str, tuple[Entry, int]] = {}
    for member in tar:
        name = _clean(member.name)
        if member.islnk() and (linked := files.get(_clean(member.linkname))):
            files[name] = (replace(linked[0], name=name), linked[1])
        elif member.isreg() and not _is_hidden(name):
            files.pop(name, None)  # its place in the order is the later one's
            files[name] = (Entry(name, member.size, int(member.mtime)), member.offset_data)
    return files


def _is_hidden(name: str) -> bool:
    return any(part == "__MACOSX" or (part.startswith(".") and part != ".") for part in name.split("/"))


def _clean(name: str) -> str:
    """Drop the `./` or `/` that some archives put before every name."""
    return name.removeprefix("./").lstrip("/")


def _refuse_huge(size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise ImageError(f"larger than {MAX_FILE_BYTES // 2**20} MiB")


def _unreadable(path: Path, error: Exception) -> DataError:
    if isinstance(error, OSError) and error.errno is not None:
        return DataError(os_problem(error, path, "read"))
    return DataError(f"cannot read {path}: {str(error) or 'damaged'}; get it again")
