"""TensorBoard logging: the columns of history.csv as curves, and pictures of retrievals."""

from pathlib import Path

import numpy as np
from PIL import Image

from sketchy.extras import require
from sketchy.results import EpochResult


class Board:
    """Event files that TensorBoard shows.

    Args:
        folder: The folder of the event files; a resumed run adds one.
        epoch: Number of finished epochs; what the files hold of later ones, which were not saved, is no longer shown.

    Raises:
        MissingExtraError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path, epoch: int) -> None:
        require_tensorboard()
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=epoch + 1)

    def add(self, row: EpochResult, picture: Image.Image | None = None) -> None:
        """Add an epoch, with a picture of retrievals."""
        for name, value in row.columns.items():
            group = "validation" if name.startswith("val_") else "training"
            self._writer.add_scalar(f"{group}/{name}", value, row.epoch)
        if picture is not None:
            pixels = np.asarray(picture)
            self._writer.add_image("retrievals", pixels, row.epoch, dataformats="HWC")
        self._writer.flush()


def require_tensorboard() -> None:
    """Raise MissingExtraError if TensorBoard is not installed."""
    require("tensorboard", "train.tensorboard")
