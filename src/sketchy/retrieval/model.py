"""A trained model, ready to embed images from outside: the only way from images to embeddings but in training."""

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from sketchy.ahead import batched, map_ahead
from sketchy.config import Config
from sketchy.errors import ImageError
from sketchy.image import Kind
from sketchy.model.calibration import Calibration
from sketchy.model.checkpoint import Checkpoint, load_checkpoint
from sketchy.model.encoder import Encoder
from sketchy.model.folding import folded
from sketchy.paths import as_path
from sketchy.preprocess import build_preprocess
from sketchy.progress import Advance, Progress, no_progress
from sketchy.results import Skipped
from sketchy.retrieval.embed import BATCH_SIZE, embed_pixels
from sketchy.retrieval.store.base import Identity, Vectors
from sketchy.runtime import pick_device

if TYPE_CHECKING:
    from sketchy.retrieval.index import Index

ImageLike = str | PathLike[str] | bytes | Image.Image | NDArray[np.uint8]
"""A file, the content of one, a Pillow image, or pixels (H, W), (H, W, 3) or (H, W, 4), uint8."""
Pixels = NDArray[np.uint8]
AHEAD = 2 * BATCH_SIZE
"""Images that are decoded before the network asks for them; what bounds the memory of a large folder."""
FOLD_FROM = BATCH_SIZE
"""Images to embed for which folding the network pays: it takes the time of some fifty, and halves that of each."""


@dataclass(frozen=True)
class FileEmbeddings:
    """Embeddings of the files that could be read.

    Attributes:
        paths: The N readable files, in the order they were given.
        embeddings: Shape (N, D), float32.
        skipped: The other files, with the reason.
    """

    paths: tuple[Path, ...]
    embeddings: Vectors
    skipped: tuple[Skipped, ...]


class Model:
    """A trained model on one device. Make one with `sketchy.load`; safe to use from several threads.

    Args:
        checkpoint: The weights, and all that embedding needs.
        source: The file that they were loaded from.
        device: Where to compute.
        fold: Spend a second to make the network faster on a CPU, for those who embed single images many times.

    Attributes:
        source: The checkpoint's file.
        fingerprint: Hash of all that makes an embedding, in hex: embeddings of two models must never be compared.
        config: All settings that it was trained with.
        categories: Names of the categories that it was trained on.
        calibration: What gives the hits of a sketch their score; None where the model has no calibration.
        preprocess: What is done to an image before the forward pass.
        probes: Embeddings of a few sketches that were not trained on, shape (Q, D), float32; None where there are none.
        encoder: The network.

    Raises:
        CheckpointError: The weights do not fit the settings.
    """

    def __init__(self, checkpoint: Checkpoint, source: Path, device: torch.device, *, fold: bool = False) -> None:
        self.source = source
        self.fingerprint = checkpoint.fingerprint()
        self.config: Config = checkpoint.config
        self.categories: tuple[str, ...] = checkpoint.categories
        self.calibration: Calibration | None = checkpoint.calibration
        self.preprocess = build_preprocess(checkpoint.config.image)
        self.probes: Vectors | None = None if checkpoint.probes is None else checkpoint.probes.numpy()
        self.encoder: Encoder = checkpoint.encoder().to(device)
        self._device = device
        self._mutex = threading.Lock()  # the norms of a network may have to be told the kind of a batch
        if fold:
            self.encoder = self._folded

    @cached_property
    def _folded(self) -> Encoder:
        return folded(self.encoder) if self._device.type == "cpu" else self.encoder

    @property
    def embedding_size(self) -> int:
        """D, the numbers in an embedding."""
        return self.encoder.embedding_size

    @property
    def identity(self) -> Identity:
        """What an index keeps of its model."""
        return Identity(self.fingerprint, self.embedding_size, str(self.source.absolute()))

    def encoder_for(self, count: int) -> Encoder:
        """Return the network to embed so many images with: a faster one where they are many."""
        return self._folded if count >= FOLD_FROM else self.encoder

    def embed(
        self, images: ImageLike | Sequence[ImageLike], kind: Kind = "sketch", *, names: Sequence[str] = ()
    ) -> Vectors:
        """Embed one image or several.

        Args:
            images: One image or a sequence of them; each is a path, the content of a file, a Pillow image or pixels of
                shape (H, W), (H, W, 3) or (H, W, 4), uint8.
            kind: What all of them are, "sketch" or "photo".
            names: What error messages call each image; empty takes its path or its index.

        Returns:
            Embeddings, shape (N, D), float32, to compare by Euclidean distance.

        Raises:
            ImageError: An image cannot be read, or a sketch is blank; the message names it.
            TypeError, ValueError: An argument is not what is said above.
        """
        if kind not in ("sketch", "photo"):
            raise ValueError(f"kind is {kind!r}; give 'sketch' or 'photo'")
        given = as_sequence(images)
        names = names or [_name_of(image, index) for index, image in enumerate(given)]

        def load(index: int) -> Pixels:
            with usable(names[index], kind):
                return self.preprocess.load(_source(given[index]), kind)

        with ThreadPoolExecutor() as pool, closing(map_ahead(load, range(len(given)), pool, AHEAD)) as loaded:
            return self.embed_prepared(loaded, len(given), kind)

    def query(self, images: Sequence[ImageLike], kind: Kind, names: Sequence[str] = ()) -> Vectors:
        """Embed one image, or several as one query: their mean, on the unit sphere where the model's embeddings are.

        Args:
            images: At least one; see `embed`.
            kind: What all of them are.
            names: What error messages call each image; empty takes its path or its index.

        Returns:
            Embedding, shape (D,), float32.

        Raises:
            ImageError: An image cannot be used; the message names it.
            ValueError: There is no image.
        """
        if not images:
            raise ValueError("no image to search for; give at least one")
        embedded = self.embed(images, kind, names=names)
        mean: Vectors = embedded.mean(0)
        if self.encoder.normalize and len(images) > 1:
            mean /= max(float(np.linalg.norm(mean)), 1e-12)
        return mean

    def embed_files(self, paths: Sequence[Path], kind: Kind, progress: Progress = no_progress) -> FileEmbeddings:
        """Embed image files; those that cannot be read are skipped."""
        kept: list[Path] = []
        skipped: list[Skipped] = []

        def load(path: Path) -> Pixels | ImageError:
            try:
                return self.preprocess.load(path, kind)
            except ImageError as error:
                return error

        def readable(loaded: Iterable[Pixels | ImageError], advance: Advance) -> Iterator[Pixels]:
            for path, pixels in zip(paths, loaded, strict=True):
                advance(1)
                if isinstance(pixels, ImageError):
                    skipped.append(Skipped(str(path), str(pixels)))
                else:
                    kept.append(path)
                    yield pixels

        with (
            progress("embedding", len(paths), "image") as advance,
            ThreadPoolExecutor() as pool,
            closing(map_ahead(load, paths, pool, AHEAD)) as loaded,
        ):
            embeddings = self.embed_prepared(readable(loaded, advance), len(paths), kind)
        return FileEmbeddings(tuple(kept), embeddings, tuple(skipped))

    def embed_prepared(self, images: Iterable[Pixels], count: int, kind: Kind) -> Vectors:
        """Embed preprocessed images, (C, S, S) uint8 each and at most `count` of them, to (N, D) float32."""
        embeddings = np.empty((count, self.embedding_size), np.float32)  # whole: small parts would scatter the memory
        encoder, done = self.encoder_for(count), 0
        for batch in batched(images, BATCH_SIZE):
            with self._mutex:
                embeddings[done : done + len(batch)] = embed_pixels(encoder, np.stack(batch), kind)
            done += len(batch)
        return embeddings[:done]

    def index(
        self,
        photos: str | PathLike[str] | Sequence[str | PathLike[str]],
        out: str | PathLike[str] | None = None,
        *,
        exclude: Sequence[str] = (),
        drop_missing: bool = False,
        progress: Progress = no_progress,
    ) -> "Index":
        """Open the index of photos; it is made where there is none, and brought up to date.

        Args:
            photos: A folder, or several folders and files; or an index or milvus://host:port/collection, which is
                opened as it is.
            out: Where to keep the index, a folder or milvus://host:port/collection; None keeps it in the cache.
            exclude: Globs of files and folders to leave out, such as "Trash" or "*.gif".
            drop_missing: Drop also photos of folders that are missing or empty now.
            progress: Shows the progress.

        Raises:
            GalleryError: There are no photos, or the index is of another model, damaged or empty.
            StorageError: The index cannot be written.
        """
        from sketchy.retrieval.open import open_photos  # which needs models

        return open_photos(self, photos, out, exclude=exclude, drop_missing=drop_missing, progress=progress)


def load_model(source: Path, device: str = "auto", *, fold: bool = False) -> Model:
    """Load a checkpoint; see `Model`. Raises CheckpointError, ConfigError."""
    return Model(load_checkpoint(source), source, pick_device(device), fold=fold)


def as_sequence(images: ImageLike | Sequence[ImageLike]) -> Sequence[ImageLike]:
    """Return a list of one image, or the sequence that was given."""
    if isinstance(images, str | PathLike | bytes | Image.Image | np.ndarray):
        return [images]
    return list(images)


@contextmanager
def usable(name: str, kind: Kind) -> Iterator[None]:
    """Say which image cannot be used, and what to do."""
    try:
        yield
    except ImageError as error:
        remedy = "give a drawing as PNG or JPEG" if kind == "sketch" else "give a photo as PNG or JPEG"
        raise ImageError(f"cannot use {name} as a {kind}: {error}; {remedy}") from None


def _name_of(image: ImageLike, index: int) -> str:
    return str(Path(image)) if isinstance(image, str | PathLike) else f"image {index}"


def _source(image: ImageLike) -> Path | bytes | Image.Image:
    """Bring an image to what `Preprocess.load` takes."""
    if isinstance(image, bytes | Image.Image):
        return image
    if isinstance(image, np.ndarray):
        well = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (3, 4))
        if not well or image.dtype != np.uint8 or not image.size:
            raise ValueError(
                f"an array of shape {image.shape} and type {image.dtype} is no image; give (H, W), (H, W, 3) or "
                "(H, W, 4) as uint8"
            )
        return Image.fromarray(np.ascontiguousarray(image))
    if isinstance(image, str | PathLike):
        return as_path(os.fspath(image))
    raise TypeError(f"{type(image).__name__} is no image; give a path, bytes, a Pillow image or an array")
