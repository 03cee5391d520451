"""The interface of the engines, and the number of threads that they compute with."""

import os
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sketchy.image import Kind

GPU_FILES = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""Device files of the drivers of GPUs: NVIDIA, NVIDIA in WSL, AMD."""


class Engine(Protocol):
    """Computes embeddings. Safe to use from several threads.

    Attributes:
        name: Name of the engine for people.
        batch_size: Number of images per forward pass.
    """

    name: str
    batch_size: int

    def embed(self, pixels: NDArray[np.uint8], kind: Kind) -> NDArray[np.float32]:
        """Embed preprocessed images of a kind.

        Args:
            pixels: Images as `Preprocess.load` returns them, shape (B, C, S, S), uint8; B may be 0.
            kind: Kind of all images.

        Returns:
            Embeddings, shape (B, D), float32.
        """

    def share_cores(self) -> None:
        """Use half of the cores from now on, for a server: others are busy with shrinking photos and the browser."""


def thread_count() -> int:
    """Return the number of threads for one forward pass: OMP_NUM_THREADS, else the cores that the process may use."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(usable, _quota() or usable))


def _quota() -> int | None:
    """Return how many cores a container may use (cgroup v2), rounded up; None if there is no limit."""
    try:
        limit, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return -(-int(limit) // int(period))
    except (OSError, ValueError, ZeroDivisionError):  # also "max", which is no limit
        return None


def gpu_may_exist() -> bool:
    """Return whether the machine may have a GPU, without asking PyTorch, whose import takes seconds."""
    return any(Path(file).exists() for file in GPU_FILES)
