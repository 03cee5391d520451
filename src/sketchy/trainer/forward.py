"""The forward pass of a training step, in a precision, on one or many devices, compiled or not."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sketchy.config import Precision
from sketchy.loss.batch import LossOutput
from sketchy.loss.objective import Labels, Objective
from sketchy.model.encoder import Siamese
from sketchy.trainer.compiled import compile_module
from sketchy.trainer.parallel import World

DTYPES: dict[Precision, torch.dtype] = {
    "float32": torch.float32,
    "tf32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


class LoadedBatch(NamedTuple):
    """A batch on the device, ready for a training step.

    Attributes:
        sketches: This rank's shard of the sketches, shape (B/size, 1, S, S), uint8, augmented.
        photos: This rank's shard of the photos, shape (B/size, C, S, S), uint8, augmented.
        sketch_labels: Labels of all B sketches.
        photo_labels: Labels of all B photos.
    """

    sketches: Tensor
    photos: Tensor
    sketch_labels: Labels
    photo_labels: Labels


class ForwardPass(nn.Module):
    """Embeds this rank's shard of a batch, and computes the loss of the whole batch.

    Args:
        network: Embeds sketches and photos.
        loss: The objective.
        world: The processes that train together.
    """

    def __init__(self, network: nn.Module, loss: Objective, world: World) -> None:
        super().__init__()
        self.network = network
        self.loss = loss
        self.world = world

    def forward(self, sketches: Tensor, photos: Tensor, sketch_labels: Labels, photo_labels: Labels) -> LossOutput:
        """Return the loss; arguments as in `LoadedBatch`."""
        sketches, photos = self.network(sketches, photos)
        whole = self.world.gather(sketches.float()), self.world.gather(photos.float())
        output: LossOutput = self.loss(*whole, sketch_labels, photo_labels)
        return output


def build_forward_pass(
    siamese: Siamese,
    loss: Objective,
    world: World,
    precision: Precision,
    *,
    compiled: bool,
    or_plain: bool,
    captured: bool,
) -> nn.Module:
    """Return a forward pass whose parameters are those of a network and a loss.

    Args:
        siamese: The network.
        loss: The objective.
        world: The processes that train together.
        precision: Precision of the network; TF32 is set for the whole process.
        compiled: Whether to compile it; if there are several processes, which exchange embeddings, the network only.
        or_plain: See `compile_module`.
        captured: Whether the whole update is captured as a CUDA graph, in which none may lie.
    """
    allow_tf32(precision == "tf32")
    graphs = world.device.type == "cuda" and not captured
    network: nn.Module = _Autocast(siamese, DTYPES[precision])
    if compiled and world.size > 1:
        network = compile_module(network, graphs=graphs, or_plain=or_plain)
    whole = ForwardPass(world.parallel(network), loss, world)
    if compiled and world.size == 1:
        return compile_module(whole, graphs=graphs, or_plain=or_plain)
    return whole


def allow_tf32(allowed: bool) -> None:
    """Choose whether a GPU may round the factors of float32 matrix products to TF32, with 10 bits of mantissa.

    PyTorch lets cuDNN's convolutions do so in any case.
    """
    torch.set_float32_matmul_precision("high" if allowed else "highest")


class _Autocast(nn.Module):
    """Runs a network in a dtype; as a module, so that autocast is also on in the threads of DataParallel."""

    def __init__(self, network: Siamese, dtype: torch.dtype) -> None:
        super().__init__()
        self.network = network
        self.dtype = dtype

    def forward(self, sketches: Tensor, photos: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(sketches.device.type, self.dtype, enabled=self.dtype != torch.float32):
            embeddings: tuple[Tensor, Tensor] = self.network(sketches, photos)
        return embeddings
