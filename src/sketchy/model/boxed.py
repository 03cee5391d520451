"""The model that comes with the package, for those who have not trained one."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from sketchy.config import DataConfig
from sketchy.model.checkpoint import Checkpoint

BOXED = Path(__file__).with_name("boxed.pth")
"""Its checkpoint; docs/model-card.md says what it was trained on and what it can do."""


def for_the_box(checkpoint: Checkpoint) -> Checkpoint:
    """Return a checkpoint fit to be shipped: half the size, and silent about the machine that it was trained on.

    Kernels and matrices are kept in float16, which moves embeddings by about 0.001; statistics and biases, which are
    few and may be large, stay float32. Settings that name files are set back.
    """
    config = checkpoint.config
    data = config.data.model_copy(update={"root": DataConfig().root, "cache": None, "extra_sketches": None})
    model = config.model.model_copy(update={"pretrained": bool(config.model.pretrained)})
    return replace(
        checkpoint,
        config=config.model_copy(update={"data": data, "model": model}),
        weights={name: _halved(weight) for name, weight in checkpoint.weights.items()},
        training=None,
    )


def _halved(weight: Tensor) -> Tensor:
    return weight.to(torch.float16, memory_format=torch.contiguous_format) if weight.ndim > 1 else weight
