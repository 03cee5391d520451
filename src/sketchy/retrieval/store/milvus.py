"""A store on a Milvus server, for galleries too large for one machine (extra `milvus`).

Each photo is an entity whose id is a hash of its path, so that writing it twice changes nothing and any number of
processes may write. The field of the vector is named after the model's fingerprint, which identifies the model of a
collection. Reads use strong consistency: a photo that was written is found.
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
from sketchy.retrieval.store.base import EVERYTHING, Identity, Photo, Vectors, Where, WritableStore, hit_of
from sketchy.retrieval.store.milvus_filter import decode, encode, filter_of, id_of, quoted, starting_with

SCHEME = "milvus://"
FIELD = "embedding_"
"""Name of the field of the vector, before the fingerprint of the model."""
TEXTS = {"id": 32, "path": 16_384, "content": 64, "category": 4096}
"""Text fields and their greatest length in bytes; a path has at most 4,096 bytes, each escaped as up to three."""
PHOTO_FIELDS = ["path", "size", "mtime_ns", "content", "category", "taken"]
NO_DATE = -(2**63)
"""The date of a photo without one."""
WRITE_BATCH, QUERY_BATCH = 1000, 256
"""Photos per request: a request may have 64 MB, and an expression must stay short."""
MAX_HITS = 16_384
"""Greatest number of hits that Milvus returns."""
STRONG = "Strong"


@dataclass(frozen=True)
class Address:
    """A collection on a server, or for Milvus Lite in a file, whose path is then the `uri`."""

    uri: str
    collection: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.uri.removeprefix('http://')}/{self.collection}"


def parse_address(text: str) -> Address:
    """Parse milvus://host:port/collection. Raises GalleryError."""
    match = re.fullmatch(r"milvus://([^/\s]+:\d+)/([A-Za-z_]\w*)", text)
    if match is None:
        raise GalleryError(f"{text} is not the address of a collection; write milvus://host:19530/my_photos")
    return Address(f"http://{match[1]}", match[2])


class MilvusStore(WritableStore):
    """An open collection, made by `open_milvus`."""

    shared = True

    def __init__(self, client: Any, address: Address, identity: Identity) -> None:
        self.identity = identity
        self._client = client
        self._address = address
        self._vector = f"{FIELD}{identity.model}"
        stored = {field["name"] for field in client.describe_collection(address.collection)["fields"]}
        self._fields = [name for name in PHOTO_FIELDS if name in stored]  # older collections lack the dates

    def upsert(self, photos: Sequence[Photo], vectors: Vectors) -> None:
        if vectors.shape != (len(photos), self.identity.size):
            raise ValueError(f"{len(photos)} photos with embeddings of shape {vectors.shape}")
        latest = {photo.path: (photo, vector) for photo, vector in zip(photos, vectors, strict=True)}
        rows = [self._row(photo, vector) for photo, vector in latest.values()]
        for start in range(0, len(rows), WRITE_BATCH):
            with translated(self._address):
                self._client.upsert(self._address.collection, rows[start : start + WRITE_BATCH])

    def delete(self, paths: Sequence[str]) -> None:
        for part in _batches([id_of(path) for path in paths]):
            with translated(self._address):
                self._client.delete(self._address.collection, ids=part)

    def get(self, paths: Sequence[str]) -> dict[str, Photo]:
        rows = self._query_each("id", [id_of(path) for path in paths], self._fields)
        return {photo.path: photo for photo in map(_photo, rows)}

    def copies(self, contents: Sequence[str]) -> list[Photo]:
        return list(map(_photo, self._query_each("content", contents, self._fields)))

    def embeddings(self, contents: Sequence[str]) -> dict[str, Vectors]:
        rows = self._query_each("content", contents, ["content", self._vector])
        return {row["content"]: np.array(row[self._vector], np.float32) for row in rows}

    def search(self, query: Vectors, k: int, where: Where = EVERYTHING, *, exact: bool = False) -> list[Hit]:
        query = np.asarray(query, np.float32)
        limit = min(2 * k + 16, MAX_HITS)
        while True:
            rows = self._hits(query, limit, where)
            nearest = self._nearest(query, rows, k, where)
            if len(nearest) == k or len(rows) < limit or limit == MAX_HITS:
                break
            limit = min(4 * limit, MAX_HITS)  # too many hits were copies, or failed the exact filter
        files: dict[str, list[Photo]] = {}
        for photo in self.copies(list(nearest)):
            files.setdefault(photo.content, []).append(photo)
        return [
            hit_of(distance, sorted(files[content]), where)
            for content, distance in nearest.items()
            if content in files  # otherwise deleted since the search
        ]

    def scan(self, below: str = "") -> Iterator[list[Photo]]:
        """Yield in batches all photos whose path starts with `below`, in no particular order."""
        with translated(self._address):
            pages = self._client.query_iterator(
                self._address.collection,
                WRITE_BATCH,
                filter=starting_with(below),
                output_fields=self._fields,
                consistency_level=STRONG,
            )
        try:
            while True:
                with translated(self._address):
                    rows = pages.next()
                if not rows:
                    return
                yield [_photo(row) for row in rows]
        finally:
            pages.close()

    def count(self, where: Where = EVERYTHING) -> int:
        """Count the photos that pass a filter, and those that only its globs and dates keep out: see `filter_of`."""
        return int(self._query(filter_of(where), ["count(*)"])[0]["count(*)"])

    def improve(self, queries: Vectors | None = None, progress: Progress = no_progress) -> None:
        """Do nothing: the server maintains its own index."""

    def close(self) -> None:
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
            **({"taken": NO_DATE if photo.taken is None else photo.taken} if "taken" in self._fields else {}),
        }

    def _hits(self, query: Vectors, limit: int, where: Where) -> list[Any]:
        with translated(self._address):
            hits = self._client.search(
                self._address.collection,
                data=[query],
                anns_field=self._vector,
                limit=limit,
                filter=filter_of(where),
                output_fields=[*self._fields, self._vector],
                consistency_level=STRONG,
            )
        return [hit["entity"] for hit in hits[0]]

    def _nearest(self, query: Vectors, rows: Sequence[Any], k: int, where: Where) -> dict[str, float]:
        """Return the exact distance by content of the k nearest pictures among entities, nearest first."""
        vectors = {row["content"]: np.array(row[self._vector], np.float32) for row in rows if where.allows(_photo(row))}
        if not vectors:
            return {}
        stacked = np.stack(list(vectors.values()))
        distances = exact_distances(query, np.arange(len(stacked)), lambda rows: stacked[rows])
        contents = list(vectors)
        return {contents[index]: float(distances[index]) for index in np.argsort(distances, kind="stable")[:k]}

    def _query_each(self, field: str, values: Sequence[str], fields: list[str]) -> list[Any]:
        """Return all entities whose `field` has one of the values."""
        rows: list[Any] = []
        for part in _batches(values):
            rows += self._query(f"{field} in [{', '.join(map(quoted, part))}]", fields)
        return rows

    def _query(self, expression: str, fields: list[str]) -> list[Any]:
        with translated(self._address):
            rows = self._client.query(
                self._address.collection, filter=expression, output_fields=fields, consistency_level=STRONG
            )
        return list(rows)


def open_milvus(
    address: Address, identity: Identity | None, *, write: bool = False, force: bool = False
) -> MilvusStore:
    """Open a collection, or create one.

    Args:
        address: Collection on a server or in a file of Milvus Lite.
        identity: Model that the collection must have been made with; None accepts any, and creates no collection.
        write: Create the collection if it does not exist.
        force: Delete the existing collection first.

    Raises:
        MissingExtraError: pymilvus is not installed.
        GalleryError: The collection does not exist or is of another model, or the server cannot be reached.
    """
    require("milvus", str(address))
    from pymilvus import MilvusClient

    with translated(address):
        client = MilvusClient(address.uri, token=os.environ.get("SKETCHY_MILVUS_TOKEN", ""))
    try:
        with translated(address):
            if force and client.has_collection(address.collection):
                client.drop_collection(address.collection)
            if write and identity is not None and not client.has_collection(address.collection):
                _create(client, address.collection, identity)
            stored = _identity_of(client, address)
        if identity is not None and (identity.model, identity.size) != (stored.model, stored.size):
            raise GalleryError(
                f"the collection {address} was made with another model, {stored.model[:12]}; name that one with "
                "--checkpoint, or run `sketchy index PHOTOS --out ... --force` to rebuild it"
            )
    except BaseException:
        client.close()
        raise
    return MilvusStore(client, address, identity or stored)


@contextmanager
def translated(address: Address) -> Iterator[None]:
    """Translate errors of Milvus into errors for the user."""
    from pymilvus import MilvusException

    try:
        yield
    except MilvusException as error:
        reason = " ".join(str(error.message).split())
        raise GalleryError(f"Milvus failed: {reason}; {address}; check that the server is running") from error


def _create(client: Any, name: str, identity: Identity) -> None:
    from pymilvus import DataType

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    for field, length in TEXTS.items():
        schema.add_field(field, DataType.VARCHAR, is_primary=field == "id", max_length=length)
    for field in ("size", "mtime_ns", "taken"):
        schema.add_field(field, DataType.INT64)
    vector = f"{FIELD}{identity.model}"
    schema.add_field(vector, DataType.FLOAT_VECTOR, dim=identity.size)
    indexes = client.prepare_index_params()
    indexes.add_index(vector, index_type="AUTOINDEX", metric_type="L2")
    old = re.match(r"v?2\.[0-3]\.", client.get_server_version())
    indexes.add_index("content", index_type="Trie" if old else "INVERTED")  # finds renamed photos
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
    taken = row.get("taken", NO_DATE)
    return Photo(
        decode(row["path"]),
        row["size"],
        row["mtime_ns"],
        row["content"],
        category,
        None if taken == NO_DATE else taken,
    )


def _batches(values: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(values), QUERY_BATCH):
        yield list(values[start : start + QUERY_BATCH])
