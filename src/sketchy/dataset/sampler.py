"""Which sketches and photos a training step sees.

A sampler draws the batches of an epoch from (seed, epoch) alone: the same on every rank of a distributed run, and in a
run that was stopped and resumed.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sketchy.choices import PairsConfig, PKConfig
from sketchy.errors import DataError

Indices = NDArray[np.int64]


class Batch(NamedTuple):
    """Rows of the pack's sketches and photos, (B,) int64 each; loss terms come from their categories."""

    sketches: Indices
    photos: Indices


class Sampler(Protocol):
    """Draws epochs of batches, each of `batch_size` sketches and as many photos."""

    batch_size: int

    def __len__(self) -> int:
        """Batches in an epoch."""

    def epoch(self, number: int) -> Iterator[Batch]:
        """Draw epoch `number`; the same number gives the same batches."""


class Items(NamedTuple):
    """What may be drawn: rows of the pack, (N,) int64, and the category of each, (N,) int64."""

    rows: Indices
    categories: Indices


class PairSampler(Sampler):
    """The report's pairs: a sketch with a random photo, half of each batch of one category, half of two.

    An epoch takes every sketch once, in random order, but for the last few that fill no batch. A matching photo is
    drawn from the sketch's category, another from a random other category, so that large ones do not dominate.

    Args:
        sketches: Sketches to draw from; those whose category has no photo are left out.
        photos: Photos to draw from.
        batch_size: Pairs in a batch, at least 2.
        seed: Seed of all draws.

    Raises:
        DataError: There are fewer than two categories with photos, or too few sketches to fill one batch.
    """

    def __init__(self, sketches: Items, photos: Items, *, batch_size: int, seed: int) -> None:
        self.photos = _by_category(photos)
        usable = np.isin(sketches.categories, list(self.photos))
        self.sketches = Items(sketches.rows[usable], sketches.categories[usable])
        self.batch_size = batch_size
        self.seed = seed
        if len(self.photos) < 2:
            raise DataError(f"{len(self.photos)} categories with photos to train on; pairs need at least 2")
        if len(self) == 0:
            raise DataError(
                f"{usable.sum()} sketches to train on fill no batch of {batch_size}; lower sampler.batch_size"
            )

    def __len__(self) -> int:
        return len(self.sketches.rows) // self.batch_size

    def epoch(self, number: int) -> Iterator[Batch]:
        generator = np.random.default_rng((self.seed, number))
        categories = np.array(sorted(self.photos))
        photos = np.concatenate([self.photos[category] for category in categories.tolist()])
        counts = np.array([len(self.photos[category]) for category in categories.tolist()])
        starts = np.cumsum(counts) - counts
        order = generator.permutation(len(self.sketches.rows))
        matching = np.arange(self.batch_size) < (self.batch_size + 1) // 2
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            chosen = order[start : start + self.batch_size]
            own = np.searchsorted(categories, self.sketches.categories[chosen])
            # In a circle of C categories, 1 to C-1 steps never lead back to the sketch's own.
            other = (own + generator.integers(1, len(categories), self.batch_size)) % len(categories)
            wanted = np.where(generator.permutation(matching), own, other)
            drawn = starts[wanted] + generator.integers(0, counts[wanted])
            yield Batch(self.sketches.rows[chosen], photos[drawn])


class PKSampler(Sampler):
    """P categories a batch, with K sketches and K photos of each, in the same order of categories.

    Categories are drawn in rounds: each once before any is drawn twice; so are the sketches and photos of each. If a
    category has fewer than K, some of them are repeated. The first `traced` of its K sketches are paired with the very
    photos that they trace, unless the category has none of these; the other photos are any of the category. Behind them
    come `unpaired` sketches and as many photos of categories that have fewer than K photos or sketches, drawn in the
    same rounds; if there are none of one kind, they are of any category. Without `unpaired`, one photo is enough, and
    is seen as often as all photos of another category together.

    Args:
        sketches: Sketches to draw from.
        photos: Photos to draw from.
        categories: P, at least 2.
        per_category: K, at least 1.
        seed: Seed of all draws.
        traced: Number of sketches of each category that are paired with the photo that they trace, from 0 to K.
        sketch_photo: Row of the traced photo for every row of a sketch, -1 if there is none; needed with `traced`.
        unpaired: Number of sketches, and of photos, from categories that have fewer than K of either.

    Raises:
        DataError: Fewer than P categories have both a sketch and a photo, or none has a traced photo with `traced`.
    """

    def __init__(
        self,
        sketches: Items,
        photos: Items,
        *,
        categories: int,
        per_category: int,
        seed: int,
        traced: int = 0,
        sketch_photo: Indices | None = None,
        unpaired: int = 0,
    ) -> None:
        self.sketches = _by_category(sketches)
        self.photos = _by_category(photos)
        enough = per_category if unpaired else 1
        self.usable = sorted(_with(self.sketches, enough) & _with(self.photos, enough))
        self.tracing: dict[int, Indices] = {}
        if traced and sketch_photo is not None:
            paired = np.isin(sketch_photo[sketches.rows], photos.rows)
            self.tracing = _by_category(Items(sketches.rows[paired], sketches.categories[paired]))
            if not self.tracing:
                raise DataError("no sketch to train on has the photo that it traces; set sampler.traced to 0")
            self.sketch_photo = sketch_photo
        self.categories = categories
        self.batch_size = categories * per_category + unpaired
        self.per_category = per_category
        self.traced = traced
        self.unpaired = unpaired
        self.seed = seed
        if len(self.usable) < categories:
            raise DataError(
                f"{len(self.usable)} categories have sketches and photos to train on, a batch needs {categories}; "
                "lower sampler.categories"
            )

    def __len__(self) -> int:
        """Batches in an epoch: about as many paired sketches as there are, and at least one batch."""
        total = sum(len(self.sketches[category]) for category in self.usable)
        return max(1, total // (self.batch_size - self.unpaired))

    def epoch(self, number: int) -> Iterator[Batch]:
        generator = np.random.default_rng((self.seed, number))
        categories = _rounds(np.array(self.usable), self.categories, generator)
        tracing = {label: _rounds(rows, self.traced, generator) for label, rows in self.tracing.items()}
        free = {label: self.per_category - self.traced * (label in tracing) for label in self.usable}
        sketches = {label: _rounds(self.sketches[label], free[label], generator) for label in self.usable}
        photos = {label: _rounds(self.photos[label], free[label], generator) for label in self.usable}
        lone_sketches = _one_of_each(self._lone(self.sketches), self.unpaired, generator)
        lone_photos = _one_of_each(self._lone(self.photos), self.unpaired, generator)
        for _ in range(len(self)):
            drawn_sketches: list[Indices] = []
            drawn_photos: list[Indices] = []
            for label in next(categories).tolist():
                if label in tracing:
                    drawn_sketches.append(next(tracing[label]))
                    drawn_photos.append(self.sketch_photo[drawn_sketches[-1]])
                drawn_sketches.append(next(sketches[label]))
                drawn_photos.append(next(photos[label]))
            if self.unpaired:
                drawn_sketches.append(next(lone_sketches))
                drawn_photos.append(next(lone_photos))
            yield Batch(np.concatenate(drawn_sketches), np.concatenate(drawn_photos))

    def _lone(self, items: dict[int, Indices]) -> dict[int, Indices]:
        """Return the items of categories that are not paired, or all if there are none."""
        return {label: rows for label, rows in items.items() if label not in self.usable} or items


def build_sampler(
    config: PairsConfig | PKConfig, sketches: Items, photos: Items, sketch_photo: Indices, seed: int
) -> Sampler:
    """Make the sampler that the config names; arguments and errors are those of the samplers."""
    settings = config.model_dump(exclude={"name"})
    if isinstance(config, PairsConfig):
        return PairSampler(sketches, photos, seed=seed, **settings)
    return PKSampler(sketches, photos, seed=seed, sketch_photo=sketch_photo, **settings)


def _by_category(items: Items) -> dict[int, Indices]:
    return {int(category): items.rows[items.categories == category] for category in np.unique(items.categories)}


def _with(items: dict[int, Indices], count: int) -> set[int]:
    """Return the categories that have at least `count` items."""
    return {label for label, rows in items.items() if len(rows) >= count}


def _rounds(items: Indices, count: int, generator: np.random.Generator) -> Iterator[Indices]:
    """Yield `count` items at a time for ever, each round in a new order, none twice in a draw if there are enough."""
    while True:
        if count == 0:
            yield items[:0]
            continue
        order = generator.permutation(items)
        if len(items) < count:
            yield np.resize(order, count)
            continue
        whole = len(items) // count * count  # the rest waits for another round: a draw must not span two
        yield from order[:whole].reshape(-1, count)


def _one_of_each(items: dict[int, Indices], count: int, generator: np.random.Generator) -> Iterator[Indices]:
    """Yield one item of each of `count` categories at a time for ever, in rounds over categories and their items."""
    labels = _rounds(np.array(sorted(items)), count, generator)
    rows = {label: _rounds(of_label, 1, generator) for label, of_label in items.items()}
    while True:
        yield np.concatenate([next(rows[label]) for label in next(labels).tolist()])
