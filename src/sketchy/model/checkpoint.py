"""The .pth file: all that inference needs, and in last.pth all that a resumed run needs.

A checkpoint is a dict of tensors and plain types, loaded with `weights_only=True`, so that a file from a stranger
cannot run code:

    kind, format   "sketchy-checkpoint" and the number of its format
    config         the resolved config as plain values
    categories     names of the categories it was trained on
    epoch, metrics number of finished epochs, and the metrics of the last
    weights        state dict of the encoder
    calibration    numbers of the calibrated score, see `Calibration` (best.pth of a finished run only)
    probes         embeddings of a few validation sketches, to test the index of a large gallery with (the same)
    anchors        directions of the embedding by the names of the things that lie there (training with a bridge only)
    dataset        hash of the images it was trained, validated and tested on; may be missing
    training       optimizer, generators and counters (last.pth only)

Format 1, which is still read, named some settings otherwise; its `weights` are averages where `train.ema` was set.
"""

import errno
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sketchy.config import Config
from sketchy.config_file import parse_config, with_current_names
from sketchy.errors import CheckpointError, ConfigError
from sketchy.model.anchors import AnchorAttention
from sketchy.model.calibration import WEIGHTS, Calibration
from sketchy.model.encoder import Encoder, build_encoder
from sketchy.model.weights import load_weights, read_pth
from sketchy.section import Role, Section
from sketchy.storage import replacing

KIND = "sketchy-checkpoint"
FORMAT = 2


@dataclass(frozen=True)
class Checkpoint:
    """The content of a .pth; the docstring of the module explains the fields."""

    config: Config
    categories: tuple[str, ...]
    epoch: int
    metrics: dict[str, float]
    weights: dict[str, Tensor]
    training: dict[str, Any] | None = None
    calibration: Calibration | None = None
    probes: Tensor | None = None
    anchors: dict[str, Tensor] | None = None
    dataset: str | None = None
    format: int = FORMAT

    def encoder(self) -> Encoder:
        """Rebuild the encoder with the saved weights, in evaluation mode.

        Raises:
            CheckpointError: They do not fit the config, or are not all finite.
            ConfigError: The network is timm's, which is not installed or does not know it.
        """
        broken = next((name for name, value in self.weights.items() if not value.isfinite().all()), None)
        if broken is not None:
            raise CheckpointError(f"the weights are not all numbers; the checkpoint: {broken}; use another checkpoint")
        encoder = build_encoder(self.config, load_pretrained=False)
        load_weights(encoder, self.weights, "the checkpoint")
        settings = self.config.model.anchors
        if settings and self.anchors:
            encoder.anchors = AnchorAttention(torch.stack(list(self.anchors.values())), settings.weight, settings.scale)
        return encoder.eval()

    def fingerprint(self) -> str:
        """Hash all that an embedding depends on, in hex: embeddings of two models must never be compared."""
        sections: list[Section] = list(dict(self.config).values())
        # Without None: a setting that is added later, with None as its default, leaves older fingerprints as they are.
        options: dict[str, Any] = {"mode": "json", "exclude_none": True}
        dumps = [one.model_dump(include=one.names(Role.EMBEDDING), **options) for one in sections]
        settings = [dump for dump in dumps if dump]
        for dump in settings:
            if "spatial" in dump:  # under its name when the first fingerprints were taken, which are in indexes
                dump["layout"] = dump.pop("spatial")
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        anchors = self.anchors if self.config.model.anchors else None
        for name, tensor in sorted((self.weights | (anchors or {})).items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the checkpoint atomically: a full disk or a kill leaves the file that was there.

    Raises:
        StorageError: It cannot be written.
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
    optional = {
        "training": checkpoint.training,
        "calibration": checkpoint.calibration and checkpoint.calibration.to_plain(),
        "probes": checkpoint.probes,
        "anchors": checkpoint.anchors,
    }
    content |= {name: entry for name, entry in optional.items() if entry is not None}
    with replacing(path) as temporary:
        temporary.touch()  # torch would not say why it cannot create the file
        try:
            torch.save(content, temporary)
        except RuntimeError as error:  # nor why it cannot write, usually because the disk is full
            raise OSError(errno.ENOSPC, "the disk refused the data (is it full?)") from error


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU without running any code in it.

    Raises:
        CheckpointError: It is missing, truncated, not a checkpoint of ours, of a newer format, or holds more than
            tensors and plain types.
    """
    content = read_pth(
        path,
        missing=f"no such checkpoint: {path}; train one or name another with --checkpoint",
        remedy="name a best.pth or last.pth of a run",
    )
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise CheckpointError(f"{path} is not a Sketchy checkpoint; name a best.pth or last.pth of a run")
    version = content.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise CheckpointError(f"{path} has checkpoint format {version}, this version reads {FORMAT}; upgrade sketchy")
    if wrong := _wrong_entry(content):
        raise CheckpointError(f"{path} {wrong}; it is damaged, use another checkpoint")
    try:
        remedy = "upgrade sketchy or use another checkpoint"
        config = parse_config(with_current_names(content["config"]), f"the config inside {path}", remedy)
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
        calibration=content.get("calibration") and Calibration.from_plain(content["calibration"]),
        probes=content.get("probes"),
        anchors=content.get("anchors"),
        format=content["format"],
    )


def _wrong_entry(content: dict[str, Any]) -> str | None:
    """Say which entry is missing or of the wrong type; None if all are valid."""
    for name, is_valid in ENTRIES.items():
        if name not in content and not is_valid(None):
            return f"lacks {name!r}"
        if not is_valid(content.get(name)):
            return f"holds {name!r} as something else than it should be"
    return None


def _is_table(entry: Any, of: type | tuple[type, ...]) -> bool:
    return isinstance(entry, dict) and all(isinstance(k, str) and isinstance(v, of) for k, v in entry.items())


def _are_weights(entry: Any) -> bool:
    return _is_table(entry, Tensor) and all(weight.layout == torch.strided for weight in entry.values())


def _are_names(entry: Any) -> bool:
    return isinstance(entry, list) and all(isinstance(name, str) for name in entry)


def _is_calibration(entry: Any) -> bool:
    names = {"distances", "probabilities"}
    is_table = _is_table(entry, (list, float)) and names <= entry.keys() <= names | {"weights", "threshold"}
    weights = entry.get("weights", []) if is_table else None
    return isinstance(weights, list) and len(weights) in WEIGHTS


ENTRIES: dict[str, Callable[[Any], bool]] = {
    "format": lambda entry: type(entry) is int and 1 <= entry <= FORMAT,
    "config": lambda entry: _is_table(entry, object),
    "categories": _are_names,
    "epoch": lambda entry: type(entry) is int and entry >= 0,
    "metrics": lambda entry: _is_table(entry, (int, float)),
    "weights": _are_weights,
    "training": lambda entry: isinstance(entry, dict | None),
    "dataset": lambda entry: isinstance(entry, str | None),
    "calibration": lambda entry: entry is None or _is_calibration(entry),
    "probes": lambda entry: entry is None or (isinstance(entry, Tensor) and entry.dtype == torch.float32),
    "anchors": lambda entry: entry is None or _is_table(entry, Tensor),
}
"""The entries of the file with their type checks; those that may be missing may be None."""
