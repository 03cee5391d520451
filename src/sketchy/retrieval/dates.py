"""When photos were taken: the date in their EXIF data, and days that a person writes.

A time is kept as its clock showed it, in seconds since 1970 without a time zone: EXIF data have none.
"""

import calendar
import re
import struct
import time
from contextlib import suppress
from datetime import date, datetime, timedelta

DAY = 24 * 3600
"""Seconds of a day."""

_MARKS = (b"II*\0", b"MM\0*")
_MAX_STARTS = 8
"""Greatest number of places where EXIF data may begin that are tried, for each byte order."""
_EXIF_IFD, _DATE_TIME_ORIGINAL = 0x8769, 0x9003
_EPOCH = datetime(1970, 1, 1)


def date_taken(content: bytes) -> int | None:
    """Return EXIF's DateTimeOriginal of an image file, in seconds since 1970 of its clock; None if it has none.

    The container is not parsed: EXIF data are a TIFF in all of them, which is found by its first bytes.
    """
    for mark in _MARKS:
        start = content.find(mark)
        for _ in range(_MAX_STARTS):
            if start < 0:
                break
            with suppress(struct.error, ValueError):
                if (found := _date_in(content, start, "<" if mark == _MARKS[0] else ">")) is not None:
                    return found
            start = content.find(mark, start + 1)
    return None


def _date_in(content: bytes, start: int, order: str) -> int | None:
    """Return the date in the TIFF at `start`. Raises struct.error, ValueError."""
    (first,) = struct.unpack_from(f"{order}I", content, start + 4)
    entries = _entries(content, start, first, order)
    if _EXIF_IFD in entries:
        entries |= _entries(content, start, entries[_EXIF_IFD], order)
    if _DATE_TIME_ORIGINAL not in entries:
        return None
    text = content[start + entries[_DATE_TIME_ORIGINAL] :][:19].decode("ascii")
    moment = datetime.fromisoformat(text[:10].replace(":", "-") + text[10:])
    return (moment - _EPOCH) // timedelta(seconds=1)


def _entries(content: bytes, start: int, offset: int, order: str) -> dict[int, int]:
    """Return the values, or where they are, by tag."""
    (count,) = struct.unpack_from(f"{order}H", content, start + offset)
    at = start + offset + 2
    fields = struct.iter_unpack(f"{order}HHII", content[at : at + 12 * min(count, 1000)])
    return {tag: value for tag, _, _, value in fields}


def first_second(day: date) -> int:
    """Return when a day begins, in seconds since 1970."""
    return (day.toordinal() - _EPOCH.toordinal()) * DAY


def local_seconds(mtime_ns: int) -> int | None:
    """Return what the local clock showed at a time of a file, in seconds since 1970; None if the time is unknown, 0."""
    if mtime_ns:
        with suppress(OverflowError, OSError, ValueError):
            return calendar.timegm(time.localtime(mtime_ns // 10**9))
    return None


def iso(seconds: int) -> str:
    """Return the date and time in ISO format."""
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()


def first_day(text: str) -> date:
    """Return the first day of YYYY, YYYY-MM or YYYY-MM-DD. Raises ValueError."""
    match = re.fullmatch(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?", text.strip())
    if match is not None:
        with suppress(ValueError):
            return date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
    raise ValueError(f"{text!r} is no date; write 2023, 2023-07 or 2023-07-14")


def last_day(text: str) -> date:
    """Return the last day of YYYY, YYYY-MM or YYYY-MM-DD. Raises ValueError."""
    first = first_day(text)
    parts = text.count("-")
    if parts == 2:
        return first
    month = 12 if parts == 0 else first.month
    return first.replace(month=month, day=calendar.monthrange(first.year, month)[1])
