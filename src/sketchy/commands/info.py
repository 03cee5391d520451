"""`sketchy info`: a description of an index, a checkpoint, an exported model or a run folder, and its problems."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sketchy.errors import CheckpointError, GalleryError, SketchyError
from sketchy.extras import require_torch
from sketchy.inference.description import Description
from sketchy.inference.exported import is_exported, read_exported
from sketchy.results import Info
from sketchy.retrieval.store.address import is_server
from sketchy.retrieval.store.folder import is_index, open_to_read
from sketchy.retrieval.store.milvus import open_milvus, parse_address
from sketchy.trainer.choose import find_model
from sketchy.trainer.history import History
from sketchy.trainer.run_dir import RunDir


def run(address: str, *, runs: Path = Path("runs"), verify: bool = False) -> Info:
    """Describe an index, a checkpoint, an exported model or a run.

    Args:
        address: An index folder, milvus://host:port/collection, or a model as in `choose_checkpoint`.
        runs: The folder that contains the runs.
        verify: Whether to read all of an index and compare it with its checksums.

    Raises:
        GalleryError: `address` is none of these, or a damaged index.
        CheckpointError: The checkpoint cannot be loaded.
    """
    if is_server(address):
        return _collection(address)
    path = Path(address)
    if is_index(path):
        return _index(path, verify)
    try:
        path = find_model(address, runs)
    except CheckpointError as error:
        raise GalleryError(f"{address} is not an index, and {error}") from None
    run_dir = RunDir(path)
    if path.is_dir() and any(file.is_file() for file in (run_dir.config, run_dir.best, run_dir.last)):
        return _run(run_dir)
    if path.is_file():
        return _checkpoint(path)
    raise GalleryError(f"{path} is not an index, a checkpoint or a run; name one of these")


def _index(path: Path, verify: bool) -> Info:
    store = open_to_read(path)
    try:
        problems = store.problems() if verify else []
        meta = store.meta()
        counts = {"photos": meta.photos, "pictures": store.pictures(), "categories": store.categories()}
    finally:
        store.close()
    return Info(
        kind="index",
        path=str(path),
        format=meta.format,
        counts=counts,
        size=_bytes(path),
        model={"hash": meta.model, "checkpoint": meta.checkpoint, "embedding_size": meta.size},
        updated=meta.updated,
        verified=verify,
        problems=tuple(problems),
    )


def _collection(address: str) -> Info:
    store = open_milvus(parse_address(address), None)
    try:
        return Info(
            kind="index",
            path=address,
            format=1,
            counts={"photos": store.count()},
            size=0,
            model={"hash": store.identity.model, "embedding_size": store.identity.size},
        )
    finally:
        store.close()


def _checkpoint(path: Path) -> Info:
    description = _description(path)  # verifies the checksums in the file
    settings = description.settings
    return Info(
        kind="exported model" if is_exported(path) else "checkpoint",
        path=str(path),
        format=description.format,
        counts={
            "epochs": description.epoch,
            "categories": len(description.categories),
            "weights": description.weights_count,
        },
        size=path.stat().st_size,
        model={
            "hash": description.fingerprint,
            "backbone": settings["model"]["backbone"],
            "embedding_size": description.embedding_size,
            "image_size": settings["image"]["size"],
            "loss": settings["loss"]["name"],
            "data": settings["data"]["root"],
        },
        figures=dict(description.metrics),
        updated=_modified(path),
        verified=True,
    )


def _description(path: Path) -> Description:
    """Read a checkpoint or an exported model. Raises CheckpointError, MissingExtraError."""
    if is_exported(path):
        return read_exported(path).description
    require_torch(f"reading {path}")
    from sketchy.inference.torch_engine import describe, read_checkpoint

    return describe(read_checkpoint(path))


def _run(run_dir: RunDir) -> Info:
    """Describe a run by its best checkpoint; other files that cannot be read are listed as problems."""
    problems = [] if run_dir.config.is_file() else [f"no {run_dir.config.name}"]
    described = _checkpoint(run_dir.best if run_dir.best.is_file() else run_dir.last)
    counts = dict(described.counts)
    try:
        counts["epochs"] = _description(run_dir.last).epoch
        History.read(run_dir.history, counts["epochs"])
    except SketchyError as error:
        problems.append(str(error))
    return replace(
        described,
        kind="run",
        path=str(run_dir.path),
        counts=counts,
        size=_bytes(run_dir.path),
        updated=_modified(run_dir.last if run_dir.last.is_file() else run_dir.path),
        problems=tuple(problems),
    )


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _modified(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
