"""The encoder: bytes of images in, embeddings out; and the Siamese pair that trains it."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sketchy.config import Config, LayoutConfig
from sketchy.errors import ConfigError
from sketchy.image import Kind
from sketchy.model.backbone import Backbone, build_backbone
from sketchy.model.domain_norm import choose_norms, norms_of, split_norms
from sketchy.model.layout import with_layout

WIDE = 16
"""Channels from which on a convolution is worth the channels-last memory format."""


class Encoder(nn.Module):
    """Scaling of pixels, a backbone and a head. Sketches and photos go through the same weights.

    Args:
        backbone: what makes features.
        embedding_size: D, numbers in an embedding.
        mean: subtracted from pixels in [0, 1], one number a colour; a grey input uses the first.
        std: divides after that.
        dropout: share of features dropped before the head while training, in [0, 1).
        normalize: put embeddings on the unit sphere.
        domain_norm: give sketches and photos batch norms of their own.
        layout: gives a part of the embedding to where things lie; None does not.

    Raises:
        ConfigError: as `with_layout`.
    """

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
        domain_norm: bool = False,
        layout: LayoutConfig | None = None,
    ) -> None:
        super().__init__()
        if domain_norm:
            split_norms(backbone.network)
        self.in_channels = backbone.in_channels
        self.embedding_size = embedding_size
        self.normalize = normalize
        self.backbone = backbone.network
        self.dropout = nn.Dropout(dropout)
        self.head: nn.Module
        if layout:
            self.backbone, self.head = with_layout(backbone.network, backbone.features, embedding_size, layout)
        else:
            self.head = nn.Linear(backbone.features, embedding_size)
        for name, values in (("mean", mean), ("std", std)):
            per_channel = torch.tensor(values, dtype=torch.float32)[: self.in_channels]
            self.register_buffer(name, per_channel.view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor, kind: Kind) -> Tensor:
        """Embed images.

        Args:
            images: (B, C, S, S) uint8; C is 1 or the encoder's channels. A grey image fills all channels.
            kind: what all of them are.

        Returns:
            (B, D) float; of length 1 where `normalize` is set.
        """
        return self.finish(self.begin(images, kind))

    def begin(self, images: Tensor, kind: Kind) -> Tensor:
        """Go as far as images of a kind must go alone: to where no layer looks at more than one image any more."""
        choose_norms(self.backbone, kind)
        pixels = images.float().div(255).expand(-1, self.in_channels, -1, -1)
        features: Tensor = self._chain()[0]((pixels - self.mean) / self.std)
        return features

    def finish(self, features: Tensor) -> Tensor:
        """Go on from there, with images of any kind."""
        embedding: Tensor = self.head(self.dropout(self._chain()[1](features)))
        return F.normalize(embedding, dim=1) if self.normalize else embedding

    def _chain(self) -> tuple[nn.Module, nn.Module]:
        """Cut the backbone before its Flatten where it is a plain chain: what follows has no norms in our networks."""
        if type(self.backbone) is nn.Sequential:
            places = [place for place, layer in enumerate(self.backbone) if isinstance(layer, nn.Flatten)]
            cut = places[0] if places else len(self.backbone)
            return self.backbone[:cut], self.backbone[cut:]
        return self.backbone, nn.Identity()


class Siamese(nn.Module):
    """Two branches that are one encoder: what is trained, and what is spread over GPUs."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, sketches: Tensor, photos: Tensor) -> tuple[Tensor, Tensor]:
        """Embed (B, 1, S, S) and (B, C, S, S) uint8 images to (B, D) each.

        Batch norm sees the sketches' and the photos' statistics apart, as in the report. What comes after the last
        norm is one pass over both: for report_cnn the 40 million weights of its first Linear are then read once, not
        twice, and two gradients of their size need no adding (docs/benchmarks.md).
        """
        begun = self.encoder.begin(sketches, "sketch"), self.encoder.begin(photos, "photo")
        both = self.encoder.finish(torch.cat(begun))
        return both[: len(sketches)], both[len(sketches) :]

    def placed(self, device: torch.device) -> "Siamese":
        """Move to a device, in the memory format in which it trains fastest, and return itself.

        Channels last suit wide layers; with report_cnn's 4 and 8 channels batch norm takes four times as long.
        """
        channels = [module.out_channels for module in self.modules() if isinstance(module, nn.Conv2d)]
        wide = max(channels, default=0) >= WIDE
        return self.to(device, memory_format=torch.channels_last if wide else torch.contiguous_format)  # type: ignore[call-overload,no-any-return]


def build_encoder(config: Config, *, load_pretrained: bool = True) -> Encoder:
    """Make the encoder that the config describes, with weights drawn from torch's global generator.

    Args:
        config: sections image and model are read.
        load_pretrained: False skips `model.pretrained`, for when a checkpoint is loaded over the weights.

    Raises:
        ConfigError: as `build_backbone` and `with_layout`, or `model.domain_norm` is asked of a network without batch
            norms.
        CheckpointError: as `build_backbone`.
    """
    backbone = build_backbone(
        config.model.backbone,
        size=config.image.size,
        grey=config.image.color == "grey",
        pretrained=config.model.pretrained if load_pretrained else False,
    )
    encoder = Encoder(
        backbone,
        embedding_size=config.model.embedding_size,
        mean=config.image.mean,
        std=config.image.std,
        dropout=config.model.dropout,
        normalize=config.model.normalize,
        domain_norm=config.model.domain_norm,
        layout=config.model.layout,
    )
    if config.model.domain_norm and not norms_of(encoder.backbone):
        raise ConfigError(f"model.domain_norm: {config.model.backbone} has no batch norms to split; set it to false")
    return encoder
