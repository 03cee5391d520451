#!/usr/bin/env python3
"""Search folders of photos by folders of sketches that have nothing to do with the training, at several spatial shares.

Usage: .venv/bin/python scripts/check_sets.py MODEL --sketches DIR --photos DIR [--photos DIR]... [--pairs]
MODEL is a checkpoint or an exported model. Without --pairs a photo is right if it shows the sketched thing, by the name
of its folder, or of its file, such as n01518878_ostrich.jpg; synonyms are the same thing. With --pairs, it is the one
whose file has the name of the sketch's. Sketches without any right photo are left out.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sketchy.dataset.further import WNID_AND_WORD
from sketchy.dataset.things import canonical
from sketchy.retrieval.model import Model, load_model
from sketchy.retrieval.spatial_share import reweighted

SUFFIXES = {".jpg", ".jpeg", ".png"}
SHARES = (None, 0.15, 0.3, 0.5, 0.7)
"""Spatial shares; None is the model's own."""


def thing(path: Path) -> str:
    """Return what an image shows."""
    told = WNID_AND_WORD.fullmatch(path.name)
    return canonical(told[1] if told else path.parent.name)


def images(folders: list[Path]) -> list[Path]:
    """Return the image files of folders, sorted within each."""
    return [path for one in folders for path in sorted(one.rglob("*")) if path.suffix.lower() in SUFFIXES]


def row(distance: np.ndarray, right: np.ndarray) -> dict[str, float]:
    """Return mAP@all, and the shares of queries with a right photo first and among ten."""
    hits = np.take_along_axis(right, np.argsort(distance, 1, kind="stable"), 1)
    precision = hits.cumsum(1) / np.arange(1, hits.shape[1] + 1)
    return {
        "mAP@all": ((precision * hits).sum(1) / hits.sum(1)).mean(),
        "R@1": hits[:, 0].mean(),
        "R@10": hits[:, :10].any(1).mean(),
    }


def measure(model: Model, sketches: list[Path], photos: list[Path], key: Callable[[Path], str]) -> None:
    """Print a table with a row for each spatial share."""
    known = {key(photo) for photo in photos}
    sketches = [sketch for sketch in sketches if key(sketch) in known]
    right = np.array([key(one) for one in sketches])[:, None] == np.array([key(one) for one in photos])
    queries, gallery = model.embed(sketches, "sketch"), model.embed(photos, "photo")
    print(f"{len(sketches)} sketches, {len(photos)} photos, {len({key(one) for one in sketches})} names")
    print("| spatial share | mAP@all | R@1 | R@10 |\n| --- | ---: | ---: | ---: |")
    for share in SHARES if model.spatial else (None,):
        weighed = [query if share is None else reweighted(query, model.spatial, share) for query in queries]
        found = row(-np.stack(weighed) @ gallery.T, right)  # photos have length 1: nearest first
        print(
            f"| {'its own' if share is None else share} | " + " | ".join(f"{found[name]:.3f}" for name in found) + " |"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--sketches", type=Path, action="append", required=True)
    parser.add_argument("--photos", type=Path, action="append", required=True)
    parser.add_argument("--pairs", action="store_true", help="the right photo has the name of the sketch's file")
    given = parser.parse_args()
    name = (lambda path: path.stem) if given.pairs else thing
    measure(load_model(given.model), images(given.sketches), images(given.photos), name)
