"""Contact sheets of the photos that queries of an evaluation retrieved."""

from collections.abc import Sequence

from PIL import Image

from sketchy.dataset.loader import Dataset
from sketchy.evaluation.evaluate import EvaluationDetails
from sketchy.image import open_image
from sketchy.retrieval.contact_sheet import Tile, contact_sheet


def retrievals_sheet(details: EvaluationDetails, data: Dataset, queries: Sequence[int]) -> Image.Image:
    """Draw queries with their nearest photos, one query per row; right photos have a green frame, wrong ones a red one.

    Args:
        details: The evaluation of a subset of `data`.
        data: The dataset, from which the images are read.
        queries: Indices into `details.subset.sketches`, at least one.
    """
    return contact_sheet([_row(details, data, query) for query in queries], columns=10)


def _row(details: EvaluationDetails, data: Dataset, query: int) -> tuple[Tile, list[Tile]]:
    names = data.pack.categories
    own = int(details.queries.categories[query])
    sketch = open_image(data.sketch_file(int(details.subset.sketches[query])))
    photos = []
    for rank, index in enumerate(details.scores.nearest[query].tolist(), start=1):
        row = int(details.subset.photos[index])
        category = int(data.pack.photo_category[row])
        photos.append(Tile(open_image(data.photo_file(row)), f"{rank}  {names[category]}", category == own))
    return Tile(sketch, names[own]), photos


def spread_queries(details: EvaluationDetails, count: int) -> list[int]:
    """Return up to `count` queries of different categories, spread evenly over the sorted categories."""
    first_of: dict[int, int] = {}
    for query, category in enumerate(details.queries.categories.tolist()):
        first_of.setdefault(category, query)
    firsts = [first_of[category] for category in sorted(first_of)]
    count = min(count, len(firsts))
    return [firsts[index * len(firsts) // count] for index in range(count)]
