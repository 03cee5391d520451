"""A trained model that embeds images: the only path from images to embeddings outside training."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sketchy import interrupts
from sketchy.ahead import batched, map_ahead
from sketchy.errors import ConfigError, ImageError
from sketchy.extras import is_torch_installed, require_torch
from sketchy.image import Kind, open_image
from sketchy.inference.description import Description
from sketchy.inference.engine import Engine, decoding_pool, gpu_may_exist
from sketchy.inference.exported import find_exported, read_exported
from sketchy.model.calibration import Calibration
from sketchy.photo_or_drawing import SEEN_SIDE, kind_of
from sketchy.progress import Advance, Progress, no_progress
from sketchy.results import Skipped
from sketchy.retrieval.images import AnyKind, ImageLike, as_sequence, loadable, names_of, naming_image
from sketchy.retrieval.scan import Scan
from sketchy.retrieval.store.base import Identity, Vectors, as_tuple
from sketchy.single_mark import is_single_mark

if TYPE_CHECKING:
    from sketchy.config import Config
    from sketchy.retrieval.index import Index

Pixels = NDArray[np.uint8]
AHEAD = 256
"""Images decoded ahead of the network; bounds the memory for a large folder."""


@dataclass(frozen=True)
class FileEmbeddings:
    """Embeddings of the files that could be read.

    Attributes:
        paths: The N readable files, in the order given.
        embeddings: Their embeddings, shape (N, D), float32.
        skipped: The other files, with the reason.
    """

    paths: tuple[Path, ...]
    embeddings: Vectors
    skipped: tuple[Skipped, ...]


class EmbeddedImages(NamedTuple):
    """The images that are searched for.

    Attributes:
        embedding: Their mean embedding, shape (D,), float32.
        kind: Their kind; "photo" if one of them is a photo.
        is_single_mark: Whether each is a sketch of only a dot or a line.
    """

    embedding: Vectors
    kind: Kind
    is_single_mark: bool


class Model:
    """A trained model. Make one with `sketchy.load`; safe to use from several threads.

    Args:
        description: All but the weights.
        engine: Computes the embeddings.
        source: File of the model.

    Attributes:
        source: File of the model.
        fingerprint: Hash of all that determines an embedding, in hex; never compare embeddings of different ones.
        categories: Names of the categories of the training.
        calibration: Calibration that scores the hits of a sketch; None if the model has none.
        preprocess: Preprocessing of the images.
        probes: Embeddings of a few sketches not trained on, shape (Q, D), float32; None if the model has none.
        words: The things that can be searched by name, with their directions; see `Description.words`.
        spatial: The spatial part of embeddings; None if they have none.
        engine: Computes the embeddings; of all models with one fingerprint, by any engine, they are the same.
    """

    def __init__(self, description: Description, engine: Engine, source: Path) -> None:
        self.source = source
        self.fingerprint = description.fingerprint
        self.categories: tuple[str, ...] = description.categories
        self.calibration: Calibration | None = description.calibration
        self.preprocess = description.preprocess
        self.probes: Vectors | None = description.probes
        self.words = description.words if description.normalize else {}
        self.spatial = description.spatial
        self.engine = engine
        self._description = description

    @property
    def config(self) -> "Config":
        """Settings of the training."""
        return self._description.config

    @property
    def embedding_size(self) -> int:
        """Size of an embedding, D."""
        return self._description.embedding_size

    @property
    def identity(self) -> Identity:
        """The identity that an index stores of its model."""
        return Identity(self.fingerprint, self.embedding_size, str(self.source.absolute()))

    def embed(
        self, images: ImageLike | Sequence[ImageLike], kind: Kind = "sketch", *, names: Sequence[str] = ()
    ) -> Vectors:
        """Embed one image or several.

        Args:
            images: One image or a sequence of them; each is a path, the content of a file, a Pillow image or pixels of
                shape (H, W), (H, W, 3) or (H, W, 4), uint8.
            kind: Kind of all images, "sketch" or "photo".
            names: Name of each image in error messages; empty takes its path or its index.

        Returns:
            Embeddings, shape (N, D), float32, to compare by Euclidean distance.

        Raises:
            ImageError: An image cannot be read, or a sketch is blank; the message names it.
            TypeError, ValueError: An argument has another type, shape or value than described above.
        """
        if kind not in ("sketch", "photo"):
            raise ValueError(f"kind is {kind!r}; give 'sketch' or 'photo'")
        given = as_sequence(images)
        names = names or names_of(given)

        def load(index: int) -> Pixels:
            with naming_image(names[index], kind):
                return self.preprocess.load(loadable(given[index]), kind)

        with decoding_pool() as pool, closing(map_ahead(load, range(len(given)), pool, AHEAD)) as loaded:
            return self.embed_prepared(loaded, len(given), kind)

    def query(self, images: Sequence[ImageLike], kind: AnyKind = "auto", names: Sequence[str] = ()) -> EmbeddedImages:
        """Embed one image, or several as their mean, normalised if the model normalises its embeddings.

        Args:
            images: At least one image; see `embed`.
            kind: Kind of all images; "auto" takes each for what it is, see `sketchy.photo_or_drawing`.
            names: Name of each image in error messages; empty takes its path or its index.

        Raises:
            ImageError: An image cannot be used; the message names it.
            ValueError: There is no image.
        """
        if not images:
            raise ValueError("no image to search for; give at least one")
        names = names or names_of(images)
        seen = [self._seen(image, kind, name) for image, name in zip(images, names, strict=True)]
        kinds = [one for _, one in seen]
        mean: Vectors = np.concatenate([self.engine.embed(pixels[None], one) for pixels, one in seen]).mean(0)
        if self._description.normalize and len(images) > 1:
            mean /= max(float(np.linalg.norm(mean)), 1e-12)
        if "photo" in kinds:
            return EmbeddedImages(mean, "photo", False)
        return EmbeddedImages(mean, "sketch", all(is_single_mark(pixels) for pixels, _ in seen))

    def _seen(self, image: ImageLike, kind: AnyKind, name: str) -> tuple[Pixels, Kind]:
        """Return an image, preprocessed, and its kind."""
        with naming_image(name, kind):
            if kind == "auto":
                kind = kind_of(open_image(loadable(image), at_least=SEEN_SIDE))
        with naming_image(name, kind):
            return self.preprocess.load(loadable(image), kind), kind

    def embed_files(self, paths: Sequence[Path], kind: Kind, progress: Progress = no_progress) -> FileEmbeddings:
        """Embed image files, skipping those that cannot be read."""
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
            decoding_pool() as pool,
            closing(map_ahead(load, paths, pool, AHEAD)) as loaded,
        ):
            embeddings = self.embed_prepared(readable(loaded, advance), len(paths), kind)
        return FileEmbeddings(tuple(kept), embeddings, tuple(skipped))

    def embed_prepared(self, images: Iterable[Pixels], count: int, kind: Kind) -> Vectors:
        """Embed up to `count` preprocessed images, shape (C, S, S), uint8 each; return shape (N, D), float32."""
        # Allocated at once: many small arrays would fragment the memory.
        embeddings = np.empty((count, self.embedding_size), np.float32)
        done, workers = 0, self.engine.workers

        def embed(batch: list[Pixels]) -> Vectors:
            return self.embed_batch(batch, kind)

        batches = batched(images, self.engine.batch_size)
        with ThreadPoolExecutor(workers) as pool, closing(map_ahead(embed, batches, pool, 2 * workers)) as found:
            for embedded in found:
                embeddings[done : done + len(embedded)] = embedded
                done += len(embedded)
        return embeddings[:done]

    def embed_batch(self, images: Sequence[Pixels], kind: Kind) -> Vectors:
        """Embed a few preprocessed images, shape (C, S, S), uint8 each, in one forward pass in this thread."""
        return self.engine.embed(np.stack(images), kind)

    def index(
        self,
        photos: str | PathLike[str] | Sequence[str | PathLike[str]],
        out: str | PathLike[str] | None = None,
        *,
        exclude: Sequence[str] = (),
        drop_missing: bool = False,
        progress: Progress = no_progress,
    ) -> "Index":
        """Open the index of photos, after creating or updating it.

        Args:
            photos: A folder, or several folders and files; or an index or milvus://host:port/collection, which is
                opened without an update.
            out: Address of the index, a folder or milvus://host:port/collection; None chooses a folder in the cache.
            exclude: Globs of files and folders to leave out, such as "Trash" or "*.gif".
            drop_missing: Also remove photos of folders that are missing or empty now.
            progress: Shows the progress.

        Raises:
            GalleryError: There are no photos, or the index is of another model, damaged or empty.
            StorageError: The index cannot be written.
        """
        from sketchy.retrieval.open import open_photos  # imports this module

        return open_photos(self, photos, out, Scan(as_tuple(exclude), drop_missing), progress)


def load_model(source: Path, device: str = "auto") -> Model:
    """Load a model with the engine that suits it: ONNX Runtime on a CPU, PyTorch on a GPU or without exported model.

    Args:
        source: A .pth, or an exported model.
        device: "auto", "cpu", "cuda" or "cuda:N"; "auto" selects a GPU if there is one.

    Raises:
        CheckpointError: The model cannot be used.
        ConfigError: The device is unknown or not available.
        MissingExtraError: PyTorch is needed but not installed.
    """
    if device not in ("auto", "cpu") and not device.startswith("cuda"):
        raise ConfigError(f"device {device!r} is unknown; use auto, cpu, cuda or cuda:N")
    exported = find_exported(source)
    with_gpu = device.startswith("cuda") or (device == "auto" and gpu_may_exist() and is_torch_installed())
    if exported is not None and not (with_gpu and _is_gpu(device)):
        from sketchy.inference.onnx_engine import OnnxEngine

        content = read_exported(exported)
        return Model(content.description, OnnxEngine(content), source)
    with interrupts.quitting():
        require_torch(f"{source}, which has no exported model beside it,")
        from sketchy.inference.torch_engine import TorchEngine, describe, read_checkpoint
        from sketchy.runtime import pick_device

    picked = pick_device(device)
    checkpoint = read_checkpoint(source)
    return Model(describe(checkpoint), TorchEngine(checkpoint.encoder(), picked), source)


def _is_gpu(device: str) -> bool:
    """Return whether a device is a GPU, as PyTorch knows. Raises ConfigError, MissingExtraError."""
    from sketchy.runtime import pick_device

    with interrupts.quitting():  # torch is imported
        require_torch(f"the device {device}")
        return pick_device(device).type == "cuda"
