"""The indexes in the cache, and the notes there of others, by which the index of a folder is found."""

import hashlib
import logging
import os
import shlex
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from sketchy.errors import GalleryError, StorageError
from sketchy.retrieval.scan import absolute_sources
from sketchy.retrieval.store.address import is_server
from sketchy.retrieval.store.base import Identity, Where
from sketchy.retrieval.store.embedded import EmbeddedStore
from sketchy.retrieval.store.folder import open_to_read
from sketchy.storage import cache_folder, replacing

log = logging.getLogger(__name__)


def cache_path(sources: Sequence[Path], identity: Identity, exclude: Sequence[str] = ()) -> Path:
    """Return the path of the index in the cache for some folders, a model and globs to exclude."""
    named = [*sorted(str(source.resolve()) for source in sources), identity.model, *sorted(exclude)]
    return cache_folder(None) / "galleries" / hashlib.sha256(os.fsencode("\0".join(named))).hexdigest()[:32]


def note_index(sources: Sequence[Path], identity: Identity, address: str, exclude: Sequence[str]) -> None:
    """Note in the cache, if possible, the index of a folder, so that `open_index` finds it by the folder.

    Args:
        sources: What was indexed; only a single folder is noted.
        identity: Model of the index.
        address: Address of the index.
        exclude: Globs that were left out, to be left out of later updates too.
    """
    if not is_server(address) and len(sources) == 1 and sources[0].is_dir():
        with suppress(StorageError), replacing(cache_path(sources, identity).with_suffix(".note")) as temporary:
            noted = [os.path.abspath(address), *exclude]  # noqa: PTH100 - keeps links
            temporary.write_bytes(os.fsencode("\0".join(noted)))


def noted_index(
    folder: Path, identity: Identity, exclude: Sequence[str]
) -> tuple[EmbeddedStore, tuple[str, ...]] | None:
    """Open the noted index of a folder if it fits the model and has only photos of that folder.

    Args:
        folder: Folder of photos.
        identity: Model of the index.
        exclude: The globs that the index must leave out; empty accepts those of any index.

    Returns:
        The index, and the globs that it leaves out.
    """
    with suppress(OSError, GalleryError, StorageError), ExitStack() as stack:
        noted = cache_path([folder], identity).with_suffix(".note").read_bytes()
        address, *left_out = os.fsdecode(noted).split("\0")
        if exclude and set(exclude) != set(left_out):
            return None
        store = open_to_read(Path(address), identity)
        stack.callback(store.close)
        (source,) = absolute_sources([folder])
        if store.count(Where(folders=(str(source),))) == store.count():
            stack.pop_all()
            return store, tuple(left_out)
    return None


def log_noted(store: EmbeddedStore, exclude: Sequence[str], folder: Path, *, outdated: bool) -> None:
    """Report that the noted index of a folder is used, and how to bring it up to date if it may be outdated."""
    without = f", without {', '.join(map(repr, exclude))}" if exclude else ""
    globs = "".join(f" --exclude {shlex.quote(glob)}" for glob in exclude)
    remedy = f"; `sketchy index {folder} --out {store.folder}{globs}` brings it up to date" if outdated else ""
    log.info(f"using the index {store.folder} of {folder}, updated {store.meta().updated}{without}{remedy}")
