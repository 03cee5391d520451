"""A filter as a condition of SQL, with functions that SQLite lacks."""

import os
from collections.abc import Callable
from typing import Any

from sketchy.retrieval.dates import local_seconds
from sketchy.retrieval.store.base import Where, base_name, nfc


def _nfc(text: bytes | None) -> bytes | None:
    return text if text is None or text.isascii() else os.fsencode(nfc(os.fsdecode(text)))


def _base_name(path: bytes) -> bytes:
    return os.fsencode(base_name(os.fsdecode(path)))


FUNCTIONS: dict[str, Callable[[Any], Any]] = {"nfc": _nfc, "base_name": _base_name, "local_seconds": local_seconds}
"""Functions of one argument for SQL."""


def _sqlite_glob(glob: str) -> bytes:
    return os.fsencode(glob.replace("[!", "[^"))


def condition_of(where: Where, taken: str) -> tuple[str, list[str | bytes | int]]:
    """Return a condition for the photos that pass a filter, and the values of its parameters.

    Args:
        where: The filter.
        taken: The column of the dates, or NULL if there is none.
    """
    conditions: list[str] = ["1"]
    values: list[str | bytes | int] = []
    if where.categories:
        conditions.append(f"category IN ({', '.join('?' * len(where.spellings))})")
        values += where.spellings
    if where.glob is not None:
        conditions.append("CAST(nfc(path) AS TEXT) GLOB CAST(? AS TEXT)")
        values.append(_sqlite_glob(where.glob))
    if where.name_glob is not None:
        conditions.append("CAST(base_name(path) AS TEXT) GLOB CAST(? AS TEXT)")
        values.append(_sqlite_glob(where.name_glob))
    if where.folders:
        conditions.append(f"({' OR '.join(['(path >= ? AND path < ?)'] * len(where.folders))})")
        for prefix in map(os.fsencode, where.prefixes):
            values += [prefix, prefix[:-1] + bytes([prefix[-1] + 1])]
    since, end = where.period
    for bound, operator in ((since, ">="), (end, "<")):
        if bound is not None:
            conditions.append(f"COALESCE({taken}, local_seconds(mtime_ns)) {operator} ?")
            values.append(bound)
    return " AND ".join(conditions), values
