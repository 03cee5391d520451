"""Searching a store, with limits on distance and score, and missing files last."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches
from itertools import islice
from typing import TypedDict, Unpack

import numpy as np

from sketchy.errors import CheckpointError
from sketchy.inference.description import SpatialPart
from sketchy.model.calibration import Calibration
from sketchy.results import Advice, Hit, Hits
from sketchy.retrieval.dates import first_day, iso, last_day
from sketchy.retrieval.model import Model
from sketchy.retrieval.query import Extras, Query
from sketchy.retrieval.spatial_share import reweighted, reweighted_distance
from sketchy.retrieval.store.base import EVERYTHING, Store, Vectors, Where, as_tuple, category_name

MAX_OVERFETCH = 16
"""Greatest multiple of k that is searched to find k photos whose files exist."""
MAX_SUGGESTIONS = 5
"""Categories suggested in place of an unknown one."""
MAX_SCANNED = 1_000_000
"""Photos whose categories are considered as suggestions."""


@dataclass(frozen=True)
class Request:
    """Parameters of a search.

    Attributes:
        k: Greatest number of hits.
        where: Filter on the photos.
        max_distance: Greatest distance of a hit; None sets no limit.
        min_score: Least score of a hit, 0 to 1; None sets no limit.
        exact: Measure every photo, even if there is an approximate index.
        spatial_share: Share of the spatial part in the squared distance, 0 to 1; None takes the model's. A chosen one
            measures every photo, as an approximate index is tuned for the model's.
    """

    k: int = 10
    where: Where = EVERYTHING
    max_distance: float | None = None
    min_score: float | None = None
    exact: bool = False
    spatial_share: float | None = None

    def __post_init__(self) -> None:
        """Raise ValueError unless a photo can be found."""
        if self.k < 1:
            raise ValueError(f"k is {self.k}; give at least 1")


class Filters(TypedDict, total=False):
    """Which photos may be found; a filter that is missing, None or empty lets all pass.

    Attributes:
        categories: Accepted categories of a dataset.
        path_glob: Glob that the path must match, such as "holiday/*".
        folder: Folder that must contain the photos, or several; see `Folders.find`.
        since: First day on which they may have been taken: a date, "2023", "2023-07" or "2023-07-14".
        until: Last day on which they may have been taken, in the same forms.
        name: Glob that the file name must match, whatever the case, such as "*.png".
    """

    categories: str | Sequence[str] | None
    path_glob: str | None
    folder: str | Sequence[str] | None
    since: str | date | None
    until: str | date | None
    name: str | None


class Wanted(Filters, Extras, total=False):
    """Everything about a search besides images and numbers."""


def where_of(**filters: Unpack[Filters]) -> Where:
    """Return some filters as one. Raises ValueError if a date is none."""
    since, until = filters.get("since"), filters.get("until")
    return Where(
        as_tuple(filters.get("categories") or ()),
        filters.get("path_glob"),
        as_tuple(filters.get("folder") or ()),
        first_day(since) if isinstance(since, str) else since,
        last_day(until) if isinstance(until, str) else until,
        filters.get("name"),
    )


def calibration_of(model: Model, query: Query, request: Request) -> Calibration | None:
    """Return the calibration that scores the hits.

    None if the model has none, the query is more than a drawing or none, or the request chooses another spatial share,
    as scores are estimated from distances of drawings with the model's share.

    Raises:
        CheckpointError: The request sets a least score, but hits have no scores.
    """
    calibration = model.calibration if query.is_drawing and request.spatial_share is None else None
    if request.min_score is not None and calibration is None:
        unfinished = f"{model.source} has none, only best.pth of a finished run does"
        why = unfinished if query.is_drawing else "only a drawing as query has one"
        if request.spatial_share is not None:
            why = "distances with a chosen spatial share have none"
        raise CheckpointError(f"no calibrated score; {why}; use --max-distance")
    return calibration


def search(
    store: Store,
    query: Vectors,
    request: Request,
    calibration: Calibration | None = None,
    spatial: SpatialPart | None = None,
    left_out: Set[str] = frozenset(),
) -> Hits:
    """Find the nearest pictures; copies of one picture are one hit, with all their paths.

    Hits without an existing file, as on a drive that is not mounted, come last.

    Args:
        store: Store of the model that made the query.
        query: Embedding, shape (D,), float32.
        request: Parameters of the search.
        calibration: Calibration that scores the hits; None leaves them without a score.
        spatial: Settings of the model's spatial embedding; None if it has none.
        left_out: Paths of photos that are no hits, nor are copies of them.

    Returns:
        The hits, with the advice that nothing fits well if it is unlikely that any photo shows what was drawn.

    Raises:
        CheckpointError, ValueError: The spatial share cannot be chosen; see `reweighted`.
    """
    if request.spatial_share is not None:
        query = reweighted(query, spatial, request.spatial_share)
    nearest = _nearest(store, query, request, left_out)
    hits = sorted(nearest, key=lambda hit: hit.missing)[: request.k]
    if request.spatial_share is not None:
        hits = [replace(hit, distance=reweighted_distance(hit.distance, query)) for hit in hits]
    advice = None
    if calibration is not None and nearest:
        found = calibration.found(nearest[0].distance, store.count(request.where))
        advice = Advice.NOTHING_FITS if found < calibration.threshold else None
        hits = [replace(hit, score=calibration.score(hit.distance, found)) for hit in hits]
    return Hits((hit for hit in hits if _within_limits(hit, request)), advice)


def _nearest(store: Store, query: Vectors, request: Request, left_out: Set[str]) -> list[Hit]:
    """Return the nearest photos, until enough of them exist."""
    exact = request.exact or request.spatial_share is not None
    limit, most = request.k + len(left_out), MAX_OVERFETCH * request.k + len(left_out)
    while True:
        found = store.search(query, limit, request.where, exact=exact)
        hits = [hit for hit in found if left_out.isdisjoint(hit.paths)]
        existing = sum(not hit.missing for hit in hits)
        if existing >= request.k or len(found) < limit or limit >= most:
            return hits
        limit *= 4


def _within_limits(hit: Hit, request: Request) -> bool:
    near = request.max_distance is None or hit.distance <= request.max_distance
    likely = request.min_score is None or (hit.score is not None and hit.score >= request.min_score)
    return near and likely


def unmatched(store: Store, where: Where) -> list[str]:
    """Return a message for each part of a filter that no photo passes, with the most similar categories."""
    problems = []
    query = np.zeros(store.identity.size, np.float32)
    for name in where.categories:
        if not store.search(query, 1, Where((name,))):
            photos = (photo for batch in store.scan() for photo in batch)
            names = sorted({category_name(photo.category) for photo in islice(photos, MAX_SCANNED) if photo.category})
            problems.append(unknown_category(name, names))
    if where.path_glob is not None and not store.search(query, 1, Where(path_glob=where.path_glob)):
        problems.append(f"no path matches {where.path_glob!r}; `*` stands for any characters, as in 'holiday/*'")
    if where.name is not None and not store.search(query, 1, Where(name=where.name)):
        example = "*.png" if set(where.name) & set("*?[") else f"*{where.name}*"
        problems.append(f"no file name matches {where.name!r}; `*` stands for any characters, as in {example!r}")
    dates = Where(since=where.since, until=where.until)
    if not (dates.everything or store.search(query, 1, dates)):
        problems.append(f"no photo was taken {_period(where)}; {_dates(store)}")
    return problems


def _period(where: Where) -> str:
    parts = [f"{word} {day}" for word, day in (("since", where.since), ("until", where.until)) if day is not None]
    return " and ".join(parts)


def _dates(store: Store) -> str:
    """Return when the photos were taken."""
    photos = (photo for batch in store.scan() for photo in batch)
    seconds = [photo.date for photo in islice(photos, MAX_SCANNED) if photo.date is not None]
    return f"they are from {iso(min(seconds))[:10]} to {iso(max(seconds))[:10]}" if seconds else "none has a date"


def unknown_category(name: str, names: Sequence[str]) -> str:
    """Return the message that no photo is of a category, with the most similar ones of those that there are."""
    folded: dict[str, str] = {other.casefold(): other for other in names}
    similar = [folded[match] for match in get_close_matches(category_name(name).casefold(), folded, MAX_SUGGESTIONS)]
    first = ", ".join(names[:MAX_SUGGESTIONS]) + " ..." * (len(names) > MAX_SUGGESTIONS)
    remedy = f"try {', '.join(similar) or first}" if names else "they are no dataset with categories; use --folder"
    return f"no photo is of the category {category_name(name)!r}; {remedy}"
