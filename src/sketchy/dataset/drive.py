"""Getting a public file from Google Drive. It puts pages and cookies before a large one; gdown knows the way."""

import re
from contextlib import ExitStack
from pathlib import Path

from sketchy.dataset.download import TIMEOUT_SECONDS, WAITS_SECONDS, NotThereError, storing
from sketchy.errors import DataError, SketchyError, StorageError
from sketchy.storage import os_problem
from sketchy.talk import SILENT, Advance, Talk

_LINK = re.compile(
    r"https?://(?:drive|docs|drive\.usercontent)\.google\.com/(?:.*/d/(?P<path>[-\w]+)|.*[?&]id=(?P<query>[-\w]+))"
)


def drive_id(url: str) -> str | None:
    """Find the file id in a Google Drive link; None for any other address."""
    link = _LINK.match(url)
    return link["path"] or link["query"] if link else None


def download_from_drive(file_id: str, target: Path, *, talk: Talk = SILENT) -> Path:
    """Get a public Google Drive file into `target`, going on from what an earlier call left beside it.

    A `target` that is there already is taken as finished. gdown does not know the version of what an earlier call
    left: were the file replaced in between, its parts would be mixed, which the archive's checksums tell.

    Raises:
        SketchyError: gdown is not installed.
        NotThereError: Drive does not hand the file out (deleted, not public, too many downloads today).
        DataError: the connection broke; what arrived is kept.
        StorageError: nothing can be written there.
    """
    try:
        import gdown
    except ImportError:
        raise SketchyError(
            "no gdown, which gets files from Google Drive; run pip install 'sketchy[fetch]' and the same command again"
        ) from None
    with storing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with ExitStack() as stack:
            gdown.download(
                id=file_id,
                output=str(target),
                quiet=True,
                resume=True,
                timeout=TIMEOUT_SECONDS,
                retries=len(WAITS_SECONDS),
                progress=_Progress(talk, stack),
            )
    except Exception as error:  # gdown reads pages that Google changes at will, so that it may fail in any way
        refused = isinstance(error, gdown.exceptions.FileURLRetrievalError)
        raise _judge(file_id, target, error, refused) from error
    return target


class _Progress:
    """What gdown calls with the bytes so far and in all; opens the bar when it knows the size."""

    def __init__(self, talk: Talk, stack: ExitStack) -> None:
        self._talk = talk
        self._stack = stack
        self._advance: Advance | None = None
        self._seen = 0

    def __call__(self, done: int, total: int | None) -> None:
        if self._advance is None:
            self._advance = self._stack.enter_context(self._talk.bar("downloading", total or 0, "B"))
        self._advance(done - self._seen)
        self._seen = done


def _judge(file_id: str, target: Path, error: Exception, refused: bool) -> SketchyError:
    """Tell a file that Drive will not give from a broken connection and a full disk."""
    if isinstance(error, OSError) and error.errno is not None:
        return StorageError(os_problem(error, target))
    reason = " ".join(str(error).split()) or type(error).__name__
    problem = f"cannot download https://drive.google.com/file/d/{file_id}/view: {reason}"
    if refused or getattr(error, "response", None) is not None:  # the latter: an HTTP status, as requests puts it
        return NotThereError(f"{problem}; try it in a browser")
    again = "run the same command again to go on from what is there"
    return DataError(f"{problem}; {again}; if it stays so, delete {target.parent} first")
