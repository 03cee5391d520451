"""The best and worst queries of an evaluation, with thumbnails of the photos that they retrieved."""

import base64
import logging
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import NamedTuple

from PIL import Image
from torch import Tensor

from sketchy.dataset.loader import Dataset
from sketchy.errors import DataError, ImageError
from sketchy.evaluation.charts import Focus
from sketchy.evaluation.evaluate import EvaluationDetails
from sketchy.image import open_image
from sketchy.progress import Advance, Progress

log = logging.getLogger(__name__)

EXAMPLES = 8
"""Number of best queries, and of worst queries."""
THUMBNAIL = 128
"""Longer side of a thumbnail in pixels; a full report has 176 of them, about 1 MB."""
QUALITY = 80
"""JPEG quality of the thumbnails."""


class ShownPhoto(NamedTuple):
    """One of the nearest photos of a query; `image` is a data URI, empty if the file cannot be read."""

    image: str
    file: str
    category: str
    right: bool
    traced: bool


class Example(NamedTuple):
    """A query with its nearest photos, nearest first; `traced_rank` is 0 if it was not measured."""

    image: str
    file: str
    category: str
    average_precision: float | None
    traced_rank: int
    photos: tuple[ShownPhoto, ...]


def pick_examples(details: EvaluationDetails, focus: Focus) -> tuple[list[int], list[int]]:
    """Choose up to EXAMPLES best and as many worst queries.

    Either list has one query per category, and no query is in both. Ties keep the order of the queries.
    """
    best = _best_by_category(focus.value, details, focus.counted)
    rest = focus.counted.clone()
    rest[best] = False
    return best, _best_by_category(-focus.value, details, rest)


def _best_by_category(value: Tensor, details: EvaluationDetails, allowed: Tensor) -> list[int]:
    """Return the query with the highest value of each category, for the EXAMPLES best categories."""
    first_of: dict[int, int] = {}
    for query in (-value).argsort(stable=True).tolist():
        if allowed[query]:
            first_of.setdefault(int(details.queries.categories[query]), query)
    return list(first_of.values())[:EXAMPLES]


def read_examples(
    details: EvaluationDetails, data: Dataset, queries: Sequence[int], focus: Focus, progress: Progress
) -> list[Example]:
    """Read the images of queries and of their nearest photos, each file once and in the order of the pack."""
    subset, nearest = details.subset, details.scores.nearest
    photos = sorted({int(subset.photos[index]) for query in queries for index in nearest[query].tolist()})
    sketches = sorted(int(subset.sketches[query]) for query in queries)
    with progress("pictures", len(photos) + len(sketches), "image") as advance:
        photo_images = _thumbnails(photos, data.photo_file, data.photo_path, advance)
        sketch_images = _thumbnails(sketches, data.sketch_file, data.sketch_path, advance)
    return [_example(details, data, query, focus, sketch_images, photo_images) for query in queries]


def _thumbnails(
    rows: Sequence[int], read: Callable[[int], bytes], locate: Callable[[int], str], advance: Advance
) -> dict[int, str]:
    """Return a data URI for each row of the pack, empty if the file cannot be read."""
    images: dict[int, str] = {}
    for row in rows:
        try:
            images[row] = _data_uri(open_image(read(row), at_least=THUMBNAIL))
        except (DataError, ImageError, OSError) as error:
            images[row] = ""
            log.info(f"{locate(row)} is not shown on the page: {error}")
        advance(1)
    return images


def _data_uri(picture: Image.Image) -> str:
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    content = BytesIO()
    picture.save(content, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"


def _example(
    details: EvaluationDetails,
    data: Dataset,
    query: int,
    focus: Focus,
    sketch_images: dict[int, str],
    photo_images: dict[int, str],
) -> Example:
    names, scores = data.pack.categories, details.scores
    category, traced = int(details.queries.categories[query]), int(details.queries.instances[query])
    by_instance = details.evaluation.protocol["name"] in ("all", "instance")
    photos = []
    for index in scores.nearest[query].tolist():
        row, label = int(details.subset.photos[index]), int(details.gallery_categories[index])
        right = index == traced if focus.instance else label == category
        file = data.pack.photo_records[row].name
        photos.append(ShownPhoto(photo_images[row], file, names[label], right, by_instance and index == traced))
    sketch = int(details.subset.sketches[query])
    return Example(
        image=sketch_images[sketch],
        file=data.pack.sketch_records[sketch].name,
        category=names[category],
        average_precision=None if focus.instance else float(scores.metrics["map_all"][query]),
        traced_rank=int(scores.instance_rank[query]) if by_instance else 0,
        photos=tuple(photos),
    )
