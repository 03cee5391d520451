"""The metadata database of an index folder, in SQLite: photos, deletion marks, checksums of the vectors.

Every row has a checksum, because SQLite does not detect flipped bits.
"""

import errno
import os
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from sketchy.retrieval.store.base import Photo, Where
from sketchy.retrieval.store.faults import Damage
from sketchy.retrieval.store.meta import FORMAT, Meta
from sketchy.retrieval.store.metadata_filter import FUNCTIONS, condition_of
from sketchy.retrieval.store.vectors import Sums

TABLES = """
CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), content TEXT, crc INTEGER);
CREATE TABLE files (
    path BLOB PRIMARY KEY, row INTEGER, size INTEGER, mtime_ns INTEGER, content BLOB, category TEXT, crc INTEGER,
    taken INTEGER
) WITHOUT ROWID;
CREATE INDEX files_row ON files (row);
CREATE INDEX files_content ON files (content);
CREATE TABLE chunks (number INTEGER PRIMARY KEY, version INTEGER, sums BLOB, dead BLOB, crc INTEGER);
CREATE INDEX chunks_version ON chunks (version);
"""
HAS_DATES = "SELECT 1 FROM pragma_table_info('files') WHERE name = 'taken'"
SET_META = "INSERT OR REPLACE INTO meta VALUES (1, ?, ?)"
BUSY_SECONDS = 60
CACHE_KB = 65_536
"""Page cache of a writer: content hashes are spread over all pages of their SQL index."""
KEYS_PER_QUERY = 400
RENUMBER_BATCH = 1000
COLUMNS = "path, row, size, mtime_ns, content, category, {taken}, crc"


class MetadataDatabase:
    """One connection to the database of an index.

    Raises:
        PermissionError: The database is read-only, and a killed writer left a log that must be applied first.
    """

    def __init__(self, path: Path, *, write: bool) -> None:
        self.path = path
        self._taken, self._columns = "NULL", COLUMNS.format(taken="NULL")
        self._connect(write=write)
        if write:
            try:
                self._upgrade()
            except BaseException:
                self._db.close()
                raise

    def _upgrade(self) -> None:
        """Turn a database of format 1 into one of format 2, whose photos have a date."""
        with self.transaction("IMMEDIATE"):
            if self._taken == "NULL":
                self._db.execute("ALTER TABLE files ADD COLUMN taken INTEGER")
                self.set_meta(replace(self.meta(), format=FORMAT))
                self._find_columns()

    def _find_columns(self) -> None:
        """Notice that the photos have dates, which they lack in format 1 until a writer upgrades the database."""
        if self._taken == "NULL" and self._db.execute(HAS_DATES).fetchone():
            self._taken, self._columns = "taken", COLUMNS.format(taken="taken")

    def _connect(self, *, write: bool) -> None:
        options = _options(self.path)
        self._stamp = _stamp(self.path) if options == "immutable=1" else None
        uri = f"file:{quote(os.fsencode(self.path.absolute()))}?{options}"
        self._db = sqlite3.connect(uri, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=True)
        for name, function in FUNCTIONS.items():
            self._db.create_function(name, 1, function, deterministic=True)
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

    @staticmethod
    def create(path: Path, meta: Meta) -> None:
        """Create an empty database atomically."""
        db = sqlite3.connect(path, isolation_level=None)
        try:
            db.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN; {TABLES}")
            db.execute(SET_META, meta.encoded())
            db.execute("COMMIT")
        finally:
            db.close()

    def close(self) -> None:
        """Close the connection; the last one to close merges the log into the database."""
        self._db.close()

    @contextmanager
    def transaction(self, mode: str) -> Iterator[None]:
        """Run a block in one transaction, with mode DEFERRED for reading and IMMEDIATE for writing."""
        if self._stamp and self._stamp != _stamp(self.path):  # another process does write it
            self._db.close()
            self._connect(write=False)
        self._db.execute(f"BEGIN {mode}")
        try:
            self._find_columns()
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def meta(self) -> Meta:
        """Read the metadata of the index."""
        text, crc = self._db.execute("SELECT content, crc FROM meta").fetchone() or ("", None)
        return Meta.decoded(text, crc, self.path.parent)

    def set_meta(self, meta: Meta) -> None:
        """Replace the metadata of the index."""
        self._db.execute(SET_META, meta.encoded())

    def chunks(self, since: int) -> Iterator[tuple[int, Sums, NDArray[np.bool_]]]:
        """Yield index, checksums and deletion marks (a multiple of 8) of the chunks changed after a version."""
        sql = "SELECT number, version, sums, dead, crc FROM chunks WHERE version > ? ORDER BY number"
        for index, version, sums, dead, crc in self._db.execute(sql, (since,)):
            if _chunk_crc(index, version, sums, dead) != crc:
                raise Damage("its checksums are damaged themselves")
            yield index, np.frombuffer(sums, "<u4"), np.unpackbits(np.frombuffer(dead, np.uint8)).view(np.bool_)

    def set_chunk(self, index: int, version: int, sums: Sums, dead: NDArray[np.bool_]) -> None:
        """Replace the checksums and deletion marks of one chunk."""
        packed = (np.ascontiguousarray(sums, "<u4").tobytes(), np.packbits(dead).tobytes())
        self._db.execute(
            "INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?)",
            (index, version, *packed, _chunk_crc(index, version, *packed)),
        )

    def clear_chunks(self) -> None:
        """Delete all checksums and deletion marks."""
        self._db.execute("DELETE FROM chunks")

    def put(self, photos: Sequence[Photo], rows: Sequence[int]) -> None:
        """Add or replace photos, each with the row of its vector."""
        self._db.executemany(
            f"INSERT OR REPLACE INTO files ({self._columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [_encode(photo, row) for photo, row in zip(photos, rows, strict=True)],
        )

    def drop(self, paths: Sequence[str]) -> None:
        """Delete photos by path."""
        self._db.executemany("DELETE FROM files WHERE path = ?", [(os.fsencode(path),) for path in paths])

    def by_path(self, paths: Sequence[str]) -> dict[str, tuple[Photo, int]]:
        """Return photo and row by path, for those paths that are in the index."""
        keys = [os.fsencode(path) for path in paths]
        entries = self._each(f"SELECT {self._columns} FROM files WHERE path IN (SELECT * FROM (VALUES {{keys}}))", keys)
        return {photo.path: (photo, row) for photo, row in map(_decode, entries)}

    def by_row(self, rows: Sequence[int]) -> dict[int, list[Photo]]:
        """Return the photos of each row, sorted by path; rows without a photo are omitted."""
        files: dict[int, list[Photo]] = {}
        entries = self._each(f"SELECT {self._columns} FROM files WHERE row IN (SELECT * FROM (VALUES {{keys}}))", rows)
        for photo, row in sorted(map(_decode, entries), key=lambda item: os.fsencode(item[0].path)):
            files.setdefault(row, []).append(photo)
        return files

    def rows_of(self, contents: Sequence[str]) -> dict[str, int]:
        """Return the row by content, for those contents that are in the index."""
        first_path = "SELECT (SELECT path FROM files WHERE content = column1 LIMIT 1) FROM (VALUES {keys})"
        keys = [bytes.fromhex(content) for content in contents]
        entries = self._each(f"SELECT {self._columns} FROM files WHERE path IN ({first_path})", keys)
        return {photo.content: row for photo, row in map(_decode, entries)}

    def without_photo(self, rows: Sequence[int]) -> list[int]:
        """Return those of the rows that no photo refers to, ascending."""
        sql = "SELECT column1 FROM (VALUES {keys}) WHERE NOT EXISTS (SELECT 1 FROM files WHERE row = column1)"
        return sorted({row for (row,) in self._each(sql, rows)})

    def after(self, path: bytes, below: bytes, limit: int) -> list[tuple[Photo, int]]:
        """Return the next photos and rows after a path, in the order of paths, whose path starts with `below`."""
        after = "path > ? AND path >= ? AND substr(path, 1, ?) = ?"
        sql = f"SELECT {self._columns} FROM files WHERE {after} ORDER BY path LIMIT ?"
        cursor = self._db.execute(sql, (path, below, len(below), below, limit))
        return [_decode(entry) for entry in cursor]

    def matching(self, where: Where) -> NDArray[np.int64]:
        """Return the rows of which some photo passes a filter."""
        condition, values = condition_of(where, self._taken)
        cursor = self._db.execute(f"SELECT DISTINCT row FROM files WHERE {condition}", values)
        return np.fromiter((row for (row,) in cursor), np.int64)

    def renumber(self, new_rows: NDArray[np.int64]) -> None:
        """Change the row of every photo to `new_rows[row]`."""
        last = b""
        while batch := self.after(last, b"", RENUMBER_BATCH):
            self.put([photo for photo, _ in batch], [int(new_rows[row]) for _, row in batch])
            last = os.fsencode(batch[-1][0].path)

    def used_rows(self) -> NDArray[np.int64]:
        """Return the rows that photos refer to, ascending."""
        cursor = self._db.execute("SELECT DISTINCT row FROM files ORDER BY row")
        return np.fromiter((row for (row,) in cursor), np.int64)

    def count(self, where: Where) -> int:
        """Count the photos that pass a filter."""
        condition, values = condition_of(where, self._taken)
        return int(self._db.execute(f"SELECT COUNT(*) FROM files WHERE {condition}", values).fetchone()[0])

    def categories(self) -> int:
        """Count the categories."""
        return int(self._db.execute("SELECT COUNT(DISTINCT nfc(CAST(category AS BLOB))) FROM files").fetchone()[0])

    def check(self) -> list[str]:
        """Run SQLite's integrity check; return the problems."""
        lines = [line for (line,) in self._db.execute("PRAGMA integrity_check(3)")]
        return [] if lines == ["ok"] else lines

    def _each(self, sql: str, keys: Sequence[bytes] | Sequence[int]) -> list[Any]:
        """Run a query for all keys, a batch at a time in place of `{keys}`; return all entries."""
        entries: list[Any] = []
        for start in range(0, len(keys), KEYS_PER_QUERY):
            part = keys[start : start + KEYS_PER_QUERY]
            entries += self._db.execute(sql.format(keys=", ".join(["(?)"] * len(part))), part).fetchall()
        return entries


def _options(path: Path) -> str:
    """Return the options of the URI to open a database with.

    In WAL mode readers write the shared files too. Without permission for that, a reader uses the shared files of an
    active writer; if there are none, no process writes the database, and it can be opened as immutable.
    """
    if os.access(path.parent, os.W_OK):
        return "mode=rw"
    log, shared = (path.with_name(f"{path.name}-{end}") for end in ("wal", "shm"))
    if shared.exists():
        return "mode=ro"
    if log.exists() and log.stat().st_size:
        reason = f"a user who may write there must first apply {log.name} with `sketchy info {path.parent}`"
        raise PermissionError(errno.EACCES, reason, str(path.parent))
    return "immutable=1"


def _stamp(path: Path) -> tuple[int, int, int, bool]:
    """Return attributes of the file that change when the database is written."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size, path.with_name(f"{path.name}-wal").exists()


def _encode(photo: Photo, row: int) -> tuple[bytes, int, int, int, bytes, str | None, int | None, int]:
    path, content = os.fsencode(photo.path), bytes.fromhex(photo.content)
    values = (path, row, photo.size, photo.mtime_ns, content, photo.category, photo.taken)
    return (*values, _crc(*values))


def _decode(entry: tuple[bytes, int, int, int, bytes, str | None, int | None, int]) -> tuple[Photo, int]:
    path, row, size, mtime_ns, content, category, taken, crc = entry
    if _crc(path, row, size, mtime_ns, content, category, taken) != crc:
        raise Damage("the entry of a photo does not match its checksum")
    return Photo(os.fsdecode(path), size, mtime_ns, content.hex(), category, taken), row


def _crc(
    path: bytes, row: int, size: int, mtime_ns: int, content: bytes, category: str | None, taken: int | None
) -> int:
    label = b"-" if category is None else b"+" + category.encode()
    numbers = (row, size, mtime_ns) if taken is None else (row, size, mtime_ns, taken)  # the first as in format 1
    return zlib.crc32(b"\0".join((path, content, label, b" ".join(b"%d" % number for number in numbers))))


def _chunk_crc(index: int, version: int, sums: bytes, dead: bytes) -> int:
    return zlib.crc32(b"%d %d " % (index, version) + sums + dead)
