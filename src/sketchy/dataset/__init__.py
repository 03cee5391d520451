"""Sketches and photos: find, check, split, pack, sample."""
