"""What .zip, .tar and .7z archives hold, and the bytes of their files.

Nothing is refused here: a `Source` leaves out what is not a file, `unpack` checks all members before it writes one.
Damage raises whatever exception the library has for it.
"""

import stat
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, Protocol

from sketchy.extras import require

CHUNK_BYTES = 1 << 18
ZIP_NAME_IS_UTF8 = 1 << 11
"""Bit of a .zip member's flags."""

MemberKind = Literal["file", "folder", "special"]


@dataclass(frozen=True, slots=True)
class Member:
    """What an archive says about one thing in it.

    Attributes:
        name: Its name in the archive, parts joined by "/" or a backslash.
        kind: A link or a device is "special".
        size: Bytes when unpacked.
        stamp: Changes with the content: CRC-32 in a .zip, mtime in s in a .tar; 0 in a .7z.
        content: Where the archive has the content; None where none can be read.
    """

    name: str
    kind: MemberKind
    size: int = 0
    stamp: int = 0
    content: Any = None


class Archive(Protocol):
    """An open archive. Safe to read from several threads.

    Attributes:
        locked: It needs a password.
        sequential: Going back is slow.
    """

    locked: bool
    sequential: bool

    def members(self) -> Iterator[Member]:
        """Yield all that it holds, in order. May be called once."""

    def chunks(self, member: Member) -> Iterator[bytes]:
        """Yield the content of a file."""

    def close(self) -> None:
        """Close the file."""


class Zip(Archive):
    """A .zip. Reading a file to its end checks its CRC-32."""

    sequential = False

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)
        self.locked = any(info.flag_bits & 1 for info in self._zip.infolist())

    def members(self) -> Iterator[Member]:
        for info in self._zip.infolist():
            name = _zip_name(info)
            kind = stat.S_IFMT(info.external_attr >> 16)
            if name.endswith(("/", "\\")):  # Windows writes the latter
                yield Member(name, "folder")
            elif kind in (0, stat.S_IFREG, stat.S_IFDIR):
                yield Member(name, "file", info.file_size, info.CRC, info)
            else:
                yield Member(name, "special")

    def chunks(self, member: Member) -> Iterator[bytes]:
        with self._zip.open(member.content) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                yield chunk

    def close(self) -> None:
        self._zip.close()


def _zip_name(info: zipfile.ZipInfo) -> str:
    """Return a member's name, not cut at a NUL.

    A name that claims no encoding is read as UTF-8 if it can be: macOS writes such names, which zipfile takes for
    CP437.
    """
    if not info.flag_bits & ZIP_NAME_IS_UTF8:
        with suppress(UnicodeError):
            return info.orig_filename.encode("cp437").decode()
    return info.orig_filename


class Tar(Archive):
    """A .tar, plain or compressed. It has no table of contents: `members` reads all of it."""

    locked = False

    def __init__(self, mode: Literal["r:", "r:gz", "r:bz2", "r:xz"], path: Path) -> None:
        self.sequential = mode != "r:"
        self._lock = threading.Lock()
        self._tar = tarfile.open(path, mode)  # noqa: SIM115
        assert self._tar.fileobj is not None
        self._stream = self._tar.fileobj

    def members(self) -> Iterator[Member]:
        files: dict[str, Member] = {}
        for info in self._tar:
            if info.islnk() and (target := files.get(info.linkname)):  # it can be read like its target
                yield replace(target, name=info.name, kind="special")
            elif info.isreg() and not info.issparse():
                files[info.name] = Member(info.name, "file", info.size, int(info.mtime), info.offset_data)
                yield files[info.name]
            else:
                yield Member(info.name, "folder" if info.isdir() else "special")
        self._check_end()
        self._tar.getmembers().clear()  # they take 1 kB each

    def _check_end(self) -> None:
        """Find the zero block: tarfile takes any end of file, and damage between two members, for the end."""
        self._stream.seek(self._tar.offset)
        if self._stream.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
            raise tarfile.ReadError("no end mark")
        while self._stream.read(CHUNK_BYTES):  # to the very end, where the checksum of a compressed one is compared
            pass

    def chunks(self, member: Member) -> Iterator[bytes]:
        with self._lock:
            self._stream.seek(member.content)
            for start in range(0, member.size, CHUNK_BYTES):
                yield self._stream.read(min(CHUNK_BYTES, member.size - start))

    def close(self) -> None:
        self._tar.close()


class SevenZip(Archive):
    """A .7z, through py7zr, which checks every CRC-32. It can only be extracted as a whole.

    Raises:
        MissingExtraError: py7zr is not installed.
    """

    sequential = True

    def __init__(self, path: Path) -> None:
        require("fetch", "unpacking a .7z archive")
        import py7zr

        self._file = path.open("rb")
        try:
            self._7z: Any = py7zr.SevenZipFile(self._file)  # given an open file, it stays in one thread
            self.locked = bool(self._7z.needs_password())
        except BaseException:
            self._file.close()
            raise

    def members(self) -> Iterator[Member]:
        for file in self._7z.files:
            special = file.is_symlink or file.is_junction or file.is_socket
            kind: MemberKind = "special" if special else "folder" if file.is_directory else "file"
            yield Member(file.filename, kind, file.uncompressed)

    def extract(self, folder: Path, create: Callable[[str], Any]) -> None:
        """Write all files in order; `create` opens each by its path below `folder`."""
        with ExitStack() as stack:

            def begin(name: str) -> Any:
                stack.close()  # the file before, which py7zr before 1.1 leaves open
                return stack.enter_context(create(name))

            self._7z.extractall(path=folder, factory=SimpleNamespace(create=begin))

    def close(self) -> None:
        self._7z.close()
        self._file.close()


OPENERS: dict[bytes, Callable[[Path], Archive]] = {
    b"PK\x03\x04": Zip,
    b"PK\x05\x06": Zip,
    b"7z\xbc\xaf\x27\x1c": SevenZip,
    b"\x1f\x8b": partial(Tar, "r:gz"),
    b"BZh": partial(Tar, "r:bz2"),
    b"\xfd7zXZ\x00": partial(Tar, "r:xz"),
}
"""First bytes of a file to what opens it."""


def opener_of(path: Path) -> Callable[[Path], Archive] | None:
    """Return what opens an archive, known by its content and not by its name; None for any other file."""
    with path.open("rb") as file:
        head = file.read(6)
    if found := next((opener for magic, opener in OPENERS.items() if head.startswith(magic)), None):
        return found
    if tarfile.is_tarfile(path):
        return partial(Tar, "r:")
    return Zip if zipfile.is_zipfile(path) else None  # a program that unpacks itself begins like a program


def split_name(name: str) -> list[str]:
    """Split a member's name into folders and file name."""
    return [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
