"""What is searched for: drawings or photos, words, and photos of the gallery as examples, as one embedding."""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict, Unpack

import numpy as np

from sketchy.image import Kind, read_content
from sketchy.inference.description import SpatialPart
from sketchy.paths import as_path
from sketchy.retrieval.images import AnyKind, ImageLike
from sketchy.retrieval.model import Model
from sketchy.retrieval.store.base import Store, Vectors, as_tuple

TEXT = 0.5
"""Weight of words beside a drawing, which has the rest."""
LIKE, UNLIKE = 1.5, 0.3
"""Weights of the mean of good and of bad examples beside the query itself (Rocchio, 1971); see docs/results.md."""


class Extras(TypedDict, total=False):
    """What a query may have beside images; photos are named by their paths in the gallery, or are image files.

    Attributes:
        text: Names of things, in words; see `Model.words`.
        like: Photos to be like.
        unlike: Photos to be unlike.
        without: Photos to leave out.
    """

    text: str | Sequence[str]
    like: str | Sequence[str]
    unlike: str | Sequence[str]
    without: str | Sequence[str]


@dataclass(frozen=True)
class Query:
    """A query by a model, before the gallery is opened.

    Attributes:
        images: Mean embedding of the images, shape (D,), float32; None without images.
        kind: Kind of the images, "photo" if one of them is a photo; None without images.
        words: Direction of the words, shape (A,), float32; None without words.
        like: Photos to be like.
        unlike: Photos to be unlike.
        without: Photos that are no hits; photos of `like` and `unlike` are none either.
        contents: SHA-256, in hex, of the photos among the images, which are no hits either.
        is_single_mark: Whether it is a drawing and nothing else, of only a dot or a line.
    """

    images: Vectors | None = None
    kind: Kind | None = None
    words: Vectors | None = None
    like: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    contents: tuple[str, ...] = ()
    is_single_mark: bool = False

    @property
    def is_drawing(self) -> bool:
        """Whether it is a drawing and nothing else: only then do hits have a score."""
        return self.kind == "sketch" and self.words is None and not self.like and not self.unlike


def make_query(
    model: Model,
    images: Sequence[ImageLike] = (),
    kind: AnyKind = "auto",
    names: Sequence[str] = (),
    **extras: Unpack[Extras],
) -> Query:
    """Embed the images of a query, and look its words up.

    Args:
        model: The model.
        images: Images to embed; see `Model.embed`. The embeddings of several are averaged.
        kind: Kind of all images; "auto" takes each for what it is.
        names: Name of each image in error messages; empty takes its path or its index.
        extras: Words and examples, see `Extras`.

    Raises:
        ImageError: An image cannot be used; the message names it.
        UnknownWordError: The model does not know a word.
        ValueError: There is nothing to search for.
    """
    text, like = as_tuple(extras.get("text") or ()), as_tuple(extras.get("like") or ())
    unlike, without = as_tuple(extras.get("unlike") or ()), as_tuple(extras.get("without") or ())
    if not (len(images) or text or like):
        raise ValueError("nothing to search for; give an image, words, or a photo to be like")
    words = None
    if text:
        from sketchy.retrieval.words import direction_of  # reads the names of things, which takes 10 ms

        words = direction_of(model.words, text)
    embedded, found, is_mark = model.query(images, kind, names) if len(images) else (None, None, False)
    contents = tuple(filter(None, map(_content, images))) if found == "photo" else ()
    query = Query(embedded, found, words, like, unlike, without, contents)
    return replace(query, is_single_mark=query.is_drawing and is_mark)


def _content(image: ImageLike) -> str | None:
    """Return the SHA-256 of an image file; None for an image in memory."""
    if isinstance(image, str | os.PathLike):
        image = read_content(as_path(os.fspath(image)))
    return hashlib.sha256(image).hexdigest() if isinstance(image, bytes) else None


def examples(store: Store, names: Sequence[str], embed: Callable[[Path], Vectors]) -> dict[str, Vectors]:
    """Return the embeddings of photos, shape (D,), by path; those of the store need not be made again.

    Args:
        store: Photos of the gallery.
        names: Paths in the store, or of image files.
        embed: Embeds an image file, which the store lacks.
    """
    spelled = {name: [name, os.path.abspath(name)] for name in names}  # noqa: PTH100 - keeps links, as the store does
    known = store.get([path for paths in spelled.values() for path in paths])
    stored = store.embeddings([photo.content for photo in known.values()])
    found = {}
    for name, paths in spelled.items():
        photo = next((known[path] for path in paths if path in known), None)
        found[photo.path if photo else paths[-1]] = stored[photo.content] if photo else embed(Path(name))
    return found


def combine(
    query: Query, like: Sequence[Vectors], unlike: Sequence[Vectors], spatial: SpatialPart | None
) -> tuple[Vectors, bool]:
    """Return a query as one embedding.

    The category part and the spatial part are combined by themselves, and keep their lengths. Words have no spatial
    part.

    Args:
        query: The query.
        like: Embeddings of photos to be like, shape (D,) each.
        unlike: Embeddings of photos to be unlike, shape (D,) each.
        spatial: The spatial part of the model's embeddings; None if they have none.

    Returns:
        Embedding, shape (D,), float32.
        Whether its spatial part is set, or the model has none; otherwise only the category parts can be compared.
    """
    first = None if spatial is None else -spatial.size
    length = 1.0 if spatial is None else (1 - spatial.share) ** 0.5
    own = None if query.images is None else query.images[:first]
    if query.words is not None:
        words = query.words * length
        own = words if own is None else _scaled(TEXT * words + (1 - TEXT) * own, own)
    category = _rocchio(own, [one[:first] for one in like], [one[:first] for one in unlike])
    if spatial is None:
        return category, True
    own = None if query.images is None else query.images[first:]
    if own is None and not like:
        return np.concatenate([category, np.zeros(spatial.size, np.float32)]), False
    cells = _rocchio(own, [one[first:] for one in like], [one[first:] for one in unlike])
    return np.concatenate([category, cells]), True


def _rocchio(own: Vectors | None, like: Sequence[Vectors], unlike: Sequence[Vectors]) -> Vectors:
    """Move a query towards good examples and away from bad ones; without one of its own, from the good ones."""
    if not like and not unlike:
        assert own is not None
        return own
    start = like[0] if own is None else own
    moved = np.zeros_like(start) if own is None else own.copy()
    if like:
        moved += (1 if own is None else LIKE) * np.mean(like, 0)
    if unlike:
        moved -= UNLIKE * np.mean(unlike, 0)
    return _scaled(moved, start)


def _scaled(vector: Vectors, like: Vectors) -> Vectors:
    """Return a vector with the length of another."""
    scaled: Vectors = vector * (np.linalg.norm(like) / max(float(np.linalg.norm(vector)), 1e-12))
    return scaled.astype(np.float32, copy=False)
