"""Downloading a public file from Google Drive, which puts pages and cookies before a large one; gdown handles them."""

import re
from contextlib import ExitStack
from pathlib import Path

from sketchy.dataset.download import TIMEOUT_SECONDS, WAITS_SECONDS, NotThereError, storing
from sketchy.errors import DataError, SketchyError, StorageError
from sketchy.extras import require
from sketchy.progress import Progress, no_progress
from sketchy.storage import os_problem

_LINK = re.compile(
    r"https?://(?:drive|docs|drive\.usercontent)\.google\.com/(?:.*/d/(?P<path>[-\w]+)|.*[?&]id=(?P<query>[-\w]+))"
)


def drive_id(url: str) -> str | None:
    """Return the file id in a Google Drive link; None for any other address."""
    link = _LINK.match(url)
    return link["path"] or link["query"] if link else None


def download_from_drive(file_id: str, target: Path, *, progress: Progress = no_progress) -> Path:
    """Download a public Google Drive file to `target`, continuing what an earlier call left beside it.

    A `target` that exists is taken as complete. gdown does not know the version of what an earlier call left: if the
    file was replaced in between, parts of both are mixed, which the archive's checksums reveal.

    Raises:
        MissingExtraError: gdown is not installed.
        NotThereError: Drive does not give us the file (deleted, not public, too many downloads today).
        DataError: The connection broke; what arrived is kept.
        StorageError: The file cannot be written.
    """
    require("fetch", "downloading from Google Drive")
    import gdown

    done, advance = 0, None

    def show(now: int, total: int | None) -> None:
        nonlocal done, advance
        advance = advance or stack.enter_context(progress("downloading", total or 0, "B"))
        advance(now - done)
        done = now

    with storing(target):  # only makes the folder: an OSError of gdown is mostly one of the connection
        pass
    try:
        with ExitStack() as stack:
            gdown.download(
                id=file_id,
                output=str(target),
                quiet=True,
                resume=True,
                timeout=TIMEOUT_SECONDS,
                retries=len(WAITS_SECONDS),
                progress=show,
            )
    except Exception as error:  # gdown reads pages that Google changes at will, and may fail in any way
        refused = isinstance(error, gdown.exceptions.FileURLRetrievalError)
        raise _explained(file_id, target, error, refused) from error
    return target


def _explained(file_id: str, target: Path, error: Exception, refused: bool) -> SketchyError:
    """Tell a file that Drive does not give from a broken connection and a full disk."""
    if isinstance(error, OSError) and error.errno is not None:
        return StorageError(os_problem(error, target))
    reason = " ".join(str(error).split()) or type(error).__name__
    problem = f"cannot download https://drive.google.com/file/d/{file_id}/view: {reason}"
    if refused or getattr(error, "response", None) is not None:  # the latter: an HTTP status, in the way of requests
        return NotThereError(f"{problem}; try it in a browser")
    return DataError(
        f"{problem}; run the same command again to continue; if that does not help, delete {target.parent} first"
    )
