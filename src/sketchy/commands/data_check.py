"""`sketchy data check`: what a dataset contains, and all of its problems."""

from collections import Counter
from pathlib import Path

from sketchy.dataset.decode import for_each_image
from sketchy.dataset.reader import find_records
from sketchy.dataset.source import open_source
from sketchy.image import Kind, open_image
from sketchy.progress import Progress, no_progress
from sketchy.results import CategoryCount, DataReport, Skipped


def run(
    source: Path,
    photo_rendering: str | None = None,
    sketch_rendering: str | None = None,
    progress: Progress = no_progress,
) -> DataReport:
    """Find the photos and sketches of a dataset and decode all of them, without writing anything.

    Args:
        source: A folder, .zip or .tar.
        photo_rendering: The `tx_...` folder of photos to read; see `find_records`.
        sketch_rendering: The `tx_...` folder of sketches to read.
        progress: Shows the progress.

    Returns:
        Numbers of readable images by category (also if 0), problems, and unreadable images with the reason.

    Raises:
        DataError: The source is missing, or has no photos and sketches.
    """
    opened = open_source(source)
    try:
        listing = find_records(opened, photo_rendering, sketch_rendering)
        records = listing.records
        failures = for_each_image(opened, records, _decode, lambda index, _: None, "checking", progress=progress)
    finally:
        opened.close()
    readable = Counter((record.category, record.kind) for index, record in enumerate(records) if index not in failures)
    return DataReport(
        source=str(source),
        layout=listing.layout,
        counts=tuple(
            CategoryCount(category, readable[category, "photo"], readable[category, "sketch"])
            for category in sorted({record.category for record in records})
        ),
        problems=listing.problems,
        skipped=tuple(Skipped(opened.locate(records[index].name), reason) for index, reason in failures.items()),
    )


def _decode(content: bytes, kind: Kind) -> None:
    open_image(content)
