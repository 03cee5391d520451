"""The bundled model: an exported model that comes with the package, for those who have not trained one."""

from pathlib import Path

BUNDLED = Path(__file__).with_name("bundled.zip")
"""The exported model, made by scripts/bundle_model.py; docs/model-card.md has its training and its quality."""
