"""`sketchy export`: a model as one file, for search without PyTorch."""

from pathlib import Path

from sketchy.inference.export import export_model
from sketchy.inference.exported import digest_of, is_exported
from sketchy.inference.torch_engine import read_checkpoint
from sketchy.results import Exported
from sketchy.storage import refuse_replacing, refuse_unwritable


def run(checkpoint: Path, out: Path) -> Exported:
    """Write the exported model of a checkpoint, after checking that both give the same embeddings.

    Args:
        checkpoint: A .pth file, or an exported model, which is exported again.
        out: The .zip file to write; an existing one is replaced.

    Raises:
        CheckpointError: The checkpoint cannot be loaded or exported, or the exported model gives other embeddings.
        MissingExtraError: A package is not installed.
        StorageError: `out` cannot be written.
    """
    refuse_unwritable(out)
    refuse_replacing(out, [checkpoint], "checkpoint")
    loaded = read_checkpoint(checkpoint)
    difference = export_model(loaded, out, "" if is_exported(checkpoint) else digest_of(checkpoint))
    return Exported(str(out), loaded.config.model.embedding_size, out.stat().st_size, difference)
