"""Unpacking an archive of unknown origin: nothing leaves the folder, and a half never looks like a whole.

All names are checked before the first byte is written. Only regular files are unpacked; a link, a device or a name
that leads out of the folder refuses the whole archive, since no honest dataset has one.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal

from sketchy.dataset.archives import Archive, Folder, Member, SevenZip, Tar, Zip, split_name
from sketchy.errors import DataError, SketchyError, StorageError
from sketchy.storage import os_problem
from sketchy.talk import SILENT, Talk

HARMLESS_BYTES = 1 << 30
MAX_RATIO = 100
"""Images are compressed already: a dataset grows a few-fold. Only a bomb of more than HARMLESS_BYTES grows so much."""
MAX_BYTES = 1 << 36
"""64 GiB: over ten times all renderings of the full database."""

_KINDS: tuple[tuple[int, bytes, Callable[[BinaryIO], Archive]], ...] = (
    (0, b"PK\x03\x04", Zip),
    (0, b"PK\x05\x06", Zip),
    (0, b"7z\xbc\xaf\x27\x1c", SevenZip),
    (0, b"\x1f\x8b", partial(Tar, "r:gz")),
    (0, b"BZh", partial(Tar, "r:bz2")),
    (0, b"\xfd7zXZ\x00", partial(Tar, "r:xz")),
    (257, b"ustar", partial(Tar, "r:")),
)
"""Where in a file stands what, and who reads it then."""


def unpack(archive: Path, out: Path, *, talk: Talk = SILENT) -> Path:
    """Unpack a .zip, .tar (plain, .gz, .bz2, .xz) or .7z, known by its content, into the new folder `out`.

    It grows in a hidden folder beside `out` and is renamed at the end; what a killed run left there is removed.

    Args:
        archive: is only read.
        out: must not exist, or be empty.
        talk: shows a bar in bytes.

    Returns:
        `out` without links in its path.

    Raises:
        DataError: `out` is taken; the archive is damaged, none of these kinds, or refused.
        StorageError: it cannot be written.
        SketchyError: a .7z, and py7zr is not installed.
    """
    out = check_free(out)
    folder = out.with_name(f".{out.name}.unpacking")
    with _blaming(archive, out):
        if folder.exists():
            shutil.rmtree(folder)
        try:
            folder.mkdir(parents=True)
            with archive.open("rb") as file, closing(_open(archive, file)) as opened:
                total = _admit(archive, opened.members(), folder)
                with talk.bar(f"unpacking {archive.name}", total, "B") as advance:
                    opened.extract(Folder(folder, advance))
            if out.exists():
                out.rmdir()
            folder.rename(out)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return out


def check_free(out: Path) -> Path:
    """Return `out` without links in its path where a new folder can take its place.

    Raises:
        DataError: something is there.
        StorageError: it cannot be looked at.
    """
    try:
        resolved = out.resolve()
        if resolved.exists() and (not resolved.is_dir() or any(resolved.iterdir())):
            raise DataError(f"{out} is there and not empty; name another folder, or delete that one")
    except OSError as error:
        raise StorageError(os_problem(error, out)) from error
    if os.path.ismount(resolved) or resolved == Path.cwd():
        raise DataError(f"{out} itself cannot be replaced; name a new folder in it, such as {out / 'sketchy'}")
    return resolved


@contextmanager
def _blaming(archive: Path, out: Path) -> Iterator[None]:
    """Make one line of whatever goes wrong.

    The libraries raise some twenty kinds of exceptions over damaged bytes, among them OSError without a number;
    those of the disk have one.
    """
    try:
        yield
    except SketchyError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            action: Literal["read", "write"] = "read" if error.filename == str(archive) else "write"
            raise StorageError(os_problem(error, error.filename or out, action)) from error
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise DataError(f"{archive} is damaged or cut short ({reason}); delete it and get it again") from error


def _open(archive: Path, file: BinaryIO) -> Archive:
    head = file.read(512)
    file.seek(0)
    for start, magic, kind in _KINDS:
        if head[start:].startswith(magic):
            return kind(file)
    what = "a web page" if head.lstrip().startswith(b"<") else "no archive that can be unpacked here"
    raise DataError(f"{archive} is {what}; give a .zip, .tar, .tar.gz, .tar.bz2, .tar.xz or .7z")


def _admit(archive: Path, members: Iterable[Member], folder: Path) -> int:
    """Return the bytes that will be written. Raises DataError where a member must not be, or they are too many."""
    limit = min(max(HARMLESS_BYTES, MAX_RATIO * archive.stat().st_size), MAX_BYTES)
    files = total = 0
    for member in members:
        if member.locked:
            raise DataError(f"{archive} is locked with a password; unpack it yourself and name the folder")
        if objection := _objection(member):
            raise DataError(f"{archive} holds {member.name!r}, {objection}; nothing was unpacked; do not trust it")
        files += not member.folder
        total += member.size
        if total > limit:
            reason = f"would unpack to more than {limit / 2**30:,.1f} GiB, which no dataset of its size does"
            raise DataError(f"{archive} {reason}; nothing was unpacked; do not trust it")
    if not files:
        raise DataError(f"{archive} holds no files; get it again")
    if total > (free := shutil.disk_usage(folder).free):
        space = f"needs {total / 1e9:,.1f} GB where {free / 1e9:,.1f} GB are free"
        raise StorageError(f"cannot unpack {archive} into {folder.parent}: {space}; make room or choose another place")
    return total


def _objection(member: Member) -> str | None:
    name = member.name.replace("\\", "/")
    if member.special:
        return "a link or a device"
    if "\0" in name:
        return "a name with a NUL in it"
    if name.startswith("/") or re.match("[A-Za-z]:", name):
        return "an absolute path"
    if ".." in name.split("/"):
        return "a path out of the folder"
    if not member.folder and not split_name(name):
        return "a file without a name"
    return None
