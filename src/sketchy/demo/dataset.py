"""Draw the demo dataset: its images, their random generators, and their files."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from zlib import crc32

import numpy as np
from PIL import Image

from sketchy.demo.photo import paint
from sketchy.demo.sketch import trace, visible_lines
from sketchy.demo.things import CATEGORIES, draw_thing
from sketchy.errors import ConfigError, DataError, StorageError
from sketchy.processes import processes
from sketchy.progress import Progress, no_progress
from sketchy.results import MadeFolder
from sketchy.storage import os_problem

TOP = "256x256"
RENDERING = "tx_000000000000"
PHOTOS_EACH = 16
"""Least number of photos for which another process is worth starting."""


def draw_dataset(
    out: Path,
    *,
    photos: int = 20,
    sketches: int = 2,
    categories: int | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
) -> MadeFolder:
    """Draw a small dataset in the folder structure of the Sketchy Database.

    An image depends only on the seed, its category and its number: with more photos, sketches or categories, the other
    images stay the same.

    Args:
        out: Path of a new or empty folder. It will contain all images or, if an error occurs, none.
        photos: Number of photos in each category, 1 or more; RGB JPEG, 256x256.
        sketches: Number of sketches of each photo, 1 or more; grey PNG, 256x256, dark on white.
        categories: Number of categories, in alphabetical order; None draws all.
        seed: Random seed, 0 or more.
        progress: Shows the progress.

    Raises:
        ConfigError: `categories` is not between 1 and the number of categories.
        DataError: `out` is not empty, or a process was killed.
        StorageError: `out` cannot be written.
    """
    names = _first_categories(categories)
    with _complete_or_absent(out) as folder:
        for name in names:
            for kind in ("photo", "sketch"):
                (folder / kind / RENDERING / name).mkdir(parents=True)
        jobs = [(name, number) for name in names for number in range(1, photos + 1)]
        workers = min(os.cpu_count() or 1, len(jobs) // PHOTOS_EACH)
        write = partial(_write, folder, sketches, seed)
        with progress("drawing", len(jobs), "photo") as advance, ExitStack() as stack:
            pool = stack.enter_context(processes(workers)) if workers > 1 else None
            for _ in pool.map(write, jobs) if pool else map(write, jobs):
                advance(1)
    return MadeFolder(str(out), len(jobs), len(jobs) * sketches, len(names))


def _first_categories(count: int | None) -> list[str]:
    if count is not None and not 1 <= count <= len(CATEGORIES):
        raise ConfigError(
            f"cannot draw {count} categories; the demo data has {len(CATEGORIES)}; "
            f"choose --categories from 1 to {len(CATEGORIES)}"
        )
    return list(CATEGORIES)[:count]


def draw_pair(
    category: str, number: int = 1, sketches: int = 1, seed: int = 0
) -> tuple[Image.Image, list[Image.Image]]:
    """Draw a photo, RGB, and sketches of it, grey, all 256x256.

    Args:
        category: Name of the category, one of CATEGORIES.
        number: Number of the photo in its category.
        sketches: Number of sketches.
        seed: Random seed, 0 or more.
    """
    seeds = [seed, crc32(category.encode()), number]
    rng = np.random.default_rng([*seeds, 0])
    thing = draw_thing(CATEGORIES[category], rng)
    photo = paint(thing, str(rng.choice(CATEGORIES[category].scenes)), rng)
    lines = visible_lines(thing)
    return photo, [trace(lines, np.random.default_rng([*seeds, n])) for n in range(1, sketches + 1)]


def _write(folder: Path, sketches: int, seed: int, job: tuple[str, int]) -> None:
    """Draw and save a photo and its sketches, given its category and number.

    `folder` contains the folders `photo` and `sketch`.
    """
    category, number = job
    photo, drawn = draw_pair(category, number, sketches, seed)
    photo_id = f"{category}_{number:05d}"
    photo.save(folder / "photo" / RENDERING / category / f"{photo_id}.jpg", quality=92)
    for n, sketch in enumerate(drawn, 1):
        sketch.save(folder / "sketch" / RENDERING / category / f"{photo_id}-{n}.png")


@contextmanager
def _complete_or_absent(out: Path) -> Iterator[Path]:
    """Yield a hidden folder beside `out`; on success move its contents to `out`, else remove it."""
    target = out.resolve()
    unfinished = target.with_name(f".{target.name}.part")
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise DataError(
                f"cannot draw into a file, or a folder that is not empty; {out}; name a new or empty folder"
            )
        shutil.rmtree(unfinished, ignore_errors=True)
        (unfinished / TOP).mkdir(parents=True)
        yield unfinished / TOP
        if out.exists():
            (unfinished / TOP).rename(out / TOP)
        else:
            unfinished.rename(target)
    except OSError as error:
        raise StorageError(os_problem(error, out)) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
