"""Our own backbones. To add one: a function here and its line in `OWN_BACKBONES` of `sketchy.choices`."""

import itertools

from torch import nn

from sketchy.model.backbone import Backbone


def report_cnn(size: int, in_channels: int) -> Backbone:
    """Make the report's network up to its last layer.

    Three times Conv2d, ReLU, BatchNorm2d, then Linear, ReLU, Linear, ReLU; the encoder's head is the third Linear,
    with no activation after it. The report gives neither channels nor widths: 4, 8, 8 and 500, 500 are those of the
    Siamese tutorial that its design follows. The first Linear holds nearly all weights: 8 x size² x 500, 40
    million at 100 px.
    """
    widths = (in_channels, 4, 8, 8)
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(after)]
    layers += [nn.Flatten(), nn.Linear(8 * size**2, 500), nn.ReLU(), nn.Linear(500, 500), nn.ReLU()]
    return Backbone(nn.Sequential(*layers), 500, in_channels)


def pooled_cnn(size: int, in_channels: int) -> Backbone:
    """Make the report's network with pooling: each convolution halves the image, and the last is averaged.

    It has 0.1 million weights instead of 40 although its layers are wider, and takes images of any size.
    """
    widths = (in_channels, 32, 64, 128)
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(after), nn.MaxPool2d(2)]
    return Backbone(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), widths[-1], in_channels)
