"""One way to open a store, wherever it lies: an index folder, or milvus://host:port/collection."""

from pathlib import Path

from sketchy.retrieval.store.base import Identity, WritableStore
from sketchy.retrieval.store.folder import is_index, open_to_read, open_to_write
from sketchy.retrieval.store.milvus import SCHEME, open_milvus, parse_address


def is_server(address: str) -> bool:
    """Whether an address is one of a server, where many may write at once."""
    return address.startswith(SCHEME)


def is_store(address: str) -> bool:
    """Whether an address can only mean a store; a server's is taken at its word."""
    return is_server(address) or is_index(Path(address))


def open_reader(address: str, identity: Identity) -> WritableStore:
    """Open a store to be searched, which an index folder then only is for; see `open_to_read` and `open_milvus`."""
    if is_server(address):
        return open_milvus(parse_address(address), identity)
    return open_to_read(Path(address), identity)


def open_writer(address: str, identity: Identity, *, force: bool = False) -> WritableStore:
    """Open a store to be changed, or make it; see `open_to_write` and `open_milvus`."""
    if is_server(address):
        return open_milvus(parse_address(address), identity, write=True, force=force)
    return open_to_write(Path(address), identity, force=force)
