"""The interface of the engines, and the number of threads that they compute with."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sketchy.image import Kind
from sketchy.runtime import usable_cores

GPU_FILES = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""Device files of the drivers of GPUs: NVIDIA, NVIDIA in WSL, AMD."""

CGROUP = Path("/sys/fs/cgroup")
QUOTAS = (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"))
"""Files with the processor time that a container may use and the period in which it may: cgroup v2, and v1."""
WAITING = 4
"""Threads that wait for a drive while others decode."""


class Engine(Protocol):
    """Computes embeddings. Safe to use from several threads.

    Attributes:
        name: Name of the engine for people.
        batch_size: Number of images per forward pass.
        workers: Number of threads that should call `embed` at once to use all cores.
    """

    name: str
    batch_size: int
    workers: int

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
    """Return the number of threads to compute with: OMP_NUM_THREADS, else the cores that the process may use."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    usable = usable_cores()
    return max(1, min(usable, _quota() or usable))


def decoding_pool() -> ThreadPoolExecutor:
    """Make the threads that read and decode images: a few more than compute, as some of them wait for a drive."""
    return ThreadPoolExecutor(thread_count() + WAITING)


def _quota() -> int | None:
    """Return how many cores a container may use, rounded up; None if there is no limit."""
    for names in QUOTAS:
        with suppress(OSError, ValueError, ZeroDivisionError):  # also "max", which is no limit
            limit, period = " ".join((CGROUP / name).read_text() for name in names).split()
            if int(limit) > 0:
                return -(-int(limit) // int(period))
    return None


def gpu_may_exist() -> bool:
    """Return whether the machine may have a GPU, without asking PyTorch, whose import takes seconds."""
    return any(Path(file).exists() for file in GPU_FILES)
