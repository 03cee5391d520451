"""From an image that a client sends to the photos that it finds."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageDraw

from sketchy.errors import ImageError
from sketchy.image import Kind, image_size
from sketchy.model.calibration import Calibration
from sketchy.results import Hit
from sketchy.retrieval.embed import Embedder
from sketchy.retrieval.gallery import Gallery
from sketchy.retrieval.query import Request, ask, embed_queries
from sketchy.retrieval.store.records import Where
from sketchy.web.refusal import Refusal

SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")
"""How PNG, JPEG and WebP begin; other decoders are not for strangers to reach."""


@dataclass(frozen=True)
class Found:
    """An answer, and the milliseconds that embedding (decoding too) and searching took."""

    hits: tuple[Hit, ...]
    embed_ms: float
    search_ms: float


class Searcher:
    """A model and a gallery, loaded and ready.

    Args:
        embedder: of the gallery's model.
        gallery: what is searched.
        calibration: gives sketches' hits their score; None gives none.
        model: what to tell about the model.
    """

    def __init__(
        self, embedder: Embedder, gallery: Gallery, calibration: Calibration | None, model: dict[str, str | int]
    ) -> None:
        self.gallery = gallery
        self.model = model
        self.has_scores = calibration is not None
        self._embedder = embedder
        self._calibration = calibration

    def warm_up(self) -> None:
        """Run a drawing through, so that the first one of a person is not the slow one."""
        drawing = Image.new("L", (256, 256), 255)
        ImageDraw.Draw(drawing).line((40, 40, 200, 180), fill=0, width=4)
        file = BytesIO()
        drawing.save(file, "PNG")
        for _ in range(3):
            self.search(file.getvalue(), "sketch", 1, ())

    def search(self, image: bytes, kind: Kind, k: int, categories: Sequence[str]) -> Found:
        """Find the k photos nearest to an image, of some categories or all. Raises ImageError."""
        started = time.perf_counter()
        query = embed_queries(self._embedder, [image], kind)
        embedded = time.perf_counter()
        calibration = self._calibration if kind == "sketch" else None
        hits = ask(self.gallery, query, Request(k, Where(tuple(categories))), calibration)
        ended = time.perf_counter()
        return Found(hits, 1000 * (embedded - started), 1000 * (ended - embedded))


def check_image(content: bytes, pixels: int) -> None:
    """Refuse what is no PNG, JPEG or WebP, or has more pixels than allowed, before anything is decoded."""
    if not content:
        raise Refusal(400, "no image came; send a PNG, JPEG or WebP as the body")
    if not content.startswith(SIGNATURES):
        raise Refusal(415, "not a PNG, JPEG or WebP; export the image as PNG first")
    try:
        width, height = image_size(content)
    except ImageError as error:
        raise Refusal(400, f"the image cannot be read: {error}") from None
    if width * height > pixels:
        raise Refusal(413, f"the image has {width}x{height} pixels, at most {pixels:,} are taken; shrink it first")
