"""Cores, device, memory and random generators of the process. Imports PyTorch only where it is asked."""

import ctypes
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sketchy.errors import ConfigError

if TYPE_CHECKING:
    import torch

MALLOPT = ((-4, 0), (-1, 2**31 - 1))
"""Parameters of glibc's `mallopt`: no block is mapped separately (M_MMAP_MAX), and up to 2 GiB of freed memory are kept
(M_TRIM_THRESHOLD)."""


def usable_cores() -> int:
    """Return the number of cores that this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pick_device(name: str) -> "torch.device":
    """Return the device with the name `auto`, `cpu`, `cuda` or `cuda:N`; `auto` prefers a GPU.

    Raises:
        ConfigError: The name is unknown, or the device is not available.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"device {name!r} is unknown; use auto, cpu, cuda or cuda:N") from None
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device {name!r} is not supported; use auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"device {name!r} is not available ({torch.cuda.device_count()} GPUs found); use auto or cpu")
    return device


def keep_freed_memory() -> None:
    """Reuse freed memory in a process that runs the same network many times.

    Otherwise the C library returns large tensors to the system and gets them back cleared, page by page, which takes a
    fifth of the time of training and embedding on a CPU (docs/benchmarks.md). Has no effect without glibc.
    """
    with suppress(OSError, AttributeError, TypeError):
        for parameter, value in MALLOPT:
            ctypes.CDLL(None).mallopt(parameter, value)


def room_for_data(device: "torch.device") -> int:
    """Return how many bytes of a GPU's memory training may fill with images: half of what is free.

    0 for a CPU, as its memory maps the files of the images already.
    """
    import torch

    return torch.cuda.mem_get_info(device)[0] // 2 if device.type == "cuda" else 0


def to_device(tensor: "torch.Tensor", device: "torch.device") -> "torch.Tensor":
    """Bring a tensor from the CPU to a device without waiting until the device has done what it was given before.

    A copy from ordinary memory would wait; from page-locked memory it takes its turn.
    """
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def seed_everything(seed: int) -> None:
    """Seed torch's global generators, from which initial weights and dropout are drawn."""
    import torch

    torch.manual_seed(seed)


def generator_states() -> dict[str, Any]:
    """Return the states of torch's global generators as tensors."""
    import torch

    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def restore_generators(states: dict[str, Any]) -> None:
    """Restore the states that `generator_states` returned; GPUs without a saved state keep theirs."""
    import torch

    torch.set_rng_state(states["cpu"])
    for index, state in enumerate(states["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(state, index)
