"""Pictures of what a query found, from a judgement."""

from collections.abc import Sequence

from PIL import Image

from sketchy.dataset.loader import Dataset
from sketchy.evaluation.judge import Judgement
from sketchy.image import open_image
from sketchy.retrieval.contact_sheet import Tile, contact_sheet


def retrievals_sheet(judgement: Judgement, data: Dataset, queries: Sequence[int]) -> Image.Image:
    """Draw some queries, each with its nearest photos on one line, right ones framed green and wrong ones red.

    Args:
        judgement: of a part of `data`.
        queries: positions in `judgement.subset.sketches`, at least one.
    """
    return contact_sheet([_row(judgement, data, query) for query in queries], columns=10)


def _row(judgement: Judgement, data: Dataset, query: int) -> tuple[Tile, list[Tile]]:
    names = data.pack.categories
    own = int(judgement.queries.categories[query])
    sketch = open_image(data.sketch_file(int(judgement.subset.sketches[query])))
    photos = []
    for rank, position in enumerate(judgement.scores.nearest[query].tolist(), start=1):
        row = int(judgement.subset.photos[position])
        category = int(data.pack.photo_category[row])
        photos.append(Tile(open_image(data.photo_file(row)), f"{rank}  {names[category]}", category == own))
    return Tile(sketch, names[own]), photos


def spread_queries(judgement: Judgement, count: int) -> list[int]:
    """Choose up to `count` queries of different categories, evenly spread over the categories by name."""
    first_of: dict[int, int] = {}
    for position, category in enumerate(judgement.queries.categories.tolist()):
        first_of.setdefault(category, position)
    firsts = [first_of[category] for category in sorted(first_of)]
    count = min(count, len(firsts))
    return [firsts[index * len(firsts) // count] for index in range(count)]
