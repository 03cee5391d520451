"""The SQLite side of the embedded store: photos, deletions and how many vectors count.

Every row carries a checksum, because SQLite would give back a flipped bit as it is.
"""

import errno
import os
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from sketchy.retrieval.store.base import Photo, Where, nfc
from sketchy.retrieval.store.faults import Damage
from sketchy.retrieval.store.meta import Meta
from sketchy.retrieval.store.vectors import Sums

TABLES = """
CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), content TEXT, crc INTEGER);
CREATE TABLE files (
    path BLOB PRIMARY KEY, row INTEGER, size INTEGER, mtime_ns INTEGER, content BLOB, category TEXT, crc INTEGER
) WITHOUT ROWID;
CREATE INDEX files_row ON files (row);
CREATE INDEX files_content ON files (content);
CREATE TABLE chunks (number INTEGER PRIMARY KEY, version INTEGER, sums BLOB, dead BLOB, crc INTEGER);
CREATE INDEX chunks_version ON chunks (version);
"""
BUSY_SECONDS = 60
CACHE_KB = 65_536
"""Memory for pages of a database that is written: hashes go to random ones."""
ASKED = 400
"""Keys in one query."""
RENUMBERED = 1000
"""Photos that are given a new row at once."""
COLUMNS = "path, row, size, mtime_ns, content, category, crc"


class MetadataDatabase:
    """One connection to the database of an index.

    Raises:
        PermissionError: It may only be read, and a killed writer left a change that must be finished first.
    """

    def __init__(self, path: Path, *, write: bool) -> None:
        self.path = path
        self._connect(write=write)

    def _connect(self, *, write: bool) -> None:
        options = _options(self.path)
        self._stamp = _stamp(self.path) if options == "immutable=1" else None
        uri = f"file:{quote(os.fsencode(self.path.absolute()))}?{options}"
        self._db = sqlite3.connect(uri, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=True)
        self._db.create_function("nfc", 1, _nfc, deterministic=True)
        try:
            self._db.execute("PRAGMA cell_size_check = ON")
            if write:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")
                self._db.execute(f"PRAGMA cache_size = -{CACHE_KB}")
            else:
                self._db.execute("PRAGMA query_only = ON")
        except sqlite3.Error:
            self._db.close()
            raise

    @classmethod
    def create(cls, path: Path, meta: Meta) -> None:
        """Make an empty database, whole or not at all."""
        db = sqlite3.connect(path, isolation_level=None)
        try:
            db.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN; {TABLES}")
            cls._write_meta(db, meta)
            db.execute("COMMIT")
        finally:
            db.close()

    def close(self) -> None:
        """Let go; the last one to do so folds the log into the database."""
        self._db.close()

    @contextmanager
    def transaction(self, mode: str) -> Iterator[None]:
        """Do all of a block on one state of the database: DEFERRED to read, IMMEDIATE to write."""
        if self._stamp and self._stamp != _stamp(self.path):  # somebody writes it after all
            self._db.close()
            self._connect(write=False)
        self._db.execute(f"BEGIN {mode}")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def meta(self) -> Meta:
        """Read what the index says about itself."""
        text, crc = self._db.execute("SELECT content, crc FROM meta").fetchone() or ("", None)
        return Meta.decoded(text, crc, self.path.parent)

    def set_meta(self, meta: Meta) -> None:
        """Replace it."""
        self._write_meta(self._db, meta)

    @staticmethod
    def _write_meta(db: sqlite3.Connection, meta: Meta) -> None:
        db.execute("INSERT OR REPLACE INTO meta VALUES (1, ?, ?)", meta.encoded())

    def chunks(self, since: int) -> Iterator[tuple[int, Sums, NDArray[np.bool_]]]:
        """Yield number, checksums and tombstones (a multiple of 8) of the chunks changed after a version."""
        sql = "SELECT number, version, sums, dead, crc FROM chunks WHERE version > ? ORDER BY number"
        for number, version, sums, dead, crc in self._db.execute(sql, (since,)):
            if _chunk_crc(number, version, sums, dead) != crc:
                raise Damage("its checksums are not what was written")
            yield number, np.frombuffer(sums, "<u4"), np.unpackbits(np.frombuffer(dead, np.uint8)).view(np.bool_)

    def set_chunk(self, number: int, version: int, sums: Sums, dead: NDArray[np.bool_]) -> None:
        """Replace the checksums and tombstones of one chunk."""
        packed = (np.ascontiguousarray(sums, "<u4").tobytes(), np.packbits(dead).tobytes())
        self._db.execute(
            "INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?)",
            (number, version, *packed, _chunk_crc(number, version, *packed)),
        )

    def clear_chunks(self) -> None:
        """Forget all checksums and tombstones."""
        self._db.execute("DELETE FROM chunks")

    def put(self, photos: Sequence[Photo], rows: Sequence[int]) -> None:
        """Add or replace photos, with the row of each one's vector."""
        self._db.executemany(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)",
            [_encode(photo, row) for photo, row in zip(photos, rows, strict=True)],
        )

    def drop(self, paths: Sequence[str]) -> None:
        """Remove photos."""
        self._db.executemany("DELETE FROM files WHERE path = ?", [(os.fsencode(path),) for path in paths])

    def by_path(self, paths: Sequence[str]) -> dict[str, tuple[Photo, int]]:
        """Return photo and row of the paths that are there."""
        keys = [os.fsencode(path) for path in paths]
        found = self._each(f"SELECT {COLUMNS} FROM files WHERE path IN (SELECT * FROM (VALUES {{keys}}))", keys)
        return {photo.path: (photo, row) for photo, row in map(_decode, found)}

    def by_row(self, rows: Sequence[int]) -> dict[int, list[Photo]]:
        """Return the photos of rows, sorted by path; a row without any is missing."""
        files: dict[int, list[Photo]] = {}
        found = self._each(f"SELECT {COLUMNS} FROM files WHERE row IN (SELECT * FROM (VALUES {{keys}}))", rows)
        for photo, row in sorted(map(_decode, found), key=lambda item: os.fsencode(item[0].path)):
            files.setdefault(row, []).append(photo)
        return files

    def rows_of(self, contents: Sequence[str]) -> dict[str, int]:
        """Return the rows of the contents that are there."""
        first = "SELECT (SELECT path FROM files WHERE content = column1 LIMIT 1) FROM (VALUES {keys})"
        keys = [bytes.fromhex(content) for content in contents]
        found = self._each(f"SELECT {COLUMNS} FROM files WHERE path IN ({first})", keys)
        return {photo.content: row for photo, row in map(_decode, found)}

    def without_photo(self, rows: Sequence[int]) -> list[int]:
        """Return those of the rows that no photo has, ascending."""
        sql = "SELECT column1 FROM (VALUES {keys}) WHERE NOT EXISTS (SELECT 1 FROM files WHERE row = column1)"
        return sorted({row for (row,) in self._each(sql, rows)})

    def after(self, path: bytes, below: bytes, limit: int) -> list[tuple[Photo, int]]:
        """Return the next photos in the order of paths, of those that start with `below`."""
        sql = (
            f"SELECT {COLUMNS} FROM files WHERE path > ? AND path >= ? AND substr(path, 1, ?) = ? ORDER BY path LIMIT ?"
        )
        cursor = self._db.execute(sql, (path, below, len(below), below, limit))
        return [_decode(found) for found in cursor]

    def matching(self, where: Where) -> NDArray[np.int64]:
        """Return the rows that have a file which a search may find."""
        conditions: list[str] = ["1"]
        values: list[str | bytes] = []
        if where.categories:
            conditions.append(f"category IN ({', '.join('?' * len(where.spellings))})")
            values += where.spellings
        if where.glob is not None:
            conditions.append("CAST(nfc(path) AS TEXT) GLOB CAST(? AS TEXT)")
            values.append(os.fsencode(where.glob.replace("[!", "[^")))  # as SQLite writes it
        cursor = self._db.execute(f"SELECT DISTINCT row FROM files WHERE {' AND '.join(conditions)}", values)
        return np.fromiter((row for (row,) in cursor), np.int64)

    def renumber(self, numbers: NDArray[np.int64]) -> None:
        """Give every photo the row `numbers[row]`."""
        last = b""
        while batch := self.after(last, b"", RENUMBERED):
            self.put([photo for photo, _ in batch], [int(numbers[row]) for _, row in batch])
            last = os.fsencode(batch[-1][0].path)

    def used_rows(self) -> NDArray[np.int64]:
        """Return the rows that have a file, ascending."""
        return np.fromiter(
            (row for (row,) in self._db.execute("SELECT DISTINCT row FROM files ORDER BY row")), np.int64
        )

    def count(self, below: bytes) -> int:
        """Count the photos whose path starts with `below`."""
        sql = "SELECT COUNT(*) FROM files WHERE path >= ? AND substr(path, 1, ?) = ?"
        return int(self._db.execute(sql, (below, len(below), below)).fetchone()[0])

    def categories(self) -> int:
        """Count the categories."""
        return int(self._db.execute("SELECT COUNT(DISTINCT nfc(CAST(category AS BLOB))) FROM files").fetchone()[0])

    def check(self) -> list[str]:
        """Let SQLite look at its own structure; return what is wrong."""
        lines = [line for (line,) in self._db.execute("PRAGMA integrity_check(3)")]
        return [] if lines == ["ok"] else lines

    def _each(self, sql: str, keys: Sequence[bytes] | Sequence[int]) -> list[Any]:
        """Run a query for some keys at a time, in the place of `{keys}`."""
        found: list[Any] = []
        for start in range(0, len(keys), ASKED):
            part = keys[start : start + ASKED]
            found += self._db.execute(sql.format(keys=", ".join(["(?)"] * len(part))), part).fetchall()
        return found


def _options(path: Path) -> str:
    """Say how a database is opened: a reader too must write the files that WAL shares, unless it may not.

    Then it uses those of a writer that is at work. Where there are none, nobody writes, and none are needed.
    """
    if os.access(path.parent, os.W_OK):
        return "mode=rw"
    log, shared = (path.with_name(f"{path.name}-{end}") for end in ("wal", "shm"))
    if shared.exists():
        return "mode=ro"
    if log.exists() and log.stat().st_size:
        reason = f"who may write there must first finish what {log.name} holds (`sketchy info {path.parent}`)"
        raise PermissionError(errno.EACCES, reason, str(path.parent))
    return "immutable=1"


def _stamp(path: Path) -> tuple[int, int, int, bool]:
    """Return what changes when a database is written."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size, path.with_name(f"{path.name}-wal").exists()


def _nfc(text: bytes | None) -> bytes | None:
    return text if text is None or text.isascii() else os.fsencode(nfc(os.fsdecode(text)))


def _encode(photo: Photo, row: int) -> tuple[bytes, int, int, int, bytes, str | None, int]:
    values = (os.fsencode(photo.path), row, photo.size, photo.mtime_ns, bytes.fromhex(photo.content), photo.category)
    return (*values, _crc(*values))


def _decode(found: tuple[bytes, int, int, int, bytes, str | None, int]) -> tuple[Photo, int]:
    path, row, size, mtime_ns, content, category, crc = found
    if _crc(path, row, size, mtime_ns, content, category) != crc:
        raise Damage("the entry of a photo is not what was written")
    return Photo(os.fsdecode(path), size, mtime_ns, content.hex(), category), row


def _crc(path: bytes, row: int, size: int, mtime_ns: int, content: bytes, category: str | None) -> int:
    label = b"-" if category is None else b"+" + category.encode()
    return zlib.crc32(b"\0".join((path, content, label, b"%d %d %d" % (row, size, mtime_ns))))


def _chunk_crc(number: int, version: int, sums: bytes, dead: bytes) -> int:
    return zlib.crc32(b"%d %d " % (number, version) + sums + dead)
