"""A gallery: embedded photos that can be searched and shown."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sketchy.dataset.loader import Dataset
from sketchy.distance import paired, pairwise
from sketchy.errors import GalleryError
from sketchy.image import SUFFIXES
from sketchy.results import Hit, Skipped
from sketchy.retrieval.embed import Embedder, embed_pixels
from sketchy.talk import SILENT, Talk

SLACK = 1e-2
"""`pairwise` is off by about 1e-3 of the embeddings' length; candidates within this share are measured exactly."""


@dataclass(frozen=True)
class Gallery:
    """Embedded photos.

    Attributes:
        name: what to call it.
        embeddings: (N, D) float32 on the CPU.
        paths: N names to show, in the same order.
        categories: N categories, None where unknown.
        image: gives the file of row i, as a path or its bytes.
        skipped: photos that could not be read.
    """

    name: str
    embeddings: Tensor
    paths: tuple[str, ...]
    categories: tuple[str | None, ...]
    image: Callable[[int], Path | bytes]
    skipped: tuple[Skipped, ...] = ()

    def search(self, query: Tensor, k: int) -> list[tuple[int, float]]:
        """Find the k nearest photos.

        Args:
            query: (D,) float32.
            k: at least 1; more than there are photos gives all.

        Returns:
            Row and distance of each, nearest first; equal distances in gallery order.
        """
        rough = pairwise(query[None], self.embeddings)[0]  # (N,)
        bound = rough.kthvalue(min(k, len(rough))).values
        near = (rough <= bound + SLACK * (1 + query.norm())).nonzero()[:, 0]
        exact = paired(query.expand(len(near), -1), self.embeddings[near])
        order = exact.argsort(stable=True)[:k]
        return [(int(near[i]), float(exact[i])) for i in order]

    def hits(self, found: list[tuple[int, float]]) -> tuple[Hit, ...]:
        """Name what `search` found."""
        return tuple(
            Hit(rank, self.paths[row], distance, self.categories[row])
            for rank, (row, distance) in enumerate(found, start=1)
        )


def embed_folder(folder: Path, embedder: Embedder, talk: Talk = SILENT) -> Gallery:
    """Embed every photo below a folder; a photo in a subfolder has that folder's name as its category.

    Raises:
        GalleryError: no such folder, no images in it, or none that can be read.
    """
    if not folder.is_dir():
        raise GalleryError(f"no such folder of photos: {folder}; name one with --gallery")
    paths = list(find_images(folder))
    if not paths:
        raise GalleryError(f"no images below {folder}; known are {', '.join(sorted(SUFFIXES))}")
    embedded = embedder.embed_files(paths, "photo", talk)
    if not embedded.paths:
        first = embedded.skipped[0]
        raise GalleryError(f"none of {len(paths)} images below {folder} can be read; {first.path}: {first.reason}")
    return Gallery(
        name=str(folder),
        embeddings=embedded.embeddings,
        paths=tuple(str(path) for path in embedded.paths),
        categories=tuple(None if path.parent == folder else path.parent.name for path in embedded.paths),
        image=lambda row: embedded.paths[row],
        skipped=embedded.skipped,
    )


def embed_dataset(
    data: Dataset, rows: NDArray[np.int64], name: str, embedder: Embedder, talk: Talk = SILENT
) -> Gallery:
    """Embed photos of a dataset, from its pack.

    Args:
        rows: (N,) rows of the pack's photos.
        name: what to call the gallery.
    """
    pack = data.pack
    return Gallery(
        name=name,
        embeddings=embed_pixels(embedder.encoder, pack.photos, "photo", rows, talk),
        paths=tuple(data.photo_path(row) for row in rows.tolist()),
        categories=tuple(pack.categories[pack.photo_category[row]] for row in rows.tolist()),
        image=lambda index: data.photo_file(int(rows[index])),
    )


def find_images(folder: Path) -> Iterator[Path]:
    """Yield image files below a folder in a fixed order, leaving out hidden ones.

    A `sketch` folder beside a `photo` folder is left out: the folder is a dataset, and its photos are meant.
    """
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if {"photo", "photos"} & set(folders):
            folders[:] = [name for name in folders if name not in ("sketch", "sketches")]
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Path(where) / name
