"""Embed images, search a gallery, show the hits."""
