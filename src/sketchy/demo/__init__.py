"""Photos and sketches drawn by program: a dataset to try everything on without downloading one."""

from sketchy.demo.dataset import draw_dataset, draw_pair
from sketchy.demo.things import CATEGORIES

__all__ = ["CATEGORIES", "draw_dataset", "draw_pair"]
