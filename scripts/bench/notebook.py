"""The system of the report as a notebook has it, to compare with: PIL for every item, DataLoader, Adam, two passes."""

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from sketchy.choices import PairsConfig
from sketchy.config import Config
from sketchy.dataset.loader import Dataset
from sketchy.model.encoder import build_encoder
from sketchy.runtime import seed_everything


class Pairs(TorchDataset[tuple[Tensor, Tensor, float]]):
    """Random pairs, decoded one by one.

    Args:
        data: The dataset.
        size: Side of the images in pixels.
        repeats: How often an epoch takes each sketch.
    """

    def __init__(self, data: Dataset, size: int, repeats: int) -> None:
        self.data, self.size = data, size
        part = data.parts["train"]
        self.sketches, self.photos = repeats * part.sketches.tolist(), part.photos.tolist()

    def __len__(self) -> int:
        """Return the number of pairs of an epoch."""
        return len(self.sketches)

    def __getitem__(self, item: int) -> tuple[Tensor, Tensor, float]:
        """Return a sketch and a photo, each (1, S, S) float32 from 0 to 1, and 1 where they do not match, else 0."""
        pack = self.data.pack
        category = pack.sketch_category[self.sketches[item]]
        other = item % 2 == 1
        while True:
            photo = self.photos[int(torch.randint(len(self.photos), ()))]
            if (pack.photo_category[photo] != category) == other:
                break
        sketch = self._decoded(self.data.sketch_file(self.sketches[item]))
        return sketch, self._decoded(self.data.photo_file(photo)), float(other)

    def _decoded(self, content: bytes) -> Tensor:
        image = Image.open(io.BytesIO(content)).convert("L").resize((self.size, self.size))
        return torch.from_numpy(np.array(image)).float().div(255)[None]


class Notebook:
    """A network in training.

    Args:
        config: Gives the network, the size of images and batches, the learning rate and the seed.
        data: The dataset.
        device: Where the network is.
        repeats: How often an epoch takes each sketch; more than once, so that a small dataset is not begun too often.
    """

    def __init__(self, config: Config, data: Dataset, device: torch.device | str = "cpu", repeats: int = 1) -> None:
        seed_everything(config.train.seed)
        encoder = build_encoder(config, load_pretrained=False)
        self.network = nn.Sequential(encoder.backbone, encoder.head).to(device)
        self.device = device
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=config.train.learning_rate)
        assert isinstance(config.sampler, PairsConfig), "a notebook trains on pairs"
        self.pairs = config.sampler.batch_size
        self.loader = DataLoader(
            Pairs(data, config.image.size, repeats), self.pairs, shuffle=True, drop_last=True, num_workers=2
        )
        self.batches = iter(self.loader)

    def take(self, steps: int) -> None:
        """Take so many training steps."""
        for _ in range(steps):
            batch = next(self.batches, None)
            if batch is None:
                self.batches = iter(self.loader)
                batch = next(self.batches)
            sketches, photos, other = (part.to(self.device) for part in batch)
            distance = nn.functional.pairwise_distance(self.network(sketches), self.network(photos))
            loss = ((1 - other) / 2 * distance**2 + other / 2 * (2 - distance).clamp(min=0) ** 2).mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
