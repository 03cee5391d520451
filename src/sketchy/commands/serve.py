"""`sketchy serve`: the web page for drawing and searching."""

import logging
import socket
import threading
import webbrowser
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from sketchy.extras import require
from sketchy.progress import Progress, no_progress
from sketchy.retrieval.index import Index
from sketchy.retrieval.model import load_model
from sketchy.retrieval.open import open_index
from sketchy.retrieval.scan import DEFAULT_SCAN, Scan
from sketchy.retrieval.store.address import is_store
from sketchy.text import amount

if TYPE_CHECKING:
    from fastapi import FastAPI

    from sketchy.retrieval.follow import Follower
    from sketchy.web.api import Launch

log = logging.getLogger(__name__)


def run(  # noqa: PLR0913 - one per option, by keyword
    checkpoint: Path,
    ready: Callable[[str, str | None], object],
    *,
    gallery: str | None = None,
    scan: Scan = DEFAULT_SCAN,
    host: str = "127.0.0.1",
    port: int = 8000,
    browser: bool = False,
    launch: "Launch | None" = None,
    device: str = "auto",
    progress: Progress = no_progress,
) -> None:
    """Serve the page until Ctrl-C, which raises KeyboardInterrupt after the server has shut down cleanly.

    Args:
        ready: Called with the link to the page when it is up, and that for other machines if they can connect.
        gallery: Gallery to search, see `open_index`; a folder is indexed meanwhile, and again when it changes.
        host: Address to listen on; other machines can connect, with a token, unless it is a loopback address.
        port: Port to listen on; 0 takes a free one.
        browser: Whether to open the page in a browser.
        launch: Opens a photo, or its folder, on this machine, for a page on it.

    Raises:
        MissingExtraError, ServeError: A package is not installed, or the port is already in use.
        CheckpointError, DataError, GalleryError, StorageError: The model or the gallery cannot be used.
    """
    require("serve", "the page")
    from sketchy.retrieval.follow import Follower
    from sketchy.web.server import Server, open_socket

    with open_socket(host, port) as opened:
        token, here, elsewhere = _links(opened)
        announce = partial(_announce, ready, here, elsewhere, browser)
        with open_index(load_model(checkpoint, device), gallery, scan=scan, update=False, progress=progress) as index:
            follower = Follower(index, progress) if index.sources else None
            verb = "following" if follower else "searching"
            log.info(f"{verb} {index.name}: {amount(len(index), 'photo')}; Ctrl-C stops")
            with follower or nullcontext():
                Server(_app(index, follower, gallery, token, launch), opened, announce).run()


def _links(opened: socket.socket) -> tuple[str | None, str, str | None]:
    """Return the token that requests need, the link to the page, and that for other machines if they can connect."""
    from sketchy.web.server import address_of, is_loopback
    from sketchy.web.token import link, new_token

    if is_loopback(opened):
        return None, address_of(opened), None
    token = new_token()
    return token, link(address_of(opened), token), link(address_of(opened, elsewhere=True), token)


def _announce(ready: Callable[[str, str | None], object], here: str, elsewhere: str | None, browser: bool) -> None:
    ready(here, elsewhere)
    if browser:
        threading.Thread(target=webbrowser.open, args=(here,), daemon=True).start()


def _app(
    index: Index,
    follower: "Follower | None",
    gallery: str | None,
    token: str | None,
    launch: "Launch | None",
) -> "FastAPI":
    """Create the application, and run some searches first, since the first one is slow."""
    from sketchy.web.app import create_app

    root = None if gallery is None or is_store(gallery) else Path(gallery)  # the folder of all photos, if known
    app = create_app(index, follower=follower, root=root, token=token, launch=launch)
    index.model.engine.share_cores()
    drawing = Image.new("L", (256, 256), 255)
    ImageDraw.Draw(drawing).line((40, 40, 200, 180), fill=0, width=4)
    for _ in range(3):
        index.search(drawing, k=1)
    return app
