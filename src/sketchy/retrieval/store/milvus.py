"""Photos on a Milvus server, for galleries that one machine cannot hold (extra `milvus`).

One entity a photo, by a stable id made of its path, so that writing it twice changes nothing and any number of
processes may write. The vector's field is named after the model, so that a collection knows which model it is of.
Reads ask for strong consistency: a photo that was written is found.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from sketchy.errors import GalleryError
from sketchy.extras import require
from sketchy.progress import Progress, no_progress
from sketchy.results import Hit
from sketchy.retrieval.nearest import exact_distances
from sketchy.retrieval.store.base import EVERYTHING, Identity, Photo, Vectors, Where, hit_of
from sketchy.retrieval.store.expressions import decode, encode, filter_of, id_of, quoted, starting_with

SCHEME = "milvus://"
FIELD = "embedding_"
"""What the vector's field is called, before the model's hash."""
TEXTS = {"id": 32, "path": 16_384, "content": 64, "category": 4096}
"""Text fields and their greatest length in bytes; a path has at most 4,096, each written as three at worst."""
PHOTO_FIELDS = ["path", "size", "mtime_ns", "content", "category"]
WRITTEN, ASKED = 1000, 256
"""Photos in one message; a message may have 64 MB, and an expression must stay short."""
MAX_HITS = 16_384
"""Hits that Milvus gives at most."""
STRONG = "Strong"


@dataclass(frozen=True)
class Address:
    """A collection on a server; `uri` is also a file's path, for Milvus Lite."""

    uri: str
    collection: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.uri.removeprefix('http://')}/{self.collection}"


def parse_address(text: str) -> Address:
    """Read milvus://host:port/collection. Raises GalleryError."""
    found = re.fullmatch(r"milvus://([^/\s]+:\d+)/([A-Za-z_]\w*)", text)
    if found is None:
        raise GalleryError(f"{text} is no address of a collection; write milvus://host:19530/my_photos")
    return Address(f"http://{found[1]}", found[2])


class MilvusStore:
    """An open collection. Make one with `open_milvus`; see `WritableStore` for the methods."""

    shared = True

    def __init__(self, client: Any, address: Address, identity: Identity) -> None:
        self.identity = identity
        self._client = client
        self._address = address
        self._vector = f"{FIELD}{identity.model}"

    def upsert(self, photos: Sequence[Photo], vectors: Vectors) -> None:
        """Add photos, or replace those of the same path; `vectors` is (len(photos), D)."""
        if vectors.shape != (len(photos), self.identity.size):
            raise ValueError(f"{len(photos)} photos with embeddings of shape {vectors.shape}")
        latest = {photo.path: (photo, vector) for photo, vector in zip(photos, vectors, strict=True)}
        rows = [self._row(photo, vector) for photo, vector in latest.values()]
        for start in range(0, len(rows), WRITTEN):
            with self._explained():
                self._client.upsert(self._address.collection, rows[start : start + WRITTEN])

    def delete(self, paths: Sequence[str]) -> None:
        """Drop photos; unknown paths are ignored."""
        for part in _parts([id_of(path) for path in paths]):
            with self._explained():
                self._client.delete(self._address.collection, ids=part)

    def get(self, paths: Sequence[str]) -> dict[str, Photo]:
        """Return those of the paths that are known."""
        rows = self._query_each("id", [id_of(path) for path in paths], PHOTO_FIELDS)
        return {photo.path: photo for photo in map(_photo, rows)}

    def copies(self, contents: Sequence[str]) -> list[Photo]:
        """Return all photos that have one of the contents, in no order."""
        return list(map(_photo, self._query_each("content", contents, PHOTO_FIELDS)))

    def embeddings(self, contents: Sequence[str]) -> dict[str, Vectors]:
        """Return the (D,) embedding of those of the contents that are known."""
        rows = self._query_each("content", contents, ["content", self._vector])
        return {row["content"]: np.array(row[self._vector], np.float32) for row in rows}

    def search(self, query: Vectors, k: int, where: Where = EVERYTHING, *, exact: bool = False) -> list[Hit]:
        """Return the k pictures nearest to a (D,) query, nearest first; fewer where there are fewer."""
        query = np.asarray(query, np.float32)
        limit = min(2 * k + 16, MAX_HITS)
        while True:
            rows = self._hits(query, limit, where)
            found = self._nearest(query, rows, k, where)
            if len(found) == k or len(rows) < limit or limit == MAX_HITS:
                break
            limit = min(4 * limit, MAX_HITS)  # copies and what only looked fitting took the places
        files: dict[str, list[Photo]] = {}
        for photo in self.copies(list(found)):
            files.setdefault(photo.content, []).append(photo)
        return [
            hit_of(distance, sorted(files[content]), where)
            for content, distance in found.items()
            if content in files  # else deleted this very moment
        ]

    def scan(self, below: str = "") -> Iterator[list[Photo]]:
        """Yield all photos, or those whose path starts with `below`, in no order."""
        with self._explained():
            pages = self._client.query_iterator(
                self._address.collection,
                WRITTEN,
                filter=starting_with(below),
                output_fields=PHOTO_FIELDS,
                consistency_level=STRONG,
            )
        try:
            while True:
                with self._explained():
                    rows = pages.next()
                if not rows:
                    return
                yield [_photo(row) for row in rows]
        finally:
            pages.close()

    def count(self, below: str = "") -> int:
        """Return how many photos there are, or whose path starts with `below`; files of one content count each."""
        return int(self._query(starting_with(below), ["count(*)"])[0]["count(*)"])

    def improve(self, queries: Vectors | None = None, progress: Progress = no_progress) -> None:
        """Do nothing: the server keeps its own index."""

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _row(self, photo: Photo, vector: Vectors) -> dict[str, Any]:
        return {
            "id": id_of(photo.path),
            "path": encode(photo.path),
            "size": photo.size,
            "mtime_ns": photo.mtime_ns,
            "content": photo.content,
            "category": encode(photo.category or ""),
            self._vector: vector,
        }

    def _hits(self, query: Vectors, limit: int, where: Where) -> list[Any]:
        with self._explained():
            found = self._client.search(
                self._address.collection,
                data=[query],
                anns_field=self._vector,
                limit=limit,
                filter=filter_of(where),
                output_fields=[*PHOTO_FIELDS, self._vector],
                consistency_level=STRONG,
            )
        return [hit["entity"] for hit in found[0]]

    def _nearest(self, query: Vectors, rows: Sequence[Any], k: int, where: Where) -> dict[str, float]:
        """Return content and exact distance of the k nearest pictures among rows, nearest first."""
        vectors = {
            row["content"]: np.array(row[self._vector], np.float32)
            for row in rows
            if where.allows((photo := _photo(row)).path, photo.category)
        }
        if not vectors:
            return {}
        stacked = np.stack(list(vectors.values()))
        distances = exact_distances(query, np.arange(len(stacked)), lambda numbers: stacked[numbers])
        contents = list(vectors)
        return {contents[index]: float(distances[index]) for index in np.argsort(distances, kind="stable")[:k]}

    def _query_each(self, field: str, values: Sequence[str], wanted: list[str]) -> list[Any]:
        """Return all entities whose field has one of the values."""
        rows: list[Any] = []
        for part in _parts(values):
            rows += self._query(f"{field} in [{', '.join(map(quoted, part))}]", wanted)
        return rows

    def _query(self, expression: str, wanted: list[str]) -> list[Any]:
        with self._explained():
            found = self._client.query(
                self._address.collection, filter=expression, output_fields=wanted, consistency_level=STRONG
            )
        return list(found)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        with explained(self._address):
            yield


def open_milvus(
    address: Address, identity: Identity | None, *, write: bool = False, force: bool = False
) -> MilvusStore:
    """Open a collection, or make one.

    Args:
        address: Address of a collection on a server, or in a file of Milvus Lite.
        identity: The model; None accepts any model, and makes no collection.
        write: Whether to make the collection if it is missing.
        force: Whether to drop the collection first.

    Raises:
        MissingExtraError: pymilvus is not installed.
        GalleryError: the collection is missing, the server cannot be reached, or the model is another.
    """
    require("milvus", str(address))
    from pymilvus import MilvusClient

    with explained(address):
        client = MilvusClient(address.uri, token=os.environ.get("SKETCHY_MILVUS_TOKEN", ""))
    try:
        with explained(address):
            if force and client.has_collection(address.collection):
                client.drop_collection(address.collection)
            if write and identity is not None and not client.has_collection(address.collection):
                _make(client, address.collection, identity)
            found = _identity_of(client, address)
        if identity is not None and (identity.model, identity.size) != (found.model, found.size):
            raise GalleryError(
                f"the collection {address} was made with another model, {found.model[:12]}; name that one with "
                "--checkpoint, or run `sketchy index PHOTOS --out ... --force` to make it anew"
            )
    except BaseException:
        client.close()
        raise
    return MilvusStore(client, address, identity or found)


@contextmanager
def explained(address: Address) -> Iterator[None]:
    """Turn what Milvus says into what a user can do."""
    from pymilvus import MilvusException

    try:
        yield
    except MilvusException as error:
        reason = " ".join(str(error.message).split())
        raise GalleryError(f"Milvus refused: {reason}; {address}; see that the server runs and is well") from error


def _make(client: Any, name: str, identity: Identity) -> None:
    from pymilvus import DataType

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    for field, length in TEXTS.items():
        schema.add_field(field, DataType.VARCHAR, is_primary=field == "id", max_length=length)
    for field in ("size", "mtime_ns"):
        schema.add_field(field, DataType.INT64)
    vector = f"{FIELD}{identity.model}"
    schema.add_field(vector, DataType.FLOAT_VECTOR, dim=identity.size)
    indexes = client.prepare_index_params()
    indexes.add_index(vector, index_type="AUTOINDEX", metric_type="L2")
    old = re.match(r"v?2\.[0-3]\.", client.get_server_version())
    indexes.add_index("content", index_type="Trie" if old else "INVERTED")  # what renames are looked up by
    client.create_collection(name, schema=schema, index_params=indexes, consistency_level=STRONG)


def _identity_of(client: Any, address: Address) -> Identity:
    if not client.has_collection(address.collection):
        raise GalleryError(f"no collection {address}; make one with `sketchy index PHOTOS --out {address}`")
    client.load_collection(address.collection)
    for field in client.describe_collection(address.collection)["fields"]:
        if field["name"].startswith(FIELD):
            return Identity(field["name"].removeprefix(FIELD), int(field["params"]["dim"]), "")
    raise GalleryError(f"the collection {address} was not made by sketchy; name another")


def _photo(row: Any) -> Photo:
    category = decode(row["category"]) or None
    return Photo(decode(row["path"]), row["size"], row["mtime_ns"], row["content"], category)


def _parts(values: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(values), ASKED):
        yield list(values[start : start + ASKED])
