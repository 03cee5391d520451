"""`sketchy evaluate`: metrics of a checkpoint on the held-out split."""

from pathlib import Path

from sketchy.dataset.loader import load_dataset
from sketchy.errors import DataError
from sketchy.evaluation.judge import judge
from sketchy.evaluation.lineage import refuse_moved, warn_if_changed
from sketchy.evaluation.page import write_page
from sketchy.model.checkpoint import load_checkpoint
from sketchy.results import Evaluation
from sketchy.runtime import pick_device
from sketchy.storage import refuse_unwritable
from sketchy.talk import SILENT, Talk


def run(
    checkpoint: Path,
    *,
    data: Path | None = None,
    protocol: str = "all",
    report: Path | None = None,
    device: str = "auto",
    talk: Talk = SILENT,
) -> Evaluation:
    """Judge a checkpoint on the test split of its dataset.

    Args:
        checkpoint: a .pth file.
        data: another place of the dataset; None takes the one it was trained on.
        protocol: all, category or instance.
        report: folder to write an HTML page into.
        device: as `pick_device`.

    Raises:
        CheckpointError, DataError, StorageError: what is missing or unusable.
    """
    if report is not None:
        refuse_unwritable(report / "index.html")
    loaded = load_checkpoint(checkpoint)
    encoder = loaded.encoder().to(pick_device(device))
    if data is None:
        refuse_moved(loaded.config, "say where it lies now with --data PLACE")
    dataset = load_dataset(loaded.config, talk, root=data)
    warn_if_changed(loaded, dataset, talk)
    subset = dataset.parts["test"]
    if not len(subset.sketches) or not len(subset.photos):
        raise DataError(
            f"the test split of {dataset.source.path} has {len(subset.photos)} photos and {len(subset.sketches)} "
            "sketches; use a larger dataset or data.test_fraction"
        )
    talk.say(f"test split of {dataset.source.path}: {len(subset.sketches):,} sketches, {len(subset.photos):,} photos")
    judgement = judge(encoder, dataset, subset, protocol, talk)
    if report is not None:
        page = write_page(judgement, dataset, report, title=f"Evaluation of {checkpoint}", talk=talk)
        talk.say(f"wrote {page}")
    return judgement.evaluation
