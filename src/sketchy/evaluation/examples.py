"""The best and worst queries of a judgement, with thumbnails of the photos they found."""

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
from sketchy.evaluation.judge import Judgement
from sketchy.image import open_image
from sketchy.progress import Advance, Progress

log = logging.getLogger(__name__)

EXAMPLES = 8
"""Best queries, and as many worst."""
THUMBNAIL = 128
"""Longer side of a picture in pixels; 176 of them, a whole report, are about 1 MB."""
QUALITY = 80
"""Of the JPEG thumbnails."""


class ShownPhoto(NamedTuple):
    """One of the nearest photos of a query; `image` is a data URI, or empty where the file cannot be read."""

    image: str
    file: str
    category: str
    right: bool
    traced: bool


class Example(NamedTuple):
    """A query with its nearest photos, nearest first; `traced_rank` is 0 where it is not measured."""

    image: str
    file: str
    category: str
    average_precision: float | None
    traced_rank: int
    photos: tuple[ShownPhoto, ...]


def pick_examples(judgement: Judgement, focus: Focus) -> tuple[list[int], list[int]]:
    """Choose up to EXAMPLES best and as many worst queries, no category twice among each and no query in both.

    Equal ones are taken in the order of the queries.
    """
    best = _firsts(focus.value, judgement, focus.counted)
    rest = focus.counted.clone()
    rest[best] = False
    return best, _firsts(-focus.value, judgement, rest)


def _firsts(value: Tensor, judgement: Judgement, allowed: Tensor) -> list[int]:
    """Go through the queries by falling value and take the first of each category."""
    first_of: dict[int, int] = {}
    for query in (-value).argsort(stable=True).tolist():
        if allowed[query]:
            first_of.setdefault(int(judgement.queries.categories[query]), query)
    return list(first_of.values())[:EXAMPLES]


def read_examples(
    judgement: Judgement, data: Dataset, queries: Sequence[int], focus: Focus, progress: Progress
) -> list[Example]:
    """Read the pictures of these queries, each file once and in the order of the pack, and put them together."""
    subset, nearest = judgement.subset, judgement.scores.nearest
    photos = sorted({int(subset.photos[place]) for query in queries for place in nearest[query].tolist()})
    sketches = sorted(int(subset.sketches[query]) for query in queries)
    with progress("pictures", len(photos) + len(sketches), "image") as advance:
        photo_images = _thumbnails(photos, data.photo_file, data.photo_path, advance)
        sketch_images = _thumbnails(sketches, data.sketch_file, data.sketch_path, advance)
    return [_example(judgement, data, query, focus, sketch_images, photo_images) for query in queries]


def _thumbnails(
    rows: Sequence[int], read: Callable[[int], bytes], locate: Callable[[int], str], advance: Advance
) -> dict[int, str]:
    """Return a data URI for each row, empty where the file cannot be read."""
    images: dict[int, str] = {}
    for row in rows:
        try:
            images[row] = _data_uri(open_image(read(row), at_least=THUMBNAIL))
        except (DataError, ImageError, OSError) as error:
            images[row] = ""
            log.info(f"no picture of {locate(row)} on the page: {error}")
        advance(1)
    return images


def _data_uri(picture: Image.Image) -> str:
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    content = BytesIO()
    picture.save(content, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"


def _example(
    judgement: Judgement,
    data: Dataset,
    query: int,
    focus: Focus,
    sketch_images: dict[int, str],
    photo_images: dict[int, str],
) -> Example:
    names, scores = data.pack.categories, judgement.scores
    category, traced = int(judgement.queries.categories[query]), int(judgement.queries.instances[query])
    by_instance = judgement.evaluation.protocol["name"] in ("all", "instance")
    photos = []
    for place in scores.nearest[query].tolist():
        row, own = int(judgement.subset.photos[place]), int(judgement.gallery_categories[place])
        right = place == traced if focus.instance else own == category
        file = data.pack.photo_records[row].name
        photos.append(ShownPhoto(photo_images[row], file, names[own], right, by_instance and place == traced))
    sketch = int(judgement.subset.sketches[query])
    return Example(
        image=sketch_images[sketch],
        file=data.pack.sketch_records[sketch].name,
        category=names[category],
        average_precision=None if focus.instance else float(scores.metrics["map_all"][query]),
        traced_rank=int(scores.instance_rank[query]) if by_instance else 0,
        photos=tuple(photos),
    )
