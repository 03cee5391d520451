"""`sketchy data demo`: a small dataset drawn by program."""

from pathlib import Path

from sketchy.demo import draw_dataset
from sketchy.results import MadeFolder
from sketchy.talk import SILENT, Talk


def run(out: Path, *, photos: int, sketches: int, categories: int | None, seed: int, talk: Talk = SILENT) -> MadeFolder:
    """Draw the demo dataset; arguments and errors as `draw_dataset`."""
    return draw_dataset(out, photos=photos, sketches=sketches, categories=categories, seed=seed, progress=talk.bar)
