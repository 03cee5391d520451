#!/usr/bin/env python3
"""Measure the calibrated score of a model on its test split, which was neither trained nor fitted on.

Usage: .venv/bin/python scripts/check_score.py MODEL --data DIR [--sketches PATH]... [--photos DIR]... [--held-out DIR]
First: how often is it said that nothing fits well? It should be of drawings of things that no photo shows, of scribbles
and of most half drawings (else it is a false alarm), and not where one of the ten nearest photos is right (else it is a
miss). Then: of hits scored 0.7, are 70 % right? MODEL is a best.pth or an exported model. --sketches is a source as in
data.sketches, of which the held-out drawings are taken whose names no category of the dataset has or is near; --photos
is a folder of <category>/<photo> to search together with the photos of the test split; --held-out is a source as in
data.photos, of which the held-out photos are searched in place of these, by the drawings of their categories.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sketchy.config import Config
from sketchy.dataset.further import load_further
from sketchy.dataset.loader import Dataset, load_dataset
from sketchy.dataset.things import canonical, related
from sketchy.distance import pairwise
from sketchy.evaluation.calibrate import nearest_of
from sketchy.evaluation.negatives import halved, scribbles
from sketchy.image import Kind
from sketchy.retrieval.model import Model, load_model

LEVELS = (0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1)
SEED = 1
"""Another one than that of the fit."""
SCRIBBLES = 200
UNSEEN = 300
"""Drawings of a further source, at most."""
NOTHING = ""
"""Name of what no photo shows."""

Names = NDArray[np.str_]


def embed(model: Model, pixels: NDArray[np.uint8], kind: Kind) -> torch.Tensor:
    return torch.from_numpy(model.embed_prepared(pixels, len(pixels), kind))


class Gallery:
    """The photos that are searched, with their categories and the model."""

    def __init__(self, model: Model, photos: torch.Tensor, names: Names) -> None:
        self.model, self.photos, self.names = model, photos, names

    @classmethod
    def of_test(cls, model: Model, data: Dataset, folders: list[Path]) -> "Gallery":
        """Return the photos of the test split, and those of folders."""
        rows = data.parts["test"].photos
        files = [file for folder in folders for file in sorted(folder.glob("*/*.jpg"))]
        further = model.embed_files(files, "photo")
        photos = torch.cat([embed(model, data.pack.photos[rows], "photo"), torch.from_numpy(further.embeddings)])
        own = [data.pack.categories[label] for label in data.pack.photo_category[rows]]
        return cls(model, photos, np.array([*own, *(canonical(file.parent.name) for file in further.paths)]))

    @classmethod
    def held_out(cls, model: Model, data: Dataset, source: Path) -> "Gallery":
        """Return the photos of a further source that training leaves out, of the categories of the dataset."""
        further = load_further(with_sources(model, [], [source]), data)
        (photos,) = further.photos
        rows = photos.checking[photos.categories[photos.checking] < len(data.pack.categories)]
        return cls(
            model, embed(model, photos.images[rows], "photo"), np.array(further.categories)[photos.categories[rows]]
        )

    def trial(self, sketches: torch.Tensor, names: Names, *, without: bool = False) -> "Trial":
        """Search for embedded drawings, with or `without` the photos of their own categories."""
        distances = pairwise(sketches, self.photos).numpy()
        right = names[:, np.newaxis] == self.names
        if without:
            distances, right = np.where(right, np.inf, distances), np.zeros_like(right)
        return Trial(self.model, len(self.photos), *nearest_of(distances, right))


class Trial:
    """Searches, with the distances of the nearest photos and which of these are right, shape (Q, N)."""

    def __init__(self, model: Model, photos: int, nearest: NDArray[np.float32], right: NDArray[np.bool_]) -> None:
        assert model.calibration is not None
        self.right = right
        rows = nearest.tolist()
        found = [model.calibration.found(row[0], photos) for row in rows]
        self.told = np.array(found) < model.calibration.threshold
        self.scores = np.array(
            [
                [model.calibration.score(distance, likely) for distance in row]
                for row, likely in zip(rows, found, strict=True)
            ]
        )


def with_sources(model: Model, sketches: list[Path], photos: list[Path]) -> Config:
    """Return the config of a model with other further sources."""
    sources = {"sketches": tuple(map(str, sketches)), "photos": tuple(map(str, photos))}
    return model.config.model_copy(update={"data": model.config.data.model_copy(update=sources)})


def unseen(paths: list[Path], model: Model, data: Dataset) -> dict[str, NDArray[np.uint8]]:
    """Return drawings of things that no category of the dataset shows, by their source."""
    further, drawn = load_further(with_sources(model, paths, []), data), {}
    own = len(data.pack.categories)
    new = [not any(related(name, other) for other in further.categories[:own]) for name in further.categories]
    for source in further.sketches:
        rows = source.test[np.array(new)[source.categories[source.test]]]
        names = len(np.unique(source.categories[rows]))
        chosen = np.sort(np.random.default_rng(SEED).permutation(rows)[:UNSEEN])
        drawn[f"{source.name}: {names} things that no photo shows"] = source.images[chosen]
    return drawn


def show_told(trials: dict[str, Trial]) -> None:
    """Print how often it is said that nothing fits well."""
    print("| searched for | searches | nothing fits |\n| --- | ---: | ---: |")
    for name, trial in trials.items():
        found = trial.right.any(1)
        for part, rows in (("", ~found), (", found", found)):
            if rows.any():
                print(f"| {name}{part} | {rows.sum():,} | {trial.told[rows].mean():.3f} |")


def show_reliability(trials: list[Trial]) -> None:
    """Print which share of the hits of each score is right."""
    scores = np.concatenate([trial.scores.ravel() for trial in trials])
    right = np.concatenate([trial.right.ravel() for trial in trials])
    bins = np.clip(np.searchsorted(LEVELS, scores, side="right") - 1, 0, len(LEVELS) - 2)
    error = 0.0
    print("\n| score | right | hits |\n| ---: | ---: | ---: |")
    for bin_ in np.unique(bins):
        inside = bins == bin_
        error += inside.mean() * abs(scores[inside].mean() - right[inside].mean())
        print(f"| {scores[inside].mean():.3f} | {right[inside].mean():.3f} | {inside.sum():,} |")
    print(f"\nexpected calibration error {error:.3f}")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, help="where the dataset lies now")
    parser.add_argument("--sketches", type=Path, action="append", default=[], help="a further source of drawings")
    parser.add_argument("--photos", type=Path, action="append", default=[], help="further photos")
    parser.add_argument("--held-out", type=Path, metavar="DIR", help="a further source of photos, searched instead")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth drawing of the test split")
    given = parser.parse_args()
    model = load_model(given.model)
    if model.calibration is None:
        raise SystemExit(f"{given.model} has no calibration; only best.pth of a finished run does")
    data = load_dataset(model.config, root=given.data)
    pack, rows = data.pack, data.parts["test"].sketches[:: given.every]
    gallery = Gallery.of_test(model, data, given.photos)
    if given.held_out:
        gallery = Gallery.held_out(model, data, given.held_out)
        rows = rows[np.isin(np.array(pack.categories)[pack.sketch_category[rows]], gallery.names)]
    drawn, names = pack.sketches[rows], np.array(pack.categories)[pack.sketch_category[rows]]
    sketches = embed(model, drawn, "sketch")
    whole = gallery.trial(sketches, names)
    alone = gallery.trial(sketches, names, without=True)
    trials = {"drawings": whole, "drawings, in a gallery without their category": alone}
    trials["half drawings"] = gallery.trial(embed(model, halved(drawn[::4], SEED), "sketch"), names[::4])
    poor = {"scribbles, dots and lines": scribbles(SCRIBBLES, drawn.shape[-1], SEED)}
    for name, pixels in (poor | unseen(given.sketches, model, data)).items():
        trials[name] = gallery.trial(embed(model, pixels, "sketch"), np.full(len(pixels), NOTHING))
    print(f"{given.model}: {len(gallery.photos):,} photos\n")
    show_told(trials)
    show_reliability([whole, alone])


if __name__ == "__main__":
    main()
