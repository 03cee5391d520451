"""MobileNetV2 without torchvision, which takes as long to import as torch.

Layers, names and the random weights of a seed equal those of torchvision, which tests verify.
"""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

DROPOUT = 0.2
CLASSES = 1000


class Stage(NamedTuple):
    """A row of table 2 of the paper: `blocks` of `channels` each; the first has the stride."""

    expansion: int
    channels: int
    blocks: int
    stride: int
    kernel: int = 3


STAGES = (
    Stage(1, 16, 1, 1),
    Stage(6, 24, 2, 2),
    Stage(6, 32, 3, 2),
    Stage(6, 64, 4, 2),
    Stage(6, 96, 3, 1),
    Stage(6, 160, 3, 2),
    Stage(6, 320, 1, 1),
)


class MobileNetV2(nn.Module):
    """The network of Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (2018), width 1.0.

    Args:
        stages: The inverted residuals between the first and the last convolution.
    """

    def __init__(self, stages: Sequence[Stage] = STAGES) -> None:
        super().__init__()
        blocks: list[nn.Module] = [_convolution(3, 32, size=3, stride=2)]
        channels = 32
        for stage in stages:
            for index in range(stage.blocks):
                stride = stage.stride if index == 0 else 1
                blocks.append(_InvertedResidual(channels, stage._replace(stride=stride)))
                channels = stage.channels
        self.features = nn.Sequential(*blocks, _convolution(channels, 1280, size=1))
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(1280, CLASSES))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
                nn.init.zeros_(module.bias)

    def forward(self, pixels: Tensor) -> Tensor:
        """Map (B, 3, S, S) to (B, 1000)."""
        classes: Tensor = self.classifier(self.pool(self.features(pixels)))
        return classes


class _InvertedResidual(nn.Module):
    """Expansion, depthwise convolution and projection; with a residual connection if the shapes agree."""

    def __init__(self, before: int, stage: Stage) -> None:
        super().__init__()
        wide = before * stage.expansion
        widen = [_convolution(before, wide, size=1)] if stage.expansion > 1 else []
        self.conv = nn.Sequential(
            *widen,
            _convolution(wide, wide, size=stage.kernel, stride=stage.stride, groups=wide),
            nn.Conv2d(wide, stage.channels, 1, bias=False),
            nn.BatchNorm2d(stage.channels),
        )
        self.residual = stage.stride == 1 and before == stage.channels

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.conv(features)
        return features + out if self.residual else out


def _convolution(before: int, after: int, *, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride, (size - 1) // 2, groups=groups, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU6(inplace=True),
    )
