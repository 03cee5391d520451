"""Drawing the demo set: which pictures, from which chance, into which files."""

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
"""A process that draws fewer than this is not worth starting."""


def draw_dataset(
    out: Path,
    *,
    photos: int = 20,
    sketches: int = 2,
    categories: int | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
) -> MadeFolder:
    """Draw a small dataset in the official layout.

    A picture depends on the seed, its category and its numbers only: more photos, sketches or categories leave those
    that were there as they were.

    Args:
        out: Folder to make, or an empty one. It holds all pictures or none, however the run ends.
        photos: Photos of each category, 1 or more; RGB JPEG, 256x256.
        sketches: Sketches of each photo, 1 or more; grey PNG, 256x256, dark on white.
        categories: Number of categories, in alphabetical order; None draws all.
        seed: Source of chance, 0 or more.
        progress: Opens the progress bar.

    Raises:
        ConfigError: There are not so many categories.
        DataError: `out` holds something already, or a process was killed.
        StorageError: `out` cannot be written.
    """
    if categories is not None and not 1 <= categories <= len(CATEGORIES):
        raise ConfigError(
            f"cannot draw {categories} categories; the demo data has {len(CATEGORIES)}; "
            f"choose --categories from 1 to {len(CATEGORIES)}"
        )
    names = list(CATEGORIES)[:categories]
    with _made_whole(out) as folder:
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


def draw_pair(
    category: str, number: int = 1, sketches: int = 1, seed: int = 0
) -> tuple[Image.Image, list[Image.Image]]:
    """Return a photo, RGB, and so many sketches of it, grey, all 256x256; `category` is one of CATEGORIES."""
    chance = [seed, crc32(category.encode()), number]
    rng = np.random.default_rng([*chance, 0])
    thing = draw_thing(CATEGORIES[category], rng)
    photo = paint(thing, str(rng.choice(CATEGORIES[category].scenes)), rng)
    lines = visible_lines(thing)
    return photo, [trace(lines, np.random.default_rng([*chance, n])) for n in range(1, sketches + 1)]


def _write(folder: Path, sketches: int, seed: int, job: tuple[str, int]) -> None:
    """Draw one photo, by category and number, and its sketches into the folder that holds `photo` and `sketch`."""
    category, number = job
    photo, drawn = draw_pair(category, number, sketches, seed)
    photo_id = f"{category}_{number:05d}"
    photo.save(folder / "photo" / RENDERING / category / f"{photo_id}.jpg", quality=92)
    for n, sketch in enumerate(drawn, 1):
        sketch.save(folder / "sketch" / RENDERING / category / f"{photo_id}-{n}.png")


@contextmanager
def _made_whole(out: Path) -> Iterator[Path]:
    """Give a hidden folder beside `out`; on success move what is in it to `out`, else remove it."""
    target = out.resolve()
    unfinished = target.with_name(f".{target.name}.part")
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise DataError(f"will not draw over something else; {out}; name a new folder or an empty one")
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
