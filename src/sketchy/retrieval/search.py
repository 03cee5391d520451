"""Searching a store: limits on what comes back, photos that are there before missing ones, and the calibrated score."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import islice

from sketchy.errors import CheckpointError
from sketchy.image import Kind
from sketchy.model.calibration import Calibration
from sketchy.results import Hit
from sketchy.retrieval.model import Model
from sketchy.retrieval.store.base import EVERYTHING, Store, Vectors, Where, label

FURTHER = 16
"""How many times as many photos are looked at, to find enough whose files are there."""
SHOWN = 5
"""Categories that are named in the place of one that there is not."""
LISTED = 1_000_000
"""Photos whose categories are looked at for that."""


@dataclass(frozen=True)
class Request:
    """What a search is to find.

    Attributes:
        k: At most this many hits.
        where: Which photos may be found.
        max_distance: Greatest distance of a hit; None sets no limit.
        min_score: Least score of a hit, 0 to 1; None sets no limit.
        exact: Measure every photo, also where there is an approximate index.
    """

    k: int = 10
    where: Where = EVERYTHING
    max_distance: float | None = None
    min_score: float | None = None
    exact: bool = False


def calibration_of(model: Model, kind: Kind, request: Request) -> Calibration | None:
    """Return what gives hits their score; None for a photo as query, which it says nothing of.

    Raises:
        CheckpointError: The request has a least score, and there are no scores.
    """
    calibration = model.calibration if kind == "sketch" else None
    if request.min_score is not None and calibration is None:
        no_run = f"{model.source} has none, only best.pth of a finished run does"
        why = "a photo as query has none" if kind == "photo" else no_run
        raise CheckpointError(f"no calibrated score; {why}; use --max-distance")
    return calibration


def search(store: Store, query: Vectors, request: Request, calibration: Calibration | None = None) -> list[Hit]:
    """Find the nearest pictures; copies of one are one hit, with all their paths.

    Those whose files are not there, as on a drive that is not mounted, stand behind all others.

    Args:
        store: Of the query's model.
        query: Embedding, shape (D,), float32.
        request: What to find.
        calibration: Gives hits their score; None gives them none.
    """
    looked_at = request.k
    while True:
        hits = store.search(query, looked_at, request.where, exact=request.exact)
        there = sum(not hit.missing for hit in hits)
        if there >= request.k or len(hits) < looked_at or looked_at >= FURTHER * request.k:
            break
        looked_at *= 4
    hits = sorted(hits, key=lambda hit: hit.missing)[: request.k]
    if calibration is not None:
        hits = [replace(hit, score=calibration.score(hit.distance)) for hit in hits]
    return [hit for hit in hits if _is_wanted(hit, request)]


def _is_wanted(hit: Hit, request: Request) -> bool:
    near = request.max_distance is None or hit.distance <= request.max_distance
    likely = request.min_score is None or (hit.score is not None and hit.score >= request.min_score)
    return near and likely


def unmatched(store: Store, query: Vectors, where: Where) -> list[str]:
    """Say which of some filters no photo fits, with the nearest categories; empty where some photo fits each."""
    problems = []
    for name in where.categories:
        if not store.search(query, 1, Where((name,))):
            photos = (photo for batch in store.scan() for photo in batch)
            there = sorted({label(photo.category) for photo in islice(photos, LISTED) if photo.category})
            near = ", ".join(nearest_names(name, there)) or ", ".join(there[:SHOWN]) + " ..." * (len(there) > SHOWN)
            remedy = f"try {near}" if near else "none has a category"
            problems.append(f"no photo is of the category {label(name)!r}; {remedy}")
    if where.path_glob is not None and not store.search(query, 1, Where(path_glob=where.path_glob)):
        problems.append(f"no path matches {where.path_glob!r}; `*` stands for any characters, as in 'holiday/*'")
    return problems


def nearest_names(name: str, names: Iterable[str]) -> list[str]:
    """Return those of some names that are most like one, whatever their case."""
    folded: dict[str, str] = {other.casefold(): other for other in names}
    return [folded[found] for found in get_close_matches(label(name).casefold(), folded, SHOWN)]
