"""`sketchy data demo`: a small synthetic dataset."""

from pathlib import Path

from sketchy.demo import draw_dataset
from sketchy.progress import Progress, no_progress
from sketchy.results import MadeFolder


def run(
    out: Path,
    *,
    photos: int,
    sketches: int,
    categories: int | None,
    seed: int,
    progress: Progress = no_progress,
) -> MadeFolder:
    """Draw the demo dataset; see `draw_dataset`."""
    return draw_dataset(out, photos=photos, sketches=sketches, categories=categories, seed=seed, progress=progress)
