"""Where things lie in an image, as a part of its embedding.

Features averaged over the image tell what it shows and forget how that lies in it, which is what tells the traced photo
from others of its category. A block in the middle of the network, averaged over the cells of a grid alone, still knows.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sketchy.config import LayoutConfig
from sketchy.errors import ConfigError


class Gridded(nn.Module):
    """A chain of blocks: features of the last averaged over the image, and behind them those of another on a grid.

    Args:
        features: the blocks; they keep their names.
        block: place of the earlier one.
        grid: cells a side.
    """

    def __init__(self, features: nn.Sequential, block: int, grid: int) -> None:
        super().__init__()
        self.features = features
        self.block = block
        self.grid = grid

    def forward(self, pixels: Tensor) -> Tensor:
        """Make (B, whole + cells) of (B, C, S, S)."""
        cells = pixels
        for place, block in enumerate(self.features):
            pixels = block(pixels)
            if place == self.block:
                cells = F.adaptive_avg_pool2d(pixels, self.grid).flatten(1)
        return torch.cat([pixels.mean((2, 3)), cells], 1)


class LayoutHead(nn.Module):
    """A linear head for the features of the whole image and one for those of the cells, each on a sphere of its own.

    The squared distance of two embeddings, which have length 1, is (1 - share) of that of the first parts and share of
    that of the second. The second head does not learn beside the first, which would make it one more way to tell
    categories apart: its share is 0 until `fit` of trainer/layout.py has taught it.

    Args:
        whole: features of the whole image.
        cells: features of all cells.
        embedding_size: D, both parts together.
        layout_size: numbers of the second part, below D.
    """

    share: Tensor

    def __init__(self, whole: int, cells: int, *, embedding_size: int, layout_size: int) -> None:
        super().__init__()
        self.features = [whole, cells]
        self.whole = nn.Linear(whole, embedding_size - layout_size)
        self.cells = nn.Linear(cells, layout_size).requires_grad_(False)
        self.register_buffer("share", torch.zeros(()))

    def forward(self, features: Tensor) -> Tensor:
        """Make (B, D) of (B, whole + cells)."""
        whole, cells = torch.split(features, self.features, 1)
        what = F.normalize(self.whole(whole), dim=1) * (1 - self.share).sqrt()
        where = F.normalize(self.cells(evened(cells)), dim=1) * self.share.sqrt()
        return torch.cat([what, where], 1)


def evened(cells: Tensor) -> Tensor:
    """Bring (B, N) features to a mean square of 1: those of photos are larger than those of sketches."""
    even: Tensor = F.normalize(cells, dim=1) * cells.shape[1] ** 0.5
    return even


def with_layout(
    network: nn.Module, features: int, embedding_size: int, layout: LayoutConfig
) -> tuple[Gridded, LayoutHead]:
    """Return a backbone that also gives a block's features on a grid, and the head for it.

    Args:
        network: a chain of blocks called `features`, an average, and no more: MobileNet, EfficientNet and VGG.
        features: that it gives an image.
        embedding_size: D.
        layout: which block, how fine a grid, and how much of the embedding.

    Raises:
        ConfigError: the network is built in another way, has no such block, or D leaves no room.
    """
    blocks = getattr(network, "features", None)
    if not isinstance(blocks, nn.Sequential) or not isinstance(getattr(network, "classifier", None), nn.Identity):
        raise ConfigError(
            "model.layout: takes mobilenet_v2, mobilenet_v3_large, efficientnet_b0 or vgg16; set it to null"
        )
    if layout.block >= len(blocks):
        raise ConfigError(f"model.layout.block: the network has blocks 0 to {len(blocks) - 1}, not {layout.block}")
    if layout.size >= embedding_size:
        raise ConfigError(
            f"model.layout.size: {layout.size} leaves nothing of model.embedding_size {embedding_size}; "
            "take a fourth of it"
        )
    gridded = Gridded(blocks, layout.block, layout.grid)
    head = LayoutHead(
        features,
        _channels(blocks[: layout.block + 1]) * layout.grid**2,
        embedding_size=embedding_size,
        layout_size=layout.size,
    )
    return gridded, head


def _channels(blocks: nn.Sequential) -> int:
    """Count the channels that come out of blocks, by the last layer in them that sets their number."""
    convolutions = [module for module in blocks.modules() if isinstance(module, nn.Conv2d)]
    return convolutions[-1].out_channels
