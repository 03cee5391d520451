"""Reading weights from a file without running code in it, and loading them into a network."""

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sketchy.errors import CheckpointError
from sketchy.storage import os_reason

IMAGENET_CLASSES = 1000


def load_weights(network: nn.Module, state: dict[str, Tensor], origin: str, ignore: Iterable[str] = ()) -> None:
    """Load a state dict, or name all that does not fit.

    Args:
        network: The network that takes the weights.
        state: Name to tensor.
        origin: Where the state comes from, for the message.
        ignore: Names in `state` that are not loaded.

    Raises:
        CheckpointError: A name is missing, left over or of another shape.
    """
    own = network.state_dict()
    given = {name: state[name] for name in state.keys() - set(ignore)}
    # Files older than the counter of batches, torchvision's own among them, lack it; torch then starts it at 0.
    missing = {name for name in own.keys() - given.keys() if not name.endswith(".num_batches_tracked")}
    wrong = [
        *(f"missing {name}" for name in missing),
        *(f"left over {name}" for name in given.keys() - own.keys()),
        *(
            f"{name} is {tuple(given[name].shape)}, not {tuple(own[name].shape)}"
            for name in own.keys() & given.keys()
            if own[name].shape != given[name].shape
        ),
    ]
    if wrong:
        more = f" and {len(wrong) - 4} more" if len(wrong) > 4 else ""
        named = ", ".join(sorted(wrong)[:4])
        raise CheckpointError(f"the weights do not fit; {origin}: {named}{more}; check model.backbone and image.size")
    network.load_state_dict(given)


def classifier_weights(state: dict[str, Tensor], removed: Iterable[str], features: int) -> Tensor | None:
    """Return the weights of ImageNet's 1000 classes, shape (1000, features), from the layers that were removed.

    Args:
        state: A network's state dict, with its classifier or without.
        removed: Names of the tensors of the classifier.
        features: Number of inputs of the classifier.
    """
    fitting = (state[name] for name in removed if name in state and state[name].shape == (IMAGENET_CLASSES, features))
    return next(fitting, None)


def read_pth(path: Path, *, missing: str, remedy: str) -> Any:
    """Read a .pth file onto the CPU without running any code in it.

    Args:
        path: The file.
        missing: Message for a file that does not exist.
        remedy: What to do about one that cannot be read, for the message.

    Raises:
        CheckpointError: It cannot be read, or holds more than tensors and plain types.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickles that torch did not write, which are refused anyway
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(missing) from None
    except Exception as error:  # torch raises a dozen types for a file that is not what it should be
        raise CheckpointError(f"{path} {_reason(error)}; {remedy}") from None


def _reason(error: Exception) -> str:
    """Say why `torch.load` refused a file; its own text advises to switch the safety off."""
    if "GLOBAL" in str(error):  # how torch names a class or function in a pickle
        return "holds more than tensors and plain values and could run code; it was refused"
    if isinstance(error, OSError) and error.errno:
        return f"cannot be read ({os_reason(error).lower()})"
    return "cannot be read (truncated, or no .pth)"


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read a file of weights onto the CPU without running any code in it.

    Raises:
        CheckpointError: It cannot be read, or holds anything but named tensors.
    """
    state = read_pth(
        path,
        missing=f"no such file of weights: {path}; check model.pretrained",
        remedy="model.pretrained takes a plain state dict",
    )
    if not isinstance(state, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise CheckpointError(f"{path} is no plain state dict of tensors; save `model.state_dict()` there")
    return state
