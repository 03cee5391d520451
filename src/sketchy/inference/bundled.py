"""The bundled model: an exported model that comes with the package, for those who have not trained one."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from sketchy.model.checkpoint import Checkpoint

BUNDLED = Path(__file__).with_name("bundled.zip")
"""The exported model; docs/model-card.md says what it was trained on and how good it is."""


def bundle(checkpoint: "Checkpoint") -> "Checkpoint":
    """Return a checkpoint fit to be shipped: half the size, without any path of the machine that trained it.

    Kernels and matrices become float16, which moves embeddings by about 0.001; statistics and biases, which are few and
    may be large, stay float32. Paths in the config are set back to their defaults.
    """
    return replace(
        checkpoint,
        config=checkpoint.config.with_paths(lambda path, default: True if default is False else default),
        weights={name: _halved(weight) for name, weight in checkpoint.weights.items()},
        training=None,
    )


def _halved(weight: "Tensor") -> "Tensor":
    return weight.half().contiguous() if weight.ndim > 1 else weight
