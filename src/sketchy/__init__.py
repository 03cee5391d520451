"""Find a photo by drawing it: sketch-based image retrieval."""

__version__ = "0.1.0"
