"""Ways to compute the first layers of report_cnn, whose few channels use little of a GPU: which one is fastest?

Each is built here and compiled; one that is worth it moves into the package.
"""

import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from timing import Row

BATCH, SIDE, CHANNELS = 128, 100, (1, 4, 8, 8)
"""Sketches and photos of a step of default.yaml, and the channels of its convolutions."""


def measure_variant(name: str, device: torch.device, *, quick: bool) -> Row:
    """Measure milliseconds of the forward and backward pass of one of VARIANTS in TF32."""
    torch.set_float32_matmul_precision("high")
    torch.compiler.reset()
    batch, side = (4, 16) if quick else (BATCH, SIDE)
    images = torch.rand(batch, 1, side, side, device=device)
    layers, mode = VARIANTS[name]
    module = layers().to(device)
    compiled = torch.compile(module, mode=mode, dynamic=False) if device.type == "cuda" else module

    def step() -> None:
        module.zero_grad()  # a CUDA graph overwrites the gradients of the step before
        compiled(images).square().mean().backward()

    for _ in range(3):
        step()
    steps = 1 if quick else 30
    started = _now(device)
    for _ in range(steps):
        step()
    return {"ms forward and backward": 1000 * (_now(device) - started) / steps}


def _layers(
    channels: tuple[int, ...] = CHANNELS,
    convolution: Callable[..., nn.Module] = nn.Conv2d,
    norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
) -> nn.Module:
    """Return convolution, ReLU and batch norm three times, as in report_cnn."""
    parts: list[nn.Module] = [_Padded(channels[0])]
    for before, after in pairwise(channels):
        parts += [convolution(before, after, 3, padding=1), nn.ReLU(), norm(after)]
    return nn.Sequential(*parts)


class _Padded(nn.Module):
    """Repeats grey images to a number of channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, images: Tensor) -> Tensor:
        return images.expand(-1, self.channels, -1, -1)


class _UnfoldedConv(nn.Module):
    """A convolution as one matrix product over patches."""

    def __init__(self, before: int, after: int, side: int, padding: int) -> None:
        super().__init__()
        self.side, self.padding = side, padding
        self.weight = nn.Parameter(torch.randn(after, before * side * side) / (before * side * side) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(after, 1))

    def forward(self, images: Tensor) -> Tensor:
        patches = F.unfold(images, self.side, padding=self.padding)  # (B, before * side², H * W)
        return (self.weight @ patches + self.bias).view(len(images), -1, *images.shape[2:])


class _FusedNorm(nn.Module):
    """Batch norm from one pass over sums and squares, without running statistics."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        mean = images.mean((0, 2, 3), keepdim=True)
        variance = images.square().mean((0, 2, 3), keepdim=True) - mean.square()
        return (images - mean) * (variance + 1e-5).rsqrt() * self.weight + self.bias


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


VARIANTS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "as it is": (_layers, "reduce-overhead"),
    "the compiler's autotuning": (_layers, "max-autotune"),
    "channels last": (lambda: _layers().to(memory_format=torch.channels_last), "reduce-overhead"),
    "channels padded to 8": (partial(_layers, (8, 8, 8, 8)), "reduce-overhead"),
    "channels padded to 16": (partial(_layers, (16, 16, 16, 16)), "reduce-overhead"),
    "unfold and matmul": (partial(_layers, CHANNELS, _UnfoldedConv), "reduce-overhead"),
    "one fused norm": (partial(_layers, CHANNELS, nn.Conv2d, _FusedNorm), "reduce-overhead"),
    "unfold and matmul, autotuning": (partial(_layers, CHANNELS, _UnfoldedConv), "max-autotune"),
}
"""Ways to build the layers, and modes of the compiler, by name."""
