"""The original files of photos: to download, alone or together, and to open on the machine of the server."""

import ipaddress
import zipfile
from collections.abc import Iterator, Sequence
from io import RawIOBase
from pathlib import Path, PurePath
from typing import Any

from fastapi import Request
from starlette.exceptions import HTTPException

from sketchy.containers import detect_format
from sketchy.errors import ImageError
from sketchy.retrieval.collect import distinct
from sketchy.web.catalogue import Catalogue, to_unicode

CHUNK = 1 << 20
"""Bytes that are read at a time."""
HEAD = 1 << 16
"""Bytes by which an image is recognised."""


def original(catalogue: Catalogue, photo: str) -> tuple[str, Path | bytes]:
    """Return the name of a photo's file, and the file or its content.

    Raises:
        HTTPException: The photo is unknown, missing, outside the gallery, or no image any more.
    """
    found = catalogue.file_of(photo)
    try:
        if isinstance(found, bytes):
            head = found[:HEAD]
        else:
            with found.open("rb") as opened:
                head = opened.read(HEAD)
        detect_format(head)
    except (OSError, ImageError):
        raise HTTPException(404, "the file of this photo is no photo any more") from None
    return to_unicode(PurePath(catalogue.path_of(photo)).name), found


def is_local(request: Request) -> bool:
    """Return whether a request comes from the machine of the server."""
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def zipped(files: Sequence[tuple[str, Path | bytes]]) -> Iterator[bytes]:
    """Yield a zip of files piece by piece; it is never held as a whole. Photos are compressed already, so it is not.

    Args:
        files: Their names, of which equal ones get a number, and the files or their contents.
    """
    sink = _Sink()
    names: set[str] = set()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, file in files:
            names.add(name := distinct(name, names.__contains__))
            if isinstance(file, bytes):
                archive.writestr(name, file)
                yield sink.taken()
                continue
            info = zipfile.ZipInfo.from_file(file, name, strict_timestamps=False)
            with file.open("rb") as source, archive.open(info, "w") as entry:
                while chunk := source.read(CHUNK):
                    entry.write(chunk)
                    yield sink.taken()
    yield sink.taken()


class _Sink(RawIOBase):
    """Keeps what is written until it is taken."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._written += content
        return len(content)

    def taken(self) -> bytes:
        """Return what was written since the last call."""
        content = bytes(self._written)
        self._written.clear()
        return content
