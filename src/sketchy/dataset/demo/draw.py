"""Drawing the demo set: which pictures, from which chance, into which files."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from PIL import Image

from sketchy.dataset.demo.categories import CATEGORIES
from sketchy.dataset.demo.photo import paint
from sketchy.dataset.demo.pose import draw_pose
from sketchy.dataset.demo.sketch import trace, visible_lines
from sketchy.dataset.processes import processes
from sketchy.dataset.reader import DEFAULT_RENDERING
from sketchy.errors import ConfigError, DataError, StorageError
from sketchy.results import MadeFolder
from sketchy.storage import os_problem
from sketchy.talk import SILENT, Talk

TOP = "256x256"
PHOTOS_EACH = 16
"""A process that draws fewer than this is not worth starting."""


@dataclass(frozen=True)
class Job:
    """One photo and its sketches, and the folder with `photo` and `sketch` to put them in."""

    folder: Path
    category: str
    number: int
    sketches: int
    seed: int


def draw_demo(
    out: Path,
    *,
    photos: int = 20,
    sketches: int = 2,
    categories: int | None = None,
    seed: int = 0,
    workers: int | None = None,
    talk: Talk = SILENT,
) -> MadeFolder:
    """Draw a small dataset in the official layout.

    A picture depends on the seed, its category and its numbers only: more photos, sketches or categories leave those
    that were there as they were.

    Args:
        out: folder to make, or an empty one. It holds all pictures or none, however the run ends.
        photos: of each category, 1 or more; RGB JPEG, 256x256.
        sketches: of each photo, 1 or more; grey PNG, 256x256, dark on white.
        categories: how many, in alphabetical order; None draws all.
        seed: 0 or more.
        workers: processes that draw; None takes what the machine and the work suggest.
        talk: hears of the progress.

    Raises:
        ConfigError: there are not so many categories.
        DataError: `out` holds something already, or a process was killed.
        StorageError: it cannot be written.
    """
    if categories is not None and not 1 <= categories <= len(CATEGORIES):
        raise ConfigError(
            f"cannot draw {categories} categories; the demo data has {len(CATEGORIES)}; "
            f"choose --categories from 1 to {len(CATEGORIES)}"
        )
    names = list(CATEGORIES)[:categories]
    with _made_whole(out) as folder:
        jobs = [Job(folder, name, number, sketches, seed) for name in names for number in range(1, photos + 1)]
        for name in names:
            for kind in ("photo", "sketch"):
                (folder / kind / DEFAULT_RENDERING / name).mkdir(parents=True)
        with talk.bar("drawing", len(jobs), "photo") as advance:
            for _ in _done(jobs, workers):
                advance(1)
    return MadeFolder(str(out), len(jobs), len(jobs) * sketches, len(names))


def draw_pictures(category: str, number: int, sketches: int, seed: int) -> tuple[Image.Image, list[Image.Image]]:
    """Return a photo, RGB, and so many sketches of it, grey, all 256x256."""
    kind = CATEGORIES[category]
    chance = [seed, crc32(category.encode()), number]
    rng = np.random.default_rng([*chance, 0])
    parts = kind.draw(rng)
    pose = draw_pose(parts, rng, kind.tilt, kind.flip)
    photo = paint(parts, pose, kind.scenes[rng.integers(len(kind.scenes))], rng)
    lines = visible_lines(parts, pose)
    return photo, [trace(lines, np.random.default_rng([*chance, n])) for n in range(1, sketches + 1)]


def _draw(job: Job) -> None:
    """Draw and write one photo and its sketches."""
    photo, sketches = draw_pictures(job.category, job.number, job.sketches, job.seed)
    photo_id = f"{job.category}_{job.number:05d}"
    photo.save(job.folder / "photo" / DEFAULT_RENDERING / job.category / f"{photo_id}.jpg", quality=92)
    for n, sketch in enumerate(sketches, 1):
        sketch.save(job.folder / "sketch" / DEFAULT_RENDERING / job.category / f"{photo_id}-{n}.png")


def _done(jobs: Sequence[Job], workers: int | None) -> Iterator[None]:
    """Do the jobs, in other processes where that pays; yield after each."""
    if workers is None:
        workers = min(os.cpu_count() or 1, len(jobs) // PHOTOS_EACH)
    if workers <= 1:
        yield from map(_draw, jobs)
        return
    with processes(workers) as pool:
        yield from pool.map(_draw, jobs)


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
