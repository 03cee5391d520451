"""Asking a gallery: queries from images, limits on what comes back, and the calibrated score of every hit."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sketchy.errors import ImageError
from sketchy.image import Kind, read_content
from sketchy.model.calibration import Calibration
from sketchy.results import Hit
from sketchy.retrieval.embed import Embedder
from sketchy.retrieval.gallery import Gallery
from sketchy.retrieval.store.records import EVERYTHING, Where, label

SHOWN = 5
"""Categories that are named in the place of one that there is not."""
LISTED = 1_000_000
"""Photos whose categories are looked at for that."""


@dataclass(frozen=True)
class Request:
    """What is wanted.

    Attributes:
        k: at most this many hits.
        where: which photos may be found.
        max_distance: none further away; None sets no limit.
        min_score: none less likely to be right; None sets no limit.
        exact: measure every photo, also where there is an approximate index.
    """

    k: int = 10
    where: Where = EVERYTHING
    max_distance: float | None = None
    min_score: float | None = None
    exact: bool = False


def read_queries(paths: Sequence[Path], kind: Kind) -> list[bytes]:
    """Read images once, as pipes and the standard input allow no more. Raises ImageError that names the file."""
    contents = []
    for path in paths:
        with _usable(str(path), kind):
            contents.append(read_content(path))
    return contents


def embed_queries(
    embedder: Embedder, images: Sequence[bytes], kind: Kind, names: Sequence[str] = ()
) -> NDArray[np.float32]:
    """Embed one image, or several as one query: their mean, brought back to the sphere where the model works on it.

    Args:
        embedder: of the gallery's model.
        images: contents of image files, at least one.
        kind: what all of them are.
        names: what messages call each of them; empty says "the image".

    Returns:
        (D,) float32.

    Raises:
        ImageError: one cannot be used; the message names it.
    """
    embedded = []
    for image, name in zip(images, names or ["the image"] * len(images), strict=True):
        with _usable(name, kind):
            embedded.append(embedder.embed_image(image, kind).numpy())
    mean: NDArray[np.float32] = np.mean(embedded, axis=0)
    if embedder.encoder.normalize and len(embedded) > 1:
        mean /= max(float(np.linalg.norm(mean)), 1e-12)
    return mean


@contextmanager
def _usable(name: str, kind: Kind) -> Iterator[None]:
    """Say which image cannot be used, and what to do."""
    try:
        yield
    except ImageError as error:
        remedy = "give a drawing as PNG or JPEG" if kind == "sketch" else "give a photo as PNG or JPEG"
        raise ImageError(f"cannot use {name} as a {kind}: {error}; {remedy}") from None


def ask(
    gallery: Gallery, query: NDArray[np.float32], request: Request, calibration: Calibration | None
) -> tuple[Hit, ...]:
    """Search a gallery.

    Args:
        gallery: of the query's model.
        query: (D,).
        request: what is wanted.
        calibration: what gives hits their score; None gives them none.

    Raises:
        ValueError: a least score is wanted where there are no scores.
    """
    if request.min_score is not None and calibration is None:
        raise ValueError("min_score without a calibration")
    hits = gallery.search(query, request.k, request.where)
    if calibration is not None:
        hits = tuple(replace(hit, score=calibration.score(hit.distance)) for hit in hits)
    return tuple(hit for hit in hits if _wanted(hit, request))


def unmatched(gallery: Gallery, query: NDArray[np.float32], where: Where) -> list[str]:
    """Say which of some filters no photo of a gallery fits, with the nearest categories; empty where all are fit."""
    told = []
    for name in where.categories:
        if not gallery.search(query, 1, Where((name,))):
            there = sorted({label(category) for _, category in islice(gallery.photos(), LISTED) if category})
            near = ", ".join(nearest_names(name, there)) or ", ".join(there[:SHOWN]) + " ..." * (len(there) > SHOWN)
            remedy = f"try {near}" if near else "none has a category"
            told.append(f"no photo is of the category {label(name)!r}; {remedy}")
    if where.path_glob is not None and not gallery.search(query, 1, Where(path_glob=where.path_glob)):
        told.append(f"no path matches {where.path_glob!r}; `*` stands for any characters, as in 'holiday/*'")
    return told


def nearest_names(name: str, names: Iterable[str]) -> list[str]:
    """Return those of some names that are most like one, whatever their case."""
    folded: dict[str, str] = {other.casefold(): other for other in names}
    return [folded[found] for found in get_close_matches(label(name).casefold(), folded, SHOWN)]


def _wanted(hit: Hit, request: Request) -> bool:
    near = request.max_distance is None or hit.distance <= request.max_distance
    likely = request.min_score is None or (hit.score is not None and hit.score >= request.min_score)
    return near and likely
