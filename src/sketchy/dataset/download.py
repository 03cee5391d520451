"""Downloads that survive a broken connection, a killed process and a file that changes meanwhile.

What has arrived lies in `<target>.part`, and `<target>.part.json` says of which version of which file it is.
Bytes of two versions are never mixed: the rest is asked for with `If-Range`, and where a server names no version
(no strong ETag, no Last-Modified) a download starts over.
"""

import json
import os
import re
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.client import HTTPException, InvalidURL
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen
from urllib.response import addinfourl

from sketchy.errors import DataError, StorageError
from sketchy.storage import os_problem, write_text
from sketchy.talk import SILENT, Talk

CHUNK_BYTES = 1 << 16
TIMEOUT_SECONDS = 60.0
"""How long a server may be silent before the connection counts as broken."""
WAITS_SECONDS = (1.0, 4.0, 15.0, 45.0)
"""Before each new try; they start anew whenever a try got further than all before it."""


class NotThereError(DataError):
    """The server answers, but has no such file for us: trying again will not help, another address may."""


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
        """Give the version of what is there, or None where it cannot be continued from `url`."""
        try:
            version = _Version(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return version if version.url == url and version.validator and self.size() else None

    def drop(self) -> None:
        """Forget all; the note goes first, so that a kill in between leaves bytes that nobody trusts."""
        self._note.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def restart(self, version: _Version) -> None:
        self.drop()
        write_text(self._note, json.dumps(asdict(version)))

    def finish(self, target: Path) -> None:
        with storing(target):
            with self.path.open("ab") as file:
                os.fsync(file.fileno())
            self.path.replace(target)
            self._note.unlink(missing_ok=True)


def download(
    url: str,
    target: Path,
    *,
    talk: Talk = SILENT,
    waits: Sequence[float] = WAITS_SECONDS,
    timeout: float = TIMEOUT_SECONDS,
) -> Path:
    """Get `url` (http, https or file) into `target`, going on from what an earlier call left there.

    A `target` that is there already is taken as finished.

    Args:
        url: spaces and non-ASCII letters may stand as they are.
        target: appears only when all bytes have arrived.
        talk: hears of new tries, and shows a bar in bytes.
        waits: seconds before each new try after a broken connection.
        timeout: seconds a server may be silent.

    Raises:
        NotThereError: no such file at `url`, or a web page.
        DataError: the host is unknown, or the connection broke once too often; what arrived is kept.
        StorageError: nothing can be written beside `target`.
    """
    if target.is_file():
        return target
    _check_address(url)
    part = _Part(target)
    left, furthest = list(waits), part.size()
    while True:
        try:
            _fetch(url, part, timeout, talk)
            part.finish(target)
            return target
        except _BrokenError as broken:
            if part.size() > furthest:
                left, furthest = list(waits), part.size()
            if not left:
                raise DataError(_given_up(url, part, broken)) from None
            talk.say(f"{broken}; trying again in {left[0]:g} s")
            time.sleep(left.pop(0))


def _check_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) if parts.scheme in ("http", "https") else parts.scheme == "file"
        _ = parts.port  # raises ValueError where it is no number
    except ValueError:
        whole = False
    if not whole:
        raise DataError(f"cannot download {url}: not an http, https or file address; check its spelling")


def _given_up(url: str, part: _Part, broken: _BrokenError) -> str:
    version = part.resumable(url)
    if version is None:
        return f"cannot download {url}: {broken}; run the same command again to start over"
    of = "" if version.total is None else f" of {_megabytes(version.total)}"
    here = f"{_megabytes(part.size())}{of} lie in {part.path}"
    return f"cannot download {url}: {broken}; {here}; run the same command again to go on from there"


def _fetch(url: str, part: _Part, timeout: float, talk: Talk) -> None:
    """Try once to complete the part. Raises _BrokenError where another try may get further."""
    known, have = part.resumable(url), part.size()
    # Coded bytes would have other offsets than those on disk.
    headers = {"User-Agent": "sketchy", "Accept-Encoding": "identity"}
    if known and known.validator:
        headers |= {"Range": f"bytes={have}-", "If-Range": known.validator}
    request = Request(quote(url, safe="%/:=&?~#+!$,;'@()*[]"), headers=headers)
    with _open(request, timeout) as response:
        status = response.status or HTTPStatus.OK  # a file: address has none
        if known and status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            _check_complete(response, known, part)
            return
        if known and status == HTTPStatus.PARTIAL_CONTENT:
            total = _check_continues(response, known, part)
        elif status == HTTPStatus.OK:
            if response.headers.get_content_type() == "text/html":
                raise NotThereError(f"{url} is a web page, not an archive; give the address of the file itself")
            have, total = 0, _content_length(response)
            with storing(part.path):
                part.restart(_Version(url, _validator(response), total))
        else:
            raise NotThereError(f"cannot download {url}: unexpected answer {status}; check the address")
        _receive(response, part, have, total, talk)


def _open(request: Request, timeout: float) -> addinfourl:
    """Open the address; 416 is an answer like any other."""
    url = request.full_url
    try:
        response: addinfourl = urlopen(request, timeout=timeout)
    except HTTPError as error:
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and request.has_header("Range"):
            return error
        error.close()
        if error.code in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS) or error.code >= 500:
            raise _BrokenError(f"the server answers {error.code} {error.reason}") from None
        answer = f"{error.code} {error.reason}"
        raise NotThereError(f"cannot download {url}: the server answers {answer}; check the address") from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, socket.gaierror):
            host = urlsplit(url).hostname
            raise DataError(f"unknown host {host} of {url}; check the address and the connection") from None
        if isinstance(reason, InvalidURL | ssl.SSLCertVerificationError | FileNotFoundError | IsADirectoryError):
            raise NotThereError(f"cannot download {url}: {reason}; check the address") from None
        raise _BrokenError(f"no connection ({reason})") from None
    return response


def _check_complete(response: addinfourl, known: _Version, part: _Part) -> None:
    """Accept 416 only where nothing is missing: the rest of a whole file is an empty range."""
    total = re.fullmatch(r"bytes \*/(\d+)", response.headers.get("Content-Range", ""))
    if part.size() != (int(total[1]) if total else known.total):
        raise _changed(part)


def _check_continues(response: addinfourl, known: _Version, part: _Part) -> int | None:
    """Give the total in bytes of a 206 that goes on where the part ends, in the same version."""
    span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    total = int(span[2]) if span and span[2] != "*" else known.total
    same_version = known.total in (None, total) and _validator(response) in (None, known.validator)
    if not span or int(span[1]) != part.size() or not same_version:
        raise _changed(part)
    return total


def _changed(part: _Part) -> _BrokenError:
    with storing(part.path):
        part.drop()
    return _BrokenError("the file on the server is another one now, starting over")


def _receive(response: addinfourl, part: _Part, have: int, total: int | None, talk: Talk) -> None:
    with (
        storing(part.path),
        part.path.open("ab") as file,
        talk.bar("downloading", total or 0, "B") as advance,
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
    """Give what If-Range accepts; a weak ETag promises no equal bytes."""
    etag = response.headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")


def _content_length(response: addinfourl) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdigit() else None


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
