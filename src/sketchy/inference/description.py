"""What is known about a trained model besides its weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sketchy.errors import CheckpointError, ConfigError
from sketchy.model.calibration import Calibration
from sketchy.preprocess import Preprocess

if TYPE_CHECKING:
    from sketchy.config import Config


class SpatialPart(NamedTuple):
    """The last `size` numbers of an embedding, which make up `share` of the squared distance, 0 to 1."""

    size: int
    share: float


@dataclass(frozen=True)
class Description:
    """All that searching needs of a model besides its weights.

    Attributes:
        format: Version of the format of its file.
        settings: Settings of the training as plain values, by section.
        fingerprint: Hash of all that determines an embedding, in hex.
        categories: Names of the categories of the training.
        epoch: Number of finished epochs.
        metrics: Metrics of the last of them.
        calibration: Calibration that scores the hits of a sketch; None if the model has none.
        probes: Embeddings of a few sketches not trained on, shape (Q, D), float32; None if the model has none.
        dataset: Hash of the images of the training; None if unknown.
        weights_count: Number of weights.
    """

    format: int
    settings: Mapping[str, Mapping[str, Any]]
    fingerprint: str
    categories: tuple[str, ...]
    epoch: int
    metrics: Mapping[str, float]
    calibration: Calibration | None
    probes: NDArray[np.float32] | None
    dataset: str | None
    weights_count: int

    @cached_property
    def config(self) -> "Config":
        """The settings as a checked `Config`. Raises CheckpointError if this version does not know them."""
        from sketchy.config_file import parse_config, with_current_names  # takes as long as a search

        try:
            remedy = "upgrade sketchy or use another model"
            return parse_config(with_current_names(dict(self.settings)), "the settings in the model", remedy)
        except ConfigError as error:
            raise CheckpointError(str(error)) from None

    @property
    def preprocess(self) -> Preprocess:
        """The preprocessing of the images."""
        image = self.settings["image"]
        stretch = image.get("sketch_stretch")  # which older models lack
        return Preprocess(image["size"], image["color"], image["sketch_crop"], image["sketch_size"], stretch)

    @property
    def embedding_size(self) -> int:
        """Size of an embedding, D."""
        return int(self.settings["model"]["embedding_size"])

    @property
    def normalize(self) -> bool:
        """Whether embeddings have length 1."""
        return bool(self.settings["model"]["normalize"])

    @property
    def spatial(self) -> SpatialPart | None:
        """The spatial part of embeddings; None if they have none."""
        found = self.settings["model"]["spatial"]
        return None if found is None else SpatialPart(found["size"], found["share"])
