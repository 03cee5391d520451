"""The precision of the forward pass in training."""

import torch
from torch import Tensor, nn

from sketchy.model.encoder import Siamese

PRECISIONS = {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def in_precision(network: Siamese, precision: str) -> nn.Module:
    """Return a module that runs a network in one of PRECISIONS; TF32 is set for the whole process."""
    allow_tf32(precision == "tf32")
    return _Autocast(network, PRECISIONS[precision])


def allow_tf32(allowed: bool) -> None:
    """Choose whether a GPU may round the factors of float32 matrix products to TF32, with 10 bits of mantissa."""
    torch.set_float32_matmul_precision("high" if allowed else "highest")


class _Autocast(nn.Module):
    """Runs a network in a precision; as a module, so that autocast is also on in the threads of DataParallel."""

    def __init__(self, network: Siamese, precision: torch.dtype) -> None:
        super().__init__()
        self.network = network
        self.precision = precision

    def forward(self, sketches: Tensor, photos: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(sketches.device.type, self.precision, enabled=self.precision != torch.float32):
            embeddings: tuple[Tensor, Tensor] = self.network(sketches, photos)
        return embeddings
