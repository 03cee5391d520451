"""Recognising a dataset among folders: `photo/<category>` beside `sketch/<category>`."""

import os
from collections.abc import Sequence
from functools import lru_cache

from sketchy.dataset.records import FOLDERS, RENDERING_PREFIX
from sketchy.retrieval.store.base import category_name


def category_of(folder: str) -> str | None:
    """Return the category of the photos in a folder: its name in a dataset, where it is `photo/NAME`, else None.

    Only in the official layout there is a folder `tx_...` between the two. A folder of photos of another name, or one
    without a folder of sketches with the same categories beside it, is no dataset: people call folders `Photos`, too.
    """
    parent, name = os.path.split(folder)
    above, rendering = os.path.split(parent)
    if rendering.startswith(RENDERING_PREFIX):
        return category_name(name) if _is_photo_folder(above) else None
    return category_name(name) if _is_photo_folder(parent) and _is_dataset(above) else None


def _is_photo_folder(folder: str) -> bool:
    return FOLDERS.get(os.path.basename(folder).lower()) == "photo"  # noqa: PTH119


@lru_cache(maxsize=1024)
def _is_dataset(folder: str) -> bool:
    try:
        return bool(sketch_folders(folder, os.listdir(folder)))  # noqa: PTH208
    except OSError:
        return False


def sketch_folders(folder: str, names: Sequence[str]) -> list[str]:
    """Return the sketch folders among the names if the folder is a dataset: `photo` has the same categories."""
    photos, sketches = ([name for name in names if FOLDERS.get(name.lower()) == kind] for kind in ("photo", "sketch"))
    if not photos or not sketches:
        return []
    inside = set().union(*(_folders_in(f"{folder}{os.sep}{name}") for name in photos))
    return [name for name in sketches if inside & _folders_in(f"{folder}{os.sep}{name}")]


def _folders_in(folder: str) -> set[str]:
    """Return the names of the category folders in a folder; the renderings `tx_...` of Sketchy count as one."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    except OSError:
        return set()
    return {
        RENDERING_PREFIX if name.startswith(RENDERING_PREFIX) else name for name in names if any(map(str.isalpha, name))
    }
