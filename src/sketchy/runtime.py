"""The machine: device, memory, seeds, and the state of every global generator."""

import ctypes
from contextlib import suppress
from typing import Any

import torch

from sketchy.errors import ConfigError

MALLOPT = ((-4, 0), (-1, 2**31 - 1))
"""For glibc's `mallopt`: M_MMAP_MAX, nothing is asked of the system apart; M_TRIM_THRESHOLD, up to 2 GiB are kept."""


def pick_device(name: str) -> torch.device:
    """Turn `auto`, `cpu`, `cuda` or `cuda:N` into a device that is there.

    Raises:
        ConfigError: the name is unknown or the device is missing.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"device {name!r} is unknown; use auto, cpu, cuda or cuda:N") from None
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device {name!r} is not supported; use auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"device {name!r} is not there ({torch.cuda.device_count()} GPUs seen); use auto or cpu")
    return device


def share_cores() -> None:
    """Compute with half of the cores: a network that waits for one that is taken is many times slower.

    For a server: the photos it shrinks, and often the browser, work on the same machine at the same time.
    """
    torch.set_num_threads(max(1, torch.get_num_threads() // 2))


def keep_freed_memory() -> None:
    """Use memory again that was freed, in a process that runs the same network many times.

    A tensor of many megabytes would else be asked of the system each time, which clears it page by page: a fifth of the
    time of training and embedding on a CPU (docs/benchmarks.md). Does nothing where the C library is not glibc.
    """
    with suppress(OSError, AttributeError, TypeError):
        for parameter, value in MALLOPT:
            ctypes.CDLL(None).mallopt(parameter, value)


def room_for_data(device: torch.device) -> int:
    """Return the bytes of a GPU that training may keep its images in, half of what is free; 0 for a CPU, whose memory
    maps the files already.
    """
    return torch.cuda.mem_get_info(device)[0] // 2 if device.type == "cuda" else 0


def seed_everything(seed: int) -> None:
    """Seed torch's global generators: weights are drawn from them, and dropout is."""
    torch.manual_seed(seed)


def generator_states() -> dict[str, Any]:
    """Return the states of torch's global generators (dropout draws from them), as tensors."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def restore_generators(states: dict[str, Any]) -> None:
    """Put back what `generator_states` returned; GPUs beyond those saved keep their state."""
    torch.set_rng_state(states["cpu"])
    for index, state in enumerate(states["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(state, index)
