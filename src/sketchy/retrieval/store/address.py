"""Opening a store by its address: an index folder, or milvus://host:port/collection."""

from pathlib import Path

from sketchy.retrieval.store.base import Identity, WritableStore
from sketchy.retrieval.store.folder import is_index, open_to_read, open_to_write
from sketchy.retrieval.store.milvus import SCHEME, open_milvus, parse_address


def is_server(address: str) -> bool:
    """Return whether an address names a server, which many processes may write to at once."""
    return address.startswith(SCHEME)


def is_store(address: str) -> bool:
    """Return whether an address names a store; the address of a server is not checked."""
    return is_server(address) or is_index(Path(address))


def open_reader(address: str, identity: Identity) -> WritableStore:
    """Open a store for searching, an index folder read-only; see `open_to_read` and `open_milvus`."""
    if is_server(address):
        return open_milvus(parse_address(address), identity)
    return open_to_read(Path(address), identity)


def open_writer(address: str, identity: Identity, *, force: bool = False) -> WritableStore:
    """Open a store for writing, and create it if it does not exist; see `open_to_write` and `open_milvus`."""
    if is_server(address):
        return open_milvus(parse_address(address), identity, write=True, force=force)
    return open_to_write(Path(address), identity, force=force)
