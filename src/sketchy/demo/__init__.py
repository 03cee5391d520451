"""A small dataset of photos and sketches that are drawn by program, to try everything without a download."""

from sketchy.demo.dataset import draw_dataset, draw_pair
from sketchy.demo.things import CATEGORIES

__all__ = ["CATEGORIES", "draw_dataset", "draw_pair"]
