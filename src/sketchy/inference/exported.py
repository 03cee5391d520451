"""The file of an exported model: all that searching needs, without PyTorch.

A .zip with four members, none of which is code:

    model.json    kind and format of the file; the content of `Description`; for each array of weights.bin its name,
                  dtype, shape and offset; and the names of those that each graph uses
    sketch.onnx   the network for sketches: `images`, (B, 1, S, S) uint8, to `embeddings`, (B, D) float32, for any B
    photo.onnx    the same for photos, with 1 or 3 channels
    weights.bin   arrays, little-endian, which both graphs share as their external data; the probe embeddings; and the
                  vectors of the things that the model knows by name

The members are checked against their CRC-32 when they are read. `checkpoint` in model.json is the digest of the .pth
that the file was made of, so that a model of an earlier training is not taken for that of a new one.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchy.errors import CheckpointError
from sketchy.image import Kind
from sketchy.inference.description import Description
from sketchy.model.calibration import Calibration
from sketchy.storage import os_problem, replacing

KIND = "sketchy-model"
FORMAT = 1
HEADER, WEIGHTS = "model.json", "weights.bin"
KINDS: tuple[Kind, ...] = ("sketch", "photo")
DTYPES = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")
ALIGNMENT = 64
PROBES = "probes"
"""Name of the array of probe embeddings."""
WORDS = "words"
"""Name of the array of the vectors of things, shape (N, A), float16; and in model.json of the list of their names."""
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Graph:
    """The network of one kind of images.

    Attributes:
        onnx: The ONNX model; its weights are external data.
        weights: Names of the weights that it uses.
    """

    onnx: bytes
    weights: tuple[str, ...]


@dataclass(frozen=True)
class ExportedModel:
    """The content of an exported model.

    Attributes:
        description: All but weights and graphs.
        graphs: The network for each kind of images.
        weights: Arrays by name, as in the checkpoint, and the vectors of the things that it knows as WORDS.
    """

    description: Description
    graphs: Mapping[Kind, Graph]
    weights: Arrays


def table_of(arrays: Arrays) -> dict[str, dict[str, Any]]:
    """Return dtype, shape and offset in weights.bin of each array."""
    table, offset = {}, 0
    for name, array in arrays.items():
        table[name] = {"dtype": array.dtype.name, "shape": list(array.shape), "offset": offset}
        offset += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
    return table


def write_exported(path: Path, exported: ExportedModel, checkpoint: str) -> None:
    """Write an exported model atomically.

    Args:
        path: The file; an existing one is replaced.
        exported: Its content.
        checkpoint: Digest of the checkpoint, see `digest_of`.

    Raises:
        StorageError: It cannot be written.
    """
    facts = {field.name: getattr(exported.description, field.name) for field in fields(Description)}
    probes, calibration, words = facts.pop("probes"), facts["calibration"], facts.pop("words")
    arrays = dict(exported.weights) | ({} if probes is None else {PROBES: probes})
    header = facts | {
        "kind": KIND,
        "format": FORMAT,
        "checkpoint": checkpoint,
        "words": list(words),
        "calibration": None if calibration is None else calibration.to_plain(),
        "graphs": {kind: graph.weights for kind, graph in exported.graphs.items()},
        "arrays": table_of(arrays),
    }
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as file:
        _add(file, HEADER, json.dumps(header, indent=1, allow_nan=False).encode())
        for kind, graph in exported.graphs.items():
            _add(file, f"{kind}.onnx", graph.onnx)
        blob = b"".join(array.tobytes() + bytes(-array.nbytes % ALIGNMENT) for array in arrays.values())
        file.writestr(zipfile.ZipInfo(WEIGHTS), blob)  # stored, as weights do not shrink


def _add(file: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Add a compressed member with a fixed time, so that equal models give equal files."""
    file.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def is_exported(path: Path) -> bool:
    """Return whether a file is an exported model; a .pth is a .zip as well."""
    try:
        with zipfile.ZipFile(path) as file:
            return HEADER in file.namelist()
    except (OSError, zipfile.BadZipFile):
        return path.suffix == ".zip" and path.is_file()  # a damaged one, which reading it will say


def find_exported(checkpoint: Path) -> Path | None:
    """Return the exported model of a checkpoint: itself, or the .zip beside it if it was made of it; None without."""
    if is_exported(checkpoint):
        return checkpoint
    beside = checkpoint.with_suffix(".zip")
    try:
        with zipfile.ZipFile(beside) as file:
            made_of = json.loads(file.read(HEADER))["checkpoint"]
        return beside if made_of == digest_of(checkpoint) else None
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError):
        return None


def digest_of(checkpoint: Path) -> str:
    """Hash the table of contents of a .pth, which has the CRC-32 of all of its tensors. Raises OSError, BadZipFile."""
    with zipfile.ZipFile(checkpoint) as file:
        table = [(item.filename.partition("/")[2], item.CRC, item.file_size) for item in file.infolist()]
    return hashlib.sha256(repr(table).encode()).hexdigest()


def read_exported(path: Path) -> ExportedModel:
    """Read an exported model without running any code in it.

    Raises:
        CheckpointError: It is missing, truncated, damaged, not an exported model, or of a newer format.
    """
    try:
        with zipfile.ZipFile(path) as file:
            header = json.loads(file.read(HEADER))
            _check_format(path, header)
            blob = file.read(WEIGHTS)
            graphs: dict[Kind, Graph] = {
                kind: Graph(file.read(f"{kind}.onnx"), tuple(header["graphs"][kind])) for kind in KINDS
            }
        arrays = {name: _array(blob, **entry) for name, entry in header["arrays"].items()}
        return ExportedModel(_description(header, arrays.pop(PROBES, None), arrays.get(WORDS, ())), graphs, arrays)
    except OSError as error:
        raise CheckpointError(os_problem(error, path, "read")) from None
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError, EOFError, NotImplementedError):
        raise CheckpointError(
            f"{path} is damaged or not an exported model; name one that `sketchy export` wrote, or a checkpoint"
        ) from None


def _check_format(path: Path, header: dict[str, Any]) -> None:
    if header["kind"] != KIND:
        raise ValueError
    if header["format"] > FORMAT:
        raise CheckpointError(
            f"{path} has model format {header['format']}, this version reads {FORMAT}; upgrade sketchy"
        )


def _array(blob: bytes, dtype: str, shape: list[int], offset: int) -> NDArray[Any]:
    if dtype not in DTYPES:
        raise ValueError
    count = int(np.prod(shape))
    kept = np.dtype(dtype).newbyteorder("<")
    return np.frombuffer(blob, kept, count, offset).reshape(shape) if count else np.empty(shape, kept)


def _description(
    header: dict[str, Any], probes: NDArray[np.float32] | None, vectors: Iterable[NDArray[np.float16]]
) -> Description:
    calibration = header["calibration"]
    description = Description(
        format=header["format"],
        settings=header["settings"],
        fingerprint=header["fingerprint"],
        categories=tuple(header["categories"]),
        epoch=header["epoch"],
        metrics=header["metrics"],
        calibration=calibration and Calibration.from_plain(calibration),
        probes=probes,
        dataset=header["dataset"],
        weights_count=header["weights_count"],
        words=dict(zip(header.get(WORDS, ()), vectors, strict=True)),  # earlier files have none
    )
    bytes.fromhex(description.fingerprint)
    description.preprocess.shape("photo")  # raises KeyError or TypeError if the settings are not those of a model
    return description
