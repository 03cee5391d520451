"""Reporting the files of a folder that are not searched: those that cannot be read, and those left out on purpose."""

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from sketchy.errors import StorageError
from sketchy.results import Skipped, left_out_text
from sketchy.retrieval.index import Index
from sketchy.retrieval.scan import raw_remedy
from sketchy.storage import replacing

log = logging.getLogger(__name__)

SHOWN = 5
"""Files that are named, unless all are asked for."""


def log_unused(skipped: Sequence[Skipped], left_out: Mapping[str, int], *, every: bool = False) -> None:
    """Report files that could not be used, the first few or `every` one, and how many others were left out."""
    shown = len(skipped) if every else SHOWN
    for item in skipped[:shown]:
        log.info(f"skipping {item.path}: {item.reason}")
    if len(skipped) > shown:
        log.info(f"skipped {len(skipped):,} files in all; -v lists them")
    if left_out:
        log.info(left_out_text(left_out) + "; -v lists them" * (not every))
        log_raw_remedy(left_out)


def log_raw_remedy(left_out: Mapping[str, int]) -> None:
    """Say how the raw files of cameras are read, if some were left out."""
    if remedy := raw_remedy(left_out):
        log.info(remedy)


def log_new_unused(index: Index) -> None:
    """Report the files that an index in the cache does not use since its last search, and count the others."""
    new_skipped, new_left_out = _new(Path(str(index.address)), index.skipped, index.left_out)
    log_unused(new_skipped, new_left_out)
    skipped = len(index.skipped) - len(new_skipped)
    left_out = 0 if new_left_out else sum(index.left_out.values())
    counts = [f"{count:,} {what}" for what, count in (("skipped", skipped), ("left out", left_out)) if count]
    if counts:
        log.info(f"files not searched, as before: {', '.join(counts)}; -v lists them")


def _new(
    index: Path, skipped: Sequence[Skipped], left_out: Mapping[str, int]
) -> tuple[Sequence[Skipped], Mapping[str, int]]:
    """Return what was not noted beside an index, and note, if possible, what is not used now.

    Returns:
        The files that are newly skipped; and `left_out` if it has changed, else nothing.
    """
    note = index.with_suffix(".unused")
    counts = {f"{count} {reason}" for reason, count in left_out.items()}
    now = counts | {f"{item.path}: {item.reason}" for item in skipped}
    known: set[str] = set()
    with suppress(OSError):
        known.update(os.fsdecode(note.read_bytes()).split("\0"))
    if now != known:
        with suppress(StorageError), replacing(note) as temporary:
            temporary.write_bytes(os.fsencode("\0".join(sorted(now))))
    new = [item for item in skipped if f"{item.path}: {item.reason}" not in known]
    return new, {} if counts <= known else left_out
