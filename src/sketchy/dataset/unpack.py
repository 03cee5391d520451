"""Unpacking an archive of unknown origin: nothing leaves the folder, and a half never looks like a whole.

All names are checked before the first byte is written. Only regular files are unpacked; a link, a device or a name
that leads out of the folder refuses the whole archive, since no honest dataset has one.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import BufferedWriter
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sketchy.dataset.archives import Archive, Member, SevenZip, opener_of, split_name
from sketchy.errors import DataError, SketchyError, StorageError
from sketchy.progress import Advance, Progress, no_progress
from sketchy.storage import os_problem


class Limits(NamedTuple):
    """How much an archive may unpack to, in bytes: the larger of `harmless` and `ratio` times its size, up to `total`.

    Images are compressed already: a dataset grows a few-fold, and only blank images and bombs grow a hundredfold.
    `total` is over ten times all renderings of the full database.
    """

    harmless: int = 1 << 30
    ratio: int = 100
    total: int = 1 << 36


LIMITS = Limits()


def unpack(archive: Path, out: Path, *, progress: Progress = no_progress, limits: Limits = LIMITS) -> Path:
    """Unpack a .zip, .tar (plain, .gz, .bz2, .xz) or .7z, known by its content, into the new folder `out`.

    It grows in a hidden folder beside `out` and is renamed at the end; what a killed run left there is removed.

    Args:
        archive: File to unpack; it is only read.
        out: Folder to make; it must not exist, or be empty.
        progress: Shows the progress, in bytes.
        limits: How much the archive may unpack to.

    Returns:
        `out` without links in its path.

    Raises:
        DataError: `out` is taken; the archive is damaged, none of these kinds, or refused.
        StorageError: The folder cannot be written.
        MissingExtraError: It is a .7z, and py7zr is not installed.
    """
    out = check_free(out)
    folder = out.with_name(f".{out.name}.unpacking")
    with _explained(archive, out):
        if folder.exists():
            shutil.rmtree(folder)
        try:
            folder.mkdir(parents=True)
            with closing(_open(archive)) as opened:
                files = _check(archive, opened, folder, limits)
                total = sum(file.size for file in files)
                with progress(f"unpacking {archive.name}", total, "B") as advance:
                    _write(opened, files, folder, advance)
            if out.exists():
                out.rmdir()
            folder.rename(out)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return out


def check_free(out: Path) -> Path:
    """Return `out` without links in its path, if a new folder can take its place.

    Raises:
        DataError: There is something at `out`.
        StorageError: The path cannot be read.
    """
    try:
        resolved = out.resolve()
        if resolved.exists() and (not resolved.is_dir() or any(resolved.iterdir())):
            raise DataError(f"{out} exists and is not empty; name another folder, or delete that one")
    except OSError as error:
        raise StorageError(os_problem(error, out)) from error
    if os.path.ismount(resolved) or resolved == Path.cwd():
        raise DataError(f"{out} itself cannot be replaced; name a new folder in it, such as {out / 'sketchy'}")
    return resolved


@contextmanager
def _explained(archive: Path, out: Path) -> Iterator[None]:
    """Turn whatever goes wrong into one line.

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


def _open(archive: Path) -> Archive:
    if opener := opener_of(archive):
        return opener(archive)
    with archive.open("rb") as file:
        is_page = file.read(512).lstrip().startswith(b"<")
    what = "a web page" if is_page else "not an archive that can be unpacked"
    raise DataError(f"{archive} is {what}; name a .zip, .tar, .tar.gz, .tar.bz2, .tar.xz or .7z")


def _check(path: Path, archive: Archive, folder: Path, limits: Limits) -> list[Member]:
    """Return the files to write. Raises DataError if a member is refused, or they are too large."""
    if archive.locked:
        raise DataError(f"{path} is locked with a password; unpack it yourself and name the folder")
    files: list[Member] = []
    limit = min(max(limits.harmless, limits.ratio * path.stat().st_size), limits.total)
    total = 0
    for member in archive.members():
        total += member.size
        if objection := _objection(member):
            raise DataError(f"{path} holds {member.name!r}, {objection}; nothing was unpacked; do not trust it")
        if total > limit:  # known before a compressed .tar is read to its end
            reason = f"would unpack to more than {limit / 2**30:,.1f} GiB, which no dataset of its size does"
            raise DataError(f"{path} {reason}; nothing was unpacked; do not trust it")
        if member.kind == "file":
            files.append(member)
    if not files:
        raise DataError(f"{path} holds no files; get it again")
    if total > (free := shutil.disk_usage(folder).free):
        space = f"needs {total / 1e9:,.1f} GB where {free / 1e9:,.1f} GB are free"
        raise StorageError(f"cannot unpack {path} into {folder.parent}: {space}; make room or choose another place")
    return files


def _objection(member: Member) -> str | None:
    name = member.name.replace("\\", "/")
    if member.kind == "special":
        return "a link or a device"
    if "\0" in name:
        return "a name with a NUL in it"
    if name.startswith("/") or re.match("[A-Za-z]:", name):
        return "an absolute path"
    if ".." in name.split("/"):
        return "a path out of the folder"
    if member.kind == "file" and not split_name(name):
        return "a file without a name"
    return None


def _write(archive: Archive, files: list[Member], folder: Path, advance: Advance) -> None:
    def create(name: str) -> _CountedFile:
        path = Path(os.path.normpath(name))
        if not path.is_relative_to(folder):
            raise ValueError(f"{name} lies outside the folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        return _CountedFile(path, advance)

    if isinstance(archive, SevenZip):
        archive.extract(folder, create)
        return
    for file in files:
        with create(str(folder.joinpath(*split_name(file.name)))) as target:
            for chunk in archive.chunks(file):
                target.write(chunk)


class _CountedFile(BufferedWriter):
    """A new file that reports the bytes written to it."""

    def __init__(self, path: Path, advance: Advance) -> None:
        super().__init__(path.open("wb", buffering=0))
        self._advance = advance

    def write(self, data: Any) -> int:
        self._advance(len(data))
        return super().write(data)

    def size(self) -> int:
        """Return the bytes so far; py7zr asks."""
        return self.tell()
