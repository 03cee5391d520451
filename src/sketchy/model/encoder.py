"""The encoder: uint8 images in, embeddings out; and the Siamese network that trains it."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sketchy.config import Config, SpatialConfig
from sketchy.errors import ConfigError
from sketchy.image import Kind
from sketchy.model.anchors import AnchorAttention
from sketchy.model.backbone import Backbone, build_backbone
from sketchy.model.domain_norm import norms_of, select_norms, split_norms
from sketchy.model.gradients import OrientedGradients
from sketchy.model.spatial import add_spatial_head

WIDE = 16
"""Number of channels from which the channels-last memory format pays."""


class Encoder(nn.Module):
    """Scaling of pixels, a backbone and a head. Sketches and photos share all weights but domain norms.

    Args:
        backbone: Makes features of pixels.
        embedding_size: D, the dimensions of an embedding.
        mean: Subtracted from pixels in [0, 1], one number per colour; a grey input uses the first.
        std: Divisor after that.
        dropout: Share of features dropped before the head in training, in [0, 1).
        normalize: Whether to scale embeddings to length 1.
        spatial: Settings of the spatial embedding; None has none.

    Attributes:
        anchors: Attention to known things, which a finished model has; None in training.

    Raises:
        ConfigError: As `add_spatial_head`.
    """

    anchors: AnchorAttention | None
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: Backbone,
        *,
        embedding_size: int,
        mean: Sequence[float],
        std: Sequence[float],
        dropout: float,
        normalize: bool,
        spatial: SpatialConfig | None = None,
    ) -> None:
        super().__init__()
        self.in_channels = backbone.in_channels
        self.embedding_size = embedding_size
        self.classes = backbone.classes  # no weights of its own: the start of a loss
        self.normalize = normalize
        self.backbone = backbone.network
        self.dropout = nn.Dropout(dropout)
        self.anchors = None
        self.gradients = OrientedGradients(spatial.gradients) if spatial and spatial.gradients else None
        self.head: nn.Module
        if spatial:
            self.backbone, self.head = add_spatial_head(backbone.network, backbone.features, embedding_size, spatial)
        else:
            self.head = nn.Linear(backbone.features, embedding_size)
        for name, values in (("mean", mean), ("std", std)):
            per_channel = torch.tensor(values, dtype=torch.float32)[: self.in_channels]
            self.register_buffer(name, per_channel.view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor, kind: Kind) -> Tensor:
        """Embed images.

        Args:
            images: Shape (B, C, S, S), uint8; C is 1 or the encoder's channels. A grey image fills all channels.
            kind: The kind of all of them.

        Returns:
            Embeddings, shape (B, D), float; of length 1 if `normalize` is set.
        """
        return self.embed(self.describe(self.backbone(self.scale(images, kind)), images, kind))

    def scale(self, images: Tensor, kind: Kind) -> Tensor:
        """Return the backbone's input for images of a kind, and select the batch norms of that kind."""
        select_norms(self.backbone, kind)
        pixels = images.float().div(255).expand(-1, self.in_channels, -1, -1)
        return (pixels - self.mean) / self.std

    def describe(self, features: Tensor, images: Tensor, kind: Kind) -> Tensor:
        """Append the oriented gradients of images to the backbone's features of them, if the head takes any."""
        return features if self.gradients is None else torch.cat([features, self.gradients(images, kind)], 1)

    def embed(self, features: Tensor) -> Tensor:
        """Map the features of images of any kind to embeddings."""
        embedding: Tensor = self.head(self.dropout(features))
        if self.normalize:
            embedding = F.normalize(embedding, dim=1)
        return embedding if self.anchors is None else self.anchors(embedding)


class Siamese(nn.Module):
    """Two branches that share one encoder: the network that is trained."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, sketches: Tensor, photos: Tensor) -> tuple[Tensor, Tensor]:
        """Embed (B, 1, S, S) and (B, C, S, S) uint8 images to (B, D) each.

        Batch norms see sketches and photos separately, as in the report. Layers without them take both in one batch:
        the 40 million weights of report_cnn's first Linear are then read once instead of twice, and two gradients of
        their size need not be added (docs/benchmarks.md).
        """
        separate, joint = _before_and_after_flatten(self.encoder.backbone)
        encoder = self.encoder
        of_sketches = encoder.describe(separate(encoder.scale(sketches, "sketch")), sketches, "sketch")
        of_photos = encoder.describe(separate(encoder.scale(photos, "photo")), photos, "photo")
        embeddings = self.encoder.embed(joint(torch.cat([of_sketches, of_photos])))
        return embeddings[: len(sketches)], embeddings[len(sketches) :]

    def placed(self, device: torch.device) -> "Siamese":
        """Move to a device, in the memory format in which it trains fastest, and return itself.

        Channels last suits wide layers; with the 4 and 8 channels of report_cnn batch norm takes four times as long.
        """
        channels = [module.out_channels for module in self.modules() if isinstance(module, nn.Conv2d)]
        wide = max(channels, default=0) >= WIDE
        return self.to(device, memory_format=torch.channels_last if wide else torch.contiguous_format)  # type: ignore[call-overload,no-any-return]


def _before_and_after_flatten(backbone: nn.Module) -> tuple[nn.Module, nn.Module]:
    """Cut a plain chain of layers before its Flatten, after which no layer looks at more than one image."""
    if type(backbone) is nn.Sequential:
        for index, layer in enumerate(backbone):
            if isinstance(layer, nn.Flatten):
                return backbone[:index], backbone[index:]
    return backbone, nn.Identity()


def build_encoder(config: Config, *, load_pretrained: bool = True) -> Encoder:
    """Make the encoder that the config describes, with weights drawn from torch's global generator.

    Args:
        config: Its sections image and model are read.
        load_pretrained: False skips `model.pretrained`, for when the weights come from a checkpoint.

    Raises:
        ConfigError: As `build_backbone` and `add_spatial_head`, or `model.domain_norm` is set for a network without
            batch norms.
        CheckpointError: As `build_backbone`.
    """
    backbone = build_backbone(
        config.model.backbone,
        size=config.image.size,
        grey=config.image.color == "grey",
        pretrained=config.model.pretrained if load_pretrained else False,
    )
    if config.model.domain_norm:
        split_norms(backbone.network)
        if not norms_of(backbone.network):
            raise ConfigError(
                f"model.domain_norm: {config.model.backbone} has no batch norms to split; set it to false"
            )
    return Encoder(
        backbone,
        embedding_size=config.model.embedding_size,
        mean=config.image.mean,
        std=config.image.std,
        dropout=config.model.dropout,
        normalize=config.model.normalize,
        spatial=config.model.spatial,
    )
