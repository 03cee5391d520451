"""The .pth file: all that inference needs, and in last.pth all that a resumed run needs.

A checkpoint is a dict of tensors and plain types, loaded with `weights_only=True`, so that a file from a stranger
cannot run code:

    kind, format   "sketchy-checkpoint" and a number that rises when the shape changes
    config         the resolved config as plain values
    categories     names the run was trained on
    epoch, metrics epochs done, and the validation metrics of the last
    weights        the encoder's state dict: the averaged one under train.ema
    calibration    distances and probabilities of the calibrated score (best.pth of a finished run only)
    probes         embeddings of a few validation sketches: what a large gallery's index is tried with (the same)
    dataset        which images it was trained, validated and tested on, as a hash; may be missing
    training       optimizer, generators and counters (last.pth only)
"""

import errno
import hashlib
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sketchy.config import Config
from sketchy.config_file import parse_config
from sketchy.errors import CheckpointError, ConfigError
from sketchy.model.backbone import load_weights, unreadable
from sketchy.model.calibration import Calibration
from sketchy.model.encoder import Encoder, build_encoder
from sketchy.storage import replacing

KIND = "sketchy-checkpoint"
FORMAT = 1
EMBEDDING_FIELDS = {"backbone", "embedding_size", "normalize", "domain_norm", "layout"}
"""Settings of the model section that change what a set of weights makes of an image."""


@dataclass(frozen=True)
class Checkpoint:
    """What a .pth holds; see the module's text for the fields."""

    config: Config
    categories: tuple[str, ...]
    epoch: int
    metrics: dict[str, float]
    weights: dict[str, Tensor]
    training: dict[str, Any] | None = None
    calibration: Calibration | None = None
    probes: Tensor | None = None
    dataset: str | None = None

    def encoder(self) -> Encoder:
        """Rebuild the encoder with the saved weights, in evaluation mode.

        Raises:
            CheckpointError: they do not fit the config, or are not all numbers.
            ConfigError: the network is timm's, which is not installed or does not know it.
        """
        broken = next((name for name, value in self.weights.items() if not value.isfinite().all()), None)
        if broken is not None:
            raise CheckpointError(f"the weights are not all numbers; the checkpoint: {broken}; use another checkpoint")
        encoder = build_encoder(self.config, load_pretrained=False)
        load_weights(encoder, self.weights, "the checkpoint")
        return encoder.eval()

    def fingerprint(self) -> str:
        """Hash all that makes an embedding, in hex: embeddings of two models must never be compared."""
        config = self.config
        described = [
            config.image.model_dump(mode="json", exclude_none=True),
            config.model.model_dump(include=EMBEDDING_FIELDS, exclude_none=True),
        ]
        digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
        for name, tensor in sorted(self.weights.items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the checkpoint atomically: a full disk or a kill leaves the file that was there.

    Raises:
        StorageError: it could not be written.
    """
    content = {
        "kind": KIND,
        "format": FORMAT,
        "config": checkpoint.config.model_dump(mode="json"),
        "categories": list(checkpoint.categories),
        "epoch": checkpoint.epoch,
        "metrics": checkpoint.metrics,
        "weights": checkpoint.weights,
        "dataset": checkpoint.dataset,
    }
    if checkpoint.training is not None:
        content["training"] = checkpoint.training
    if checkpoint.calibration is not None:
        content["calibration"] = {name: list(values) for name, values in vars(checkpoint.calibration).items()}
    if checkpoint.probes is not None:
        content["probes"] = checkpoint.probes
    with replacing(path) as temporary:
        temporary.touch()  # torch's writer would not say why it cannot make the file
        try:
            torch.save(content, temporary)
        except RuntimeError as error:  # nor why it cannot write; a full disk is the usual reason
            raise OSError(errno.ENOSPC, "the disk refused the data (is it full?)") from error


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU without running any code in it.

    Raises:
        CheckpointError: missing, truncated, not a checkpoint of ours, of a newer format, or holding more than
            tensors and plain types.
    """
    content = _read(path)
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise CheckpointError(f"{path} is not a Sketchy checkpoint; name a best.pth or last.pth of a run")
    number = content.get("format")
    if isinstance(number, int) and number > FORMAT:
        raise CheckpointError(f"{path} has checkpoint format {number}, this version reads {FORMAT}; upgrade sketchy")
    if wrong := _wrong_entry(content):
        raise CheckpointError(f"{path} {wrong}; it is damaged, use another checkpoint")
    try:
        remedy = "upgrade sketchy or use another checkpoint"
        config = parse_config(content["config"], f"the config inside {path}", remedy)
    except ConfigError as error:
        raise CheckpointError(str(error)) from None
    return Checkpoint(
        config=config,
        categories=tuple(content["categories"]),
        epoch=content["epoch"],
        metrics=content["metrics"],
        weights=content["weights"],
        training=content.get("training"),
        dataset=content.get("dataset"),
        calibration=_calibration(content.get("calibration")),
        probes=content.get("probes"),
    )


def _wrong_entry(content: dict[str, Any]) -> str | None:
    """Say which entry is missing or not of its type, None if all are well."""
    for name, is_well in ENTRIES.items():
        if name not in content and not is_well(None):
            return f"lacks {name!r}"
        if not is_well(content.get(name)):
            return f"holds {name!r} as something else than it should be"
    return None


def _is_table(entry: Any, of: type | tuple[type, ...]) -> bool:
    return isinstance(entry, dict) and all(isinstance(k, str) and isinstance(v, of) for k, v in entry.items())


def _are_weights(entry: Any) -> bool:
    return _is_table(entry, Tensor) and all(weight.layout == torch.strided for weight in entry.values())


def _are_names(entry: Any) -> bool:
    return isinstance(entry, list) and all(isinstance(name, str) for name in entry)


def _is_calibration(entry: Any) -> bool:
    return _is_table(entry, list) and entry.keys() == {"distances", "probabilities"}


ENTRIES: dict[str, Callable[[Any], bool]] = {
    "format": lambda entry: type(entry) is int and entry == FORMAT,
    "config": lambda entry: _is_table(entry, object),
    "categories": _are_names,
    "epoch": lambda entry: type(entry) is int and entry >= 0,
    "metrics": lambda entry: _is_table(entry, (int, float)),
    "weights": _are_weights,
    "training": lambda entry: isinstance(entry, dict | None),
    "dataset": lambda entry: isinstance(entry, str | None),
    "calibration": lambda entry: entry is None or _is_calibration(entry),
    "probes": lambda entry: entry is None or (isinstance(entry, Tensor) and entry.dtype == torch.float32),
}
"""The entries of the file, and whether one is what it should be; those that may be missing may be None."""


def _calibration(found: dict[str, list[float]] | None) -> Calibration | None:
    return None if found is None else Calibration(tuple(found["distances"]), tuple(found["probabilities"]))


def _read(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles that no torch wrote; they are refused anyhow
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"no such checkpoint: {path}; train one or name another with --checkpoint") from None
    except Exception as error:  # torch raises a dozen kinds for a file that is not what it should be
        raise CheckpointError(f"{path} {unreadable(error)}; name a best.pth or last.pth of a run") from None
