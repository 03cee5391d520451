#!/usr/bin/env python3
"""Measure the weights of good and bad examples beside a drawing (Rocchio) on the validation split of a model.

Usage: .venv/bin/python scripts/choose_weights.py MODEL --data DIR [--examples N] [--part test]
Each drawing is searched for, and a person is simulated who looks at the twenty nearest photos, wants more like the
first right ones and less like the first wrong ones. Then it is searched for again without these photos. Prints the
mean average precision of the second search by the weights: only bad examples in the first row, only good ones in the
first column. docs/results.md says which were chosen.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sketchy.dataset.loader import load_dataset
from sketchy.inference.description import SpatialPart
from sketchy.retrieval import query
from sketchy.retrieval.model import load_model

LIKE = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
UNLIKE = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
SEEN = 20
"""Number of nearest photos that are looked at."""

Vectors = NDArray[np.float32]


def nearest_first(vector: Vectors, photos: Vectors) -> NDArray[np.intp]:
    """Return the rows of photos, nearest first, of a query of the same length as these."""
    return np.argsort(-(photos @ vector), kind="stable")


def average_precision(right: NDArray[np.bool_]) -> float:
    """Return the average precision of one ranking."""
    return float((np.cumsum(right)[right] / (np.flatnonzero(right) + 1)).mean())


class Search:
    """A drawing, and the examples that a person chooses from its nearest photos."""

    def __init__(self, sketch: Vectors, photos: Vectors, right: NDArray[np.bool_], examples: int) -> None:
        seen = nearest_first(sketch, photos)[:SEEN]
        self.query = query.Query(sketch, "sketch")
        self.like, self.unlike = (seen[right[seen] == wanted][:examples] for wanted in (True, False))
        self.rest = np.setdiff1d(np.arange(len(photos)), [*self.like, *self.unlike])
        self.right, self.photos = right[self.rest], photos

    def precision(self, spatial: SpatialPart | None) -> float:
        """Search again, with the weights that are set, and return the average precision."""
        vector, _ = query.combine(self.query, [*self.photos[self.like]], [*self.photos[self.unlike]], spatial)
        return average_precision(self.right[nearest_first(vector, self.photos[self.rest])])


def main() -> None:
    """Print a table of the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, help="where the dataset lies now")
    parser.add_argument("--examples", type=int, default=2, metavar="N", help="good ones, and bad ones, of each search")
    parser.add_argument("--part", choices=["val", "test"], default="val", help="the split to measure on")
    given = parser.parse_args()
    model = load_model(given.model)
    data = load_dataset(model.config, root=given.data)
    pack, part = data.pack, data.parts[given.part]
    photos = model.embed_prepared(pack.photos[part.photos], len(part.photos), "photo")
    sketches = model.embed_prepared(pack.sketches[part.sketches], len(part.sketches), "sketch")
    right = pack.sketch_category[part.sketches][:, np.newaxis] == pack.photo_category[part.photos]
    searches = [Search(*each, given.examples) for each in zip(sketches, [photos] * len(right), right, strict=True)]
    searches = [each for each in searches if len(each.like) and len(each.unlike) and each.right.any()]
    if not searches:
        raise SystemExit("no drawing has right and wrong photos to choose from and a right one left; give more photos")
    print(f"{len(searches):,} drawings, {len(photos):,} photos, {given.examples} of each\n")
    print("| like \\ unlike | " + " | ".join(map(str, UNLIKE)) + " |\n| ---: |" + " ---: |" * len(UNLIKE))
    for query.LIKE in LIKE:
        row = []
        for query.UNLIKE in UNLIKE:
            row.append(f"{np.mean([each.precision(model.spatial) for each in searches]):.4f}")
        print(f"| {query.LIKE} | {' | '.join(row)} |")


if __name__ == "__main__":
    main()
