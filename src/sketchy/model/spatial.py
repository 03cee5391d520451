"""The spatial embedding: where in the image its parts lie, as some dimensions of the embedding.

Features averaged over the whole image tell what it shows but not how it is arranged, which is what tells the traced
photo from others of its category. An intermediate block, averaged over the cells of a grid only, keeps the arrangement.
Beside it, oriented gradients (`sketchy.model.gradients`) tell apart scenes whose things the network does not know.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sketchy.config import SpatialConfig
from sketchy.errors import ConfigError
from sketchy.model.gradients import OrientedGradients


class SpatialBackbone(nn.Module):
    """A chain of blocks that returns globally averaged features, followed by those of one block on a grid.

    Args:
        features: The blocks; they keep their names.
        block: Index of the block that is averaged over a grid.
        grid: Cells per side.
    """

    def __init__(self, features: nn.Sequential, block: int, grid: int) -> None:
        super().__init__()
        self.features = features
        self.block = block
        self.grid = grid

    def forward(self, pixels: Tensor) -> Tensor:
        """Map (B, C, S, S) to (B, whole + cells)."""
        cells = pixels
        for index, block in enumerate(self.features):
            pixels = block(pixels)
            if index == self.block:
                cells = F.adaptive_avg_pool2d(pixels, self.grid).flatten(1)
        return torch.cat([pixels.mean((2, 3)), cells], 1)


class SpatialHead(nn.Module):
    """A linear layer for the features of the whole image and one for those of cells, each normalised to length 1.

    The squared distance of two embeddings, which have length 1, is (1 - share) times that of the first parts plus share
    times that of the second. The second layer is not trained together with the first, since it would then only learn
    categories as well: its share is 0 until `sketchy.trainer.spatial` has fitted it.

    Args:
        whole: Number of features of the whole image.
        cells: Number of features of all cells together.
        gradients: Number of oriented gradients, which the second layer takes beside those of the cells; may be 0.
        embedding_size: D, both parts together.
        spatial_size: Dimensions of the second part, below D.
    """

    share: Tensor

    def __init__(self, whole: int, cells: int, gradients: int = 0, *, embedding_size: int, spatial_size: int) -> None:
        super().__init__()
        self.features = [whole, cells, gradients] if gradients else [whole, cells]
        self.whole = nn.Linear(whole, embedding_size - spatial_size)
        self.cells = nn.Linear(cells + gradients, spatial_size).requires_grad_(False)
        self.register_buffer("share", torch.zeros(()))

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, whole + cells + gradients) to (B, D)."""
        semantic = F.normalize(self.whole(features[:, : self.features[0]]), dim=1) * (1 - self.share).sqrt()
        spatial = F.normalize(self.cells(self.spatial_features(features)), dim=1) * self.share.sqrt()
        return torch.cat([semantic, spatial], 1)

    def spatial_features(self, features: Tensor) -> Tensor:
        """Return what the second layer takes, shape (B, cells + gradients), of all features."""
        _, cells, *gradients = torch.split(features, self.features, 1)
        return torch.cat([rms_normalize(cells), *(part * part.shape[1] ** 0.5 for part in gradients)], 1)


def rms_normalize(features: Tensor) -> Tensor:
    """Scale (B, N) features to a root mean square of 1: those of photos are larger than those of sketches."""
    normalized: Tensor = F.normalize(features, dim=1) * features.shape[1] ** 0.5
    return normalized


def add_spatial_head(
    network: nn.Module, features: int, embedding_size: int, spatial: SpatialConfig
) -> tuple[SpatialBackbone, SpatialHead]:
    """Return a backbone that also gives the features of a block on a grid, and the head for it.

    Args:
        network: A chain of blocks called `features` and an average, and no more: MobileNet, EfficientNet and VGG.
        features: Number of features per image of the network.
        embedding_size: D.
        spatial: Which block, how fine a grid, and how much of the embedding.

    Raises:
        ConfigError: The network is built in another way, has no such block, or D leaves no room.
    """
    blocks = getattr(network, "features", None)
    if not isinstance(blocks, nn.Sequential) or not isinstance(getattr(network, "classifier", None), nn.Identity):
        raise ConfigError(
            "model.spatial: takes mobilenet_v2, mobilenet_v3_large, efficientnet_b0, efficientnet_lite0 to 2 or vgg16; "
            "set it to null"
        )
    if spatial.block >= len(blocks):
        raise ConfigError(f"model.spatial.block: the network has blocks 0 to {len(blocks) - 1}, not {spatial.block}")
    if spatial.size >= embedding_size:
        raise ConfigError(
            f"model.spatial.size: {spatial.size} leaves nothing of model.embedding_size {embedding_size}; "
            "use a quarter of it"
        )
    cells = _channels(blocks[: spatial.block + 1]) * spatial.grid**2
    gradients = OrientedGradients(spatial.gradients).features if spatial.gradients else 0
    head = SpatialHead(features, cells, gradients, embedding_size=embedding_size, spatial_size=spatial.size)
    return SpatialBackbone(blocks, spatial.block, spatial.grid), head


def _channels(blocks: nn.Sequential) -> int:
    """Return the number of output channels of the blocks, which their last convolution sets."""
    convolutions = [module for module in blocks.modules() if isinstance(module, nn.Conv2d)]
    return convolutions[-1].out_channels
