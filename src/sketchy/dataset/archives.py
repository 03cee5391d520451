"""The three kinds of archives, read alike: what they say they hold, and their files one after the other.

Nothing here is judged: `unpack` looks at all members before it lets one be written.
"""

import stat
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal, Protocol

from sketchy.errors import SketchyError
from sketchy.talk import Advance

CHUNK_BYTES = 1 << 18
ZIP_NAME_IS_UTF8 = 1 << 11
"""Bit of a .zip member's flags."""


@dataclass(frozen=True)
class Member:
    """What an archive says it holds.

    Attributes:
        name: as it stands there, parts joined by "/" or a backslash.
        size: bytes when unpacked.
        folder: it is a folder.
        special: it is neither a file nor a folder but a link or a device.
        locked: it needs a password.
    """

    name: str
    size: int
    folder: bool
    special: bool
    locked: bool = False


class Archive(Protocol):
    """An open archive; what is damaged raises whatever its library raises."""

    def members(self) -> Iterator[Member]:
        """Give all it holds."""

    def extract(self, folder: "Folder") -> None:
        """Add every file to the folder."""

    def close(self) -> None:
        """Let go of it, but not of the file given to it."""


def split_name(name: str) -> list[str]:
    """Split a member's name into folders and file name."""
    return [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]


class Folder:
    """Where the files go; to py7zr it is a writer factory."""

    def __init__(self, path: Path, advance: Advance) -> None:
        self.path = path
        self._advance = advance
        self._last: _Sink | None = None

    def add(self, name: str, stream: IO[bytes]) -> None:
        """Write a file; nothing about `name` is checked here."""
        with closing(self._sink(name)) as sink:
            while chunk := stream.read(CHUNK_BYTES):
                sink.write(chunk)

    def create(self, filename: str) -> "_Sink":
        """Begin the file that py7zr calls `filename`: its name below `path`. Ends the one before."""
        self.close()
        self._last = self._sink(str(Path(filename).relative_to(self.path)))
        return self._last

    def close(self) -> None:
        """End the file that `create` began; py7zr before 1.1 does not."""
        if self._last is not None:
            self._last.close()

    def _sink(self, name: str) -> "_Sink":
        path = self.path.joinpath(*split_name(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        return _Sink(path.open("wb"), self._advance)


class _Sink:
    """A file that only takes bytes, with all methods that py7zr calls."""

    def __init__(self, file: BinaryIO, advance: Advance) -> None:
        self._file = file
        self._advance = advance

    def write(self, data: bytes | bytearray) -> int:
        self._advance(len(data))
        return self._file.write(data)

    def read(self, size: int | None = None) -> bytes:
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        return 0

    def flush(self) -> None:
        self._file.flush()

    def size(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()


class Zip:
    """A .zip. It checks every file's CRC-32."""

    def __init__(self, file: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(file)

    def members(self) -> Iterator[Member]:
        """Give all it holds."""
        for info in self._zip.infolist():
            mode = stat.S_IFMT(info.external_attr >> 16)
            special = mode not in (0, stat.S_IFREG, stat.S_IFDIR)
            yield Member(zip_name(info), info.file_size, is_zip_folder(info), special, bool(info.flag_bits & 1))

    def extract(self, folder: Folder) -> None:
        """Add every file to the folder."""
        for info in self._zip.infolist():
            if not is_zip_folder(info):
                with self._zip.open(info) as stream:
                    folder.add(zip_name(info), stream)

    def close(self) -> None:
        """Let go of it."""
        self._zip.close()


def zip_name(info: zipfile.ZipInfo) -> str:
    """Return a member's name as it stands there, uncut at a NUL.

    One that claims no encoding is read as UTF-8 if it is that: macOS writes such names, which zipfile takes for CP437.
    """
    if not info.flag_bits & ZIP_NAME_IS_UTF8:
        with suppress(UnicodeError):
            return info.orig_filename.encode("cp437").decode()
    return info.orig_filename


def is_zip_folder(info: zipfile.ZipInfo) -> bool:
    """Tell a folder from a file, also in an archive of Windows."""
    return info.orig_filename.endswith(("/", "\\"))


class Tar:
    """A .tar, plain or compressed. There is no table of contents: a compressed one is decompressed twice."""

    def __init__(self, mode: Literal["r:", "r:gz", "r:bz2", "r:xz"], file: BinaryIO) -> None:
        self._tar = tarfile.TarFile.open(fileobj=file, mode=mode)

    def members(self) -> Iterator[Member]:
        """Give all it holds. Raises tarfile.ReadError where the end is missing."""
        for info in self._tar:
            yield Member(info.name, info.size, info.isdir(), not (info.isreg() or info.isdir()))
        self._check_end()

    def _check_end(self) -> None:
        """Find the zero block: tarfile takes any end of file, and damage between two members, for the end."""
        stream = self._tar.fileobj
        assert stream is not None
        stream.seek(self._tar.offset)
        if stream.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
            raise tarfile.ReadError("no end mark")
        while stream.read(CHUNK_BYTES):  # to the very end, where the checksum of a compressed one is compared
            pass

    def extract(self, folder: Folder) -> None:
        """Add every file to the folder."""
        for info in self._tar:
            if info.isreg() and (stream := self._tar.extractfile(info)):
                with stream:
                    folder.add(info.name, stream)

    def close(self) -> None:
        """Let go of it."""
        self._tar.close()


class SevenZip:
    """A .7z, through py7zr. It checks every file's CRC-32."""

    def __init__(self, file: BinaryIO) -> None:
        try:
            import py7zr
        except ImportError:
            raise SketchyError(
                "no py7zr, which unpacks .7z; run pip install 'sketchy[fetch]' and the same command again"
            ) from None
        # Given an open file, py7zr stays in one thread.
        self._archive: Any = py7zr.SevenZipFile(file)

    def members(self) -> Iterator[Member]:
        """Give all it holds."""
        locked = self._archive.needs_password()
        for file in self._archive.files:
            special = file.is_symlink or file.is_junction or file.is_socket
            yield Member(file.filename, file.uncompressed, file.is_directory, special, locked)

    def extract(self, folder: Folder) -> None:
        """Add every file to the folder."""
        with closing(folder):
            self._archive.extractall(path=folder.path, factory=folder)

    def close(self) -> None:
        """Let go of it."""
        self._archive.close()
