"""`sketchy serve`: the page on which one draws and sees photos."""

import socket
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sketchy.extras import require
from sketchy.model.checkpoint import Checkpoint, load_checkpoint
from sketchy.results import left_out_text
from sketchy.retrieval.embed import Embedder
from sketchy.retrieval.gallery import Gallery
from sketchy.retrieval.opening import identity_of, open_gallery
from sketchy.retrieval.store.address import is_store
from sketchy.retrieval.walk import USUAL, Scan
from sketchy.runtime import pick_device, share_cores
from sketchy.talk import SILENT, Talk

if TYPE_CHECKING:
    from fastapi import FastAPI


def run(  # noqa: PLR0913 - one an option, by keyword
    checkpoint: Path,
    ready: Callable[[str], object],
    *,
    gallery: str | None = None,
    scan: Scan = USUAL,
    host: str = "127.0.0.1",
    port: int = 8000,
    browser: bool = False,
    device: str = "auto",
    talk: Talk = SILENT,
) -> None:
    """Serve the page until Ctrl-C.

    Args:
        checkpoint: a .pth file.
        ready: called with the address when requests are answered.
        gallery: as `open_gallery`; a folder without an index is indexed first.
        scan: how a folder is looked through.
        host: to listen on; only loopback addresses keep others out.
        port: 0 takes a free one.
        browser: open the page in it.

    Raises:
        MissingExtraError: a package is not installed.
        ServeError: the port is taken.
        CheckpointError, DataError, GalleryError, StorageError: what is missing or unusable.
        KeyboardInterrupt: it was stopped, and has ended cleanly.
    """
    require("serve", "the page")
    from sketchy.web.server import Server, address_of, open_socket

    with open_socket(host, port) as opened:
        loaded = load_checkpoint(checkpoint)
        embedder = Embedder.of(loaded, pick_device(device), fold=True)
        photos = open_gallery(gallery, loaded, identity_of(loaded, checkpoint), embedder, scan=scan, talk=talk)
        try:
            app = _app(loaded, embedder, photos, gallery, opened)
            left_out = f"; {left_out_text(photos.left_out)}" if photos.left_out else ""
            talk.say(f"searching {photos.name}: {photos.count():,} photos{left_out}; Ctrl-C stops")
            address = address_of(opened)

            def started() -> None:
                ready(address)
                if browser:
                    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

            Server(app, opened, started).run()
        finally:
            photos.close()


def _app(
    checkpoint: Checkpoint, embedder: Embedder, photos: Gallery, named: str | None, opened: socket.socket
) -> "FastAPI":
    """Make the application, and answer a query, so that the first person's is not the slow one."""
    from sketchy.web.app import create_app
    from sketchy.web.searcher import Searcher
    from sketchy.web.server import is_loopback

    searcher = Searcher(embedder, photos, checkpoint.calibration, _about(checkpoint))
    app = create_app(searcher, root=_root(named), loopback=is_loopback(opened))
    share_cores()
    searcher.warm_up()
    return app


def _root(gallery: str | None) -> Path | None:
    """Return the folder that the photos lie in, where it is known."""
    return None if gallery is None or is_store(gallery) else Path(gallery)


def _about(checkpoint: Checkpoint) -> dict[str, str | int]:
    config = checkpoint.config
    return {
        "backbone": config.model.backbone,
        "image_size": config.image.size,
        "embedding_size": config.model.embedding_size,
    }
