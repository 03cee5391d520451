"""`sketchy evaluate`: metrics of a checkpoint on what it was not trained on."""

from collections.abc import Sequence
from pathlib import Path

from sketchy.dataset.loader import Dataset, load_dataset, refuse_moved
from sketchy.dataset.pack import Subset
from sketchy.dataset.zero_shot import ZERO_SHOT_CATEGORIES
from sketchy.errors import CheckpointError, DataError
from sketchy.evaluation.extended import Extension, embed_extension
from sketchy.evaluation.judge import judge
from sketchy.evaluation.lineage import warn_if_changed
from sketchy.evaluation.page import PAGE, refuse_other_page, write_page
from sketchy.model.checkpoint import Checkpoint, load_checkpoint
from sketchy.results import Evaluation, left_out_text
from sketchy.retrieval.embed import Embedder
from sketchy.retrieval.walk import absolute_sources
from sketchy.runtime import keep_freed_memory, pick_device
from sketchy.storage import refuse_unwritable
from sketchy.talk import SILENT, Talk


def run(
    checkpoint: Path,
    *,
    data: Path | None = None,
    protocol: str = "all",
    extended: Path | None = None,
    report: Path | None = None,
    device: str = "auto",
    talk: Talk = SILENT,
) -> Evaluation:
    """Judge a checkpoint on the test split of its dataset, or on the categories that it was not trained on.

    Args:
        checkpoint: a .pth file.
        data: another place of the dataset; None takes the one it was trained on.
        protocol: all, category, instance, zero-shot-25 or zero-shot-21.
        extended: folder of <category>/<photo> with more photos for the gallery; for a zero-shot protocol alone.
        report: folder to write an HTML page into; not together with `extended`.
        device: as `pick_device`.

    Raises:
        CheckpointError: it cannot be loaded, or was trained on the categories of the zero-shot protocol.
        DataError, GalleryError, StorageError: what is missing or unusable.
    """
    if report is not None:
        refuse_unwritable(report / PAGE)
        refuse_other_page(report / PAGE)
    sources = absolute_sources([extended]) if extended is not None else []
    loaded = load_checkpoint(checkpoint)
    if protocol in ZERO_SHOT_CATEGORIES:
        _refuse_seen(loaded, checkpoint, protocol)
    keep_freed_memory()
    embedder = Embedder.of(loaded, pick_device(device))
    if data is None:
        refuse_moved(loaded.config, "say where it lies now with --data PLACE")
    dataset = load_dataset(loaded.config, progress=talk.bar, root=data)
    warn_if_changed(loaded, dataset, talk)
    subset = _judged_on(dataset, protocol, talk)
    extension = _extension(sources, dataset, subset, embedder, talk) if sources else None
    encoder = embedder.encoder_for(len(subset.photos) + len(subset.sketches))
    judgement = judge(encoder, dataset, subset, protocol, talk, extension)
    if report is not None:
        page = write_page(judgement, dataset, report, title=f"Evaluation of {checkpoint}", talk=talk)
        talk.say(f"wrote {page}")
    return judgement.evaluation


def _refuse_seen(loaded: Checkpoint, path: Path, protocol: str) -> None:
    """Check that a checkpoint was trained without the categories of a zero-shot protocol."""
    if loaded.config.data.zero_shot != protocol:
        raise CheckpointError(
            f"{path} may have been trained on the categories of {protocol}, so that this is not zero-shot; train with "
            f"`--set data.zero_shot={protocol}`"
        )


def _judged_on(dataset: Dataset, protocol: str, talk: Talk) -> Subset:
    """Return the part of a dataset that a protocol is about, and say what it holds."""
    zero_shot = protocol in ZERO_SHOT_CATEGORIES
    subset = dataset.parts["zero_shot" if zero_shot else "test"]
    name = f"{'zero-shot categories' if zero_shot else 'test split'} of {dataset.source.path}"
    if not len(subset.sketches) or not len(subset.photos):
        raise DataError(
            f"the {name} has {len(subset.photos)} photos and {len(subset.sketches)} sketches; use a larger dataset"
            + ("" if zero_shot else " or data.test_fraction")
        )
    talk.say(f"{name}: {len(subset.sketches):,} sketches, {len(subset.photos):,} photos")
    return subset


def _extension(sources: Sequence[Path], dataset: Dataset, subset: Subset, embedder: Embedder, talk: Talk) -> Extension:
    """Embed the further photos, and say how many there are and what was left out."""
    extension = embed_extension(sources, dataset, subset, embedder, talk)
    talk.say(f"{sources[0]}: {len(extension.embeddings):,} further photos; {extension.copies:,} copies left out")
    if extension.left_out:
        talk.say(left_out_text(extension.left_out))
    if extension.skipped:
        first = extension.skipped[0]
        talk.say(f"skipped {len(extension.skipped):,} of its files, the first: {first.path}: {first.reason}")
    return extension
