"""Photos and sketches drawn by program: a dataset to try everything on without downloading one."""

from sketchy.dataset.demo.draw import draw_demo, draw_pictures

__all__ = ["draw_demo", "draw_pictures"]
