"""Backbones of the timm package: CLIP, SigLIP, DINOv2 and a thousand more. Imported only when one is built."""

import difflib
import math
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.layers import resample_abs_pos_embed, to_2tuple
from torch import Tensor, nn

from sketchy.choices import TIMM
from sketchy.errors import CheckpointError, ConfigError
from sketchy.model.backbone import Backbone
from sketchy.model.weights import load_weights, read_state_dict

SUGGESTIONS = 3
"""Number of similar names to suggest for an unknown one."""


def build_timm(name: str, *, size: int, pretrained: bool | str) -> Backbone:
    """Make a timm network without its classifier, for (B, 3, size, size) images.

    Args:
        name: Name in timm, with or without the tag of its weights.
        size: Side of the input in pixels; the position embeddings of a transformer are resampled to it.
        pretrained: False draws random weights; True downloads timm's; a path loads a plain state dict of the timm
            network, .safetensors too, with or without its classifier.

    Raises:
        ConfigError: timm has no such network, or it cannot take images of this size.
        CheckpointError: The weights cannot be downloaded or read, or do not fit.
    """
    _refuse_unknown(name)
    options: dict[str, Any] = {"num_classes": 0, "in_chans": 3}
    if timm.get_pretrained_cfg(name).fixed_input_size:  # set for networks that are built for one size
        options["img_size"] = size
    features = _count_features(name, size, options)
    if pretrained is True:
        return Backbone(_downloaded(name, options), features, 3)
    network: nn.Module = timm.create_model(name, **options)
    if isinstance(pretrained, str):
        _load(network, Path(pretrained))
    return Backbone(network, features, 3)


def _refuse_unknown(name: str) -> None:
    known = {*timm.list_models(), *timm.list_models(include_tags=True)}
    if name not in known:
        close = [TIMM + near for near in difflib.get_close_matches(name, sorted(known), SUGGESTIONS)]
        hint = f"did you mean {' or '.join(close)}?" if close else "timm.list_models() lists the names"
        raise ConfigError(f"model.backbone: timm {timm.__version__} has no {name!r}; {hint}")


def _count_features(name: str, size: int, options: dict[str, Any]) -> int:
    """Count the features by shapes alone, so that a wrong image size is an error before the download."""
    try:
        with torch.device("meta"):
            network = timm.create_model(name, **options).eval()
            features = network(torch.zeros(1, 3, size, size))
    except (AssertionError, RuntimeError, ValueError) as error:
        native = timm.get_pretrained_cfg(name).input_size[-1]
        raise ConfigError(
            f"image.size: {TIMM}{name} cannot take images of {size} px ({_one_line(error)}); its own size is {native}"
        ) from None
    patch, _ = to_2tuple(getattr(getattr(network, "patch_embed", None), "patch_size", 1))
    if size % patch:  # timm would ignore the last pixels
        below = size - size % patch
        raise ConfigError(
            f"image.size: {TIMM}{name} splits an image into patches of {patch} px, and {size} is no multiple of that; "
            f"use {below} or {below + patch}"
        )
    return int(features.shape[1])


def _downloaded(name: str, options: dict[str, Any]) -> nn.Module:
    try:
        network: nn.Module = timm.create_model(name, pretrained=True, **options)
    except Exception as error:  # the hub, its HTTP client, safetensors and torch each have their own types
        raise CheckpointError(
            f"cannot download timm's weights of {name}: {_one_line(error)}; "
            "set model.pretrained to a file that you have"
        ) from None
    return network


def _load(network: nn.Module, path: Path) -> None:
    state = _read(path)
    own = network.state_dict().get("pos_embed")
    if own is not None and "pos_embed" in state and state["pos_embed"].shape != own.shape:
        state["pos_embed"] = _resampled(state["pos_embed"], own, network)
    load_weights(network, state, str(path), ignore=_classifier(network))


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix != ".safetensors":
        return read_state_dict(path)
    try:
        state: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} cannot be read ({_one_line(error)}); check model.pretrained") from None
    return state


def _resampled(positions: Tensor, own: Tensor, network: Any) -> Tensor:
    """Resample position embeddings (1, N, D) to the network's grid of patches, as timm does after a download."""
    try:
        grid = network.patch_embed.grid_size
        resampled: Tensor = resample_abs_pos_embed(positions, grid, num_prefix_tokens=own.shape[1] - math.prod(grid))
    except (AttributeError, RuntimeError):  # of another network, which loading them reports
        return positions
    return resampled


def _classifier(network: Any) -> set[str]:
    """Return the names of the classifier's weights, which the network does not have."""
    layers = network.pretrained_cfg.get("classifier") or ()
    return {
        f"{layer}.{part}" for layer in ([layers] if isinstance(layers, str) else layers) for part in ("weight", "bias")
    }


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
