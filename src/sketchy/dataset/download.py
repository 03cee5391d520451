"""Downloads that survive a broken connection, a killed process and a file that changes meanwhile.

What has arrived is in `<target>.part`, and `<target>.part.json` says of which version of which file it is.
Bytes of two versions are never mixed: the rest is requested with `If-Range`, and if a server names no version
(no strong ETag, no Last-Modified) a download starts over.
"""

import json
import logging
import os
import re
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.client import HTTPException, InvalidURL
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen
from urllib.response import addinfourl

from sketchy.errors import DataError, StorageError
from sketchy.progress import Progress, no_progress
from sketchy.storage import os_problem, write_text

CHUNK_BYTES = 1 << 16
TIMEOUT_SECONDS = 60.0
"""How long a server may be silent before the connection counts as broken."""
WAITS_SECONDS = (1.0, 4.0, 15.0, 45.0)
"""Waits before each new try; they start over whenever a try got further than all before it."""

log = logging.getLogger(__name__)


class NotThereError(DataError):
    """The server answers, but does not give us this file: another try will not help, another address may."""


class _BrokenError(Exception):
    """A try failed in a way that the next one may not."""


@dataclass(frozen=True)
class _Version:
    """Which file it is, as far as the server says: `validator` for If-Range, `total` in bytes."""

    url: str
    validator: str | None
    total: int | None


class _Part:
    """What has arrived of one version."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f"{target.name}.part")
        self._note = target.with_name(f"{target.name}.part.json")

    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def resumable(self, url: str) -> _Version | None:
        """Return the version of what has arrived, or None if it cannot be continued from `url`."""
        try:
            version = _Version(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return version if version.url == url and version.validator and self.size() else None

    def drop(self) -> None:
        """Delete it, the note first: a kill in between leaves bytes that are not trusted."""
        self._note.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def restart(self, version: _Version) -> None:
        self.drop()
        write_text(self._note, json.dumps(asdict(version)))

    def finish(self, target: Path) -> None:
        with self.path.open("ab") as file:
            os.fsync(file.fileno())
        self.path.replace(target)
        self._note.unlink(missing_ok=True)


def download(
    url: str,
    target: Path,
    *,
    progress: Progress = no_progress,
    waits: Sequence[float] = WAITS_SECONDS,
    timeout: float = TIMEOUT_SECONDS,
) -> Path:
    """Download `url` (http, https or file) to `target` unless it exists, continuing what an earlier call left there.

    Args:
        url: Address of the file; spaces and non-ASCII letters need not be escaped.
        target: File to write; it appears only when all bytes have arrived.
        progress: Shows the progress, in bytes.
        waits: Seconds before each new try after a broken connection.
        timeout: Seconds that a server may be silent.

    Raises:
        NotThereError: There is no such file at `url`, or a web page.
        DataError: The host is unknown, or the connection broke once too often; what arrived is kept.
        StorageError: Nothing can be written beside `target`.
    """
    if target.is_file():
        return target
    _check_address(url)
    part = _Part(target)
    left, furthest = list(waits), part.size()
    while True:
        try:
            _fetch(url, part, timeout, progress)
            with storing(target):
                part.finish(target)
            return target
        except _BrokenError as broken:
            if part.size() > furthest:
                left, furthest = list(waits), part.size()
            if not left:
                raise DataError(_gave_up(url, part, broken)) from None
            log.info(f"{broken}; trying again in {left[0]:g} s")
            time.sleep(left.pop(0))


def _check_address(url: str) -> None:
    with suppress(ValueError):  # a port that is not a number, brackets without an end
        parts = urlsplit(url)
        if parts.scheme == "file" or (parts.scheme in ("http", "https") and parts.hostname and parts.port != 0):
            return
    raise DataError(f"cannot download {url}: not an http, https or file address; check its spelling")


def _gave_up(url: str, part: _Part, broken: _BrokenError) -> str:
    version = part.resumable(url)
    if version is None:
        return f"cannot download {url}: {broken}; run the same command again to start over"
    total = "" if version.total is None else f" of {_megabytes(version.total)}"
    kept = f"{_megabytes(part.size())}{total} are in {part.path}"
    return f"cannot download {url}: {broken}; {kept}; run the same command again to continue"


def _fetch(url: str, part: _Part, timeout: float, progress: Progress) -> None:
    """Try once to complete the part. Raises _BrokenError if another try may get further."""
    known, have = part.resumable(url), part.size()
    # Compressed bytes would have other offsets than those on disk.
    headers = {"User-Agent": "sketchy", "Accept-Encoding": "identity"}
    if known and known.validator:
        headers |= {"Range": f"bytes={have}-", "If-Range": known.validator}
    request = Request(quote(url, safe="%/:=&?~#+!$,;'@()*[]"), headers=headers)
    with _open(request, timeout) as response:
        status = response.status or HTTPStatus.OK  # a file: address has none
        if known and status in (HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
            total = _check_unchanged(response, status, known, part)
            if status != HTTPStatus.PARTIAL_CONTENT:
                return
        elif status == HTTPStatus.OK:
            if response.headers.get_content_type() == "text/html":
                raise NotThereError(f"{url} is a web page, not an archive; give the address of the file itself")
            length = response.headers.get("Content-Length", "")
            have, total = 0, int(length) if length.isdigit() else None
            with storing(part.path):
                part.restart(_Version(url, _validator(response), total))
        else:
            raise NotThereError(f"cannot download {url}: unexpected answer {status}; check the address")
        _receive(response, part, have, total, progress)


def _open(request: Request, timeout: float) -> addinfourl:
    """Open the address; 416 is an answer like any other."""
    url = request.full_url
    try:
        response: addinfourl = urlopen(request, timeout=timeout)
    except HTTPError as error:
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and request.has_header("Range"):
            return error
        error.close()
        answer = f"the server answers {error.code} {error.reason}"
        if error.code in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS) or error.code >= 500:
            raise _BrokenError(answer) from None
        raise NotThereError(f"cannot download {url}: {answer}; check the address") from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, socket.gaierror):
            host = urlsplit(url).hostname
            raise DataError(f"unknown host {host} of {url}; check the address and the connection") from None
        if isinstance(reason, InvalidURL | ssl.SSLCertVerificationError | FileNotFoundError | IsADirectoryError):
            raise NotThereError(f"cannot download {url}: {reason}; check the address") from None
        raise _BrokenError(f"no connection ({reason})") from None
    return response


def _check_unchanged(response: addinfourl, status: int, known: _Version, part: _Part) -> int | None:
    """Return the total in bytes if an answer continues the part in the same version; else drop the part.

    A 416 is fine if nothing is missing: the rest of a complete file is an empty range.
    """
    have = part.size()
    span = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", response.headers.get("Content-Range", ""))
    total = int(span[2]) if span and span[2] != "*" else known.total
    if status == HTTPStatus.PARTIAL_CONTENT:
        same_version = known.total in (None, total) and _validator(response) in (None, known.validator)
        unchanged = same_version and span is not None and span[1] == str(have)
    else:
        unchanged = have == total
    if not unchanged:
        with storing(part.path):
            part.drop()
        raise _BrokenError("the file on the server has changed, starting over")
    return total


def _receive(response: addinfourl, part: _Part, have: int, total: int | None, progress: Progress) -> None:
    with (
        storing(part.path),
        part.path.open("ab") as file,
        progress("downloading", total or 0, "B") as advance,
    ):
        advance(have)
        while chunk := _read(response):
            file.write(chunk)
            advance(len(chunk))
            have += len(chunk)
    if total is not None and have != total:
        raise _BrokenError(f"the connection broke after {_megabytes(have)} of {_megabytes(total)}")


def _read(response: addinfourl) -> bytes:
    try:
        return response.read(CHUNK_BYTES)
    except (OSError, HTTPException) as error:
        raise _BrokenError(f"the connection broke ({error})") from None


def _validator(response: addinfourl) -> str | None:
    """Return what If-Range accepts; a weak ETag does not promise equal bytes."""
    etag = response.headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Make the folder of `path`, and turn errors of writing there into StorageError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise StorageError(os_problem(error, path)) from error
