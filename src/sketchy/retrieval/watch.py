"""Waiting for changes below folders of photos, by the events of the file system and by looking now and then."""

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

DEBOUNCE_MS, QUIET_MS = 2000, 500
"""Changes are reported once there was none for QUIET_MS, and at the latest after DEBOUNCE_MS."""
RESCAN_SECONDS = 60.0
"""Time after which folders are scanned without an event, as drives on the network send none."""
RETRY_SECONDS = 5.0
"""Time after which a scan that failed is tried again, and after which a missing folder is looked for."""
IDLE_SHARE = 30
"""A scan without an event comes at the earliest after this multiple of the time that a scan takes."""


def rounds(sources: Sequence[Path], ignored: Path | None, stop: threading.Event) -> Iterator[None]:
    """Yield at once, and again after each change below the sources; the caller scans them meanwhile.

    Nothing is missed: the folders are watched while the caller scans them. Changes soon after one another are one.

    Args:
        sources: Folders and files; they may be missing.
        ignored: Folder whose changes do not count, such as an index among the photos.
        stop: Ends the iteration.
    """
    while not stop.is_set():
        missing = [source for source in sources if not source.exists()]
        try:
            watched = [str(source) for source in sources if source not in missing]
            watcher = RustNotify(watched, False, False, 0, True, True)
        except (OSError, WatchfilesRustInternalError):  # such as too many folders
            yield
            stop.wait(RESCAN_SECONDS)
            continue
        with watcher:
            started = time.monotonic()
            yield
            seconds = max(RESCAN_SECONDS, IDLE_SHARE * (time.monotonic() - started))
            _await_change(watcher, missing, ignored, stop, seconds)


def _await_change(
    watcher: RustNotify, missing: Sequence[Path], ignored: Path | None, stop: threading.Event, seconds: float
) -> None:
    """Return after a change that counts, when a missing source appears, after a time, or when `stop` is set."""
    until = time.monotonic() + seconds
    while not stop.is_set() and (left := until - time.monotonic()) > 0:
        if any(source.exists() for source in missing):
            return
        wait = min(left, RETRY_SECONDS) if missing else left
        changes = watcher.watch(DEBOUNCE_MS, QUIET_MS, max(1, int(1000 * wait)), stop)
        if changes == "signal":
            raise KeyboardInterrupt
        if not isinstance(changes, str) and any(_counts(Path(path), ignored) for _, path in changes):
            return


def _counts(path: Path, ignored: Path | None) -> bool:
    """Return whether a changed path may be a photo or a folder: hidden files and the ignored folder are none."""
    return not path.name.startswith(".") and (ignored is None or not path.is_relative_to(ignored))
