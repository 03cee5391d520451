"""Finding the photos and sketches of a dataset, in any of the layouts that are around."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sketchy.dataset.records import Record
from sketchy.dataset.source import Source
from sketchy.errors import DataError
from sketchy.image import SUFFIXES, Kind

FOLDERS: dict[str, Kind] = {"photo": "photo", "photos": "photo", "sketch": "sketch", "sketches": "sketch"}
RENDERING_PREFIX = "tx_"
DEFAULT_RENDERING = "tx_000000000000"
ENDINGS = tuple(sorted(SUFFIXES))
NAMES_SHOWN = 10

Parts = tuple[str, ...]
"""A name inside the source, or the end of one, split at "/"."""


@dataclass(frozen=True)
class Listing:
    """What a source holds.

    Attributes:
        layout: official, flat or mixed, and the two folders that were read.
        records: sorted by kind, category, photo id and name.
        problems: what is missing or odd, one line each, with names.
    """

    layout: str
    records: tuple[Record, ...]
    problems: tuple[str, ...]


def find_records(source: Source, photo_rendering: str | None = None, sketch_rendering: str | None = None) -> Listing:
    """Find a photo folder and a sketch folder side by side, at any depth, and the images of their categories.

    Each of the two holds category folders (flat), or `tx_...` folders of them, every one another rendering of the
    same images (official). File names make the ids: `<photo id>.jpg`, and `<photo id>-<n>.png` of its sketches. The
    `-<n>` is dropped also where that photo is missing, so that its sketches stay together in a split. Only where no
    sketch of the whole dataset names a photo, the names say nothing: then every sketch is an id of its own.

    Args:
        source: what `open_source` gave.
        photo_rendering: the `tx_...` folder of photos to read; None takes tx_000000000000, else the first.
        sketch_rendering: the same for sketches.

    Raises:
        DataError: there is no such pair of folders, one of them has no images, or a rendering is not there.
    """
    files = sorted(tuple(entry.name.split("/")) for entry in source.entries())
    parent, folders, left_out = _find_siblings(source, files)
    photos = _read_side(source, files, (*parent, folders["photo"]), photo_rendering)
    sketches = _read_side(source, files, (*parent, folders["sketch"]), sketch_rendering)
    photo_records = _records("photo", photos)
    sketch_records, unpaired = _trace(_records("sketch", sketches), {(r.category, r.photo_id) for r in photo_records})
    records = sorted(photo_records + sketch_records, key=lambda r: (r.kind, r.category, r.photo_id, r.name))
    layouts = {photos.layout, sketches.layout}
    return Listing(
        layout=f"{layouts.pop() if len(layouts) == 1 else 'mixed'}: {photos.base} and {sketches.base}",
        records=tuple(records),
        problems=(*left_out, *photos.problems, *sketches.problems, *unpaired, *_category_problems(records)),
    )


def image_names(source: Source) -> list[str]:
    """Return the names of all files of a source that are images by their ending."""
    return [entry.name for entry in source.entries() if _is_image((entry.name,))]


@dataclass(frozen=True)
class _Side:
    """The images of one kind, as (category, file name) below the folder `base`."""

    base: str
    layout: str
    images: Sequence[Parts]
    problems: list[str]


def _find_siblings(source: Source, files: list[Parts]) -> tuple[Parts, dict[Kind, str], list[str]]:
    """Return the folder nearest to the root that holds both, the names of the two, and problems."""
    places: dict[Parts, dict[Kind, str]] = {}
    for parts in files:
        for depth, part in enumerate(parts[:-1]):
            if kind := FOLDERS.get(part.lower()):
                places.setdefault(parts[:depth], {}).setdefault(kind, part)
    complete = sorted((at for at, found in places.items() if len(found) == 2), key=lambda at: (len(at), at))
    if not complete:
        lone = {"/".join((*at, name)) for at, found in places.items() for name in found.values()}
        raise DataError(
            "no photo/ (or photos/) and sketch/ (or sketches/) folders with files in them side by side in "
            f"{source.path}{'; there is only ' + _some(lone) if lone else ''}; name the folder that holds both"
        )
    chosen, *others = complete
    more = _some("/".join(at) for at in others)
    return chosen, places[chosen], [f"photos and sketches also lie in {more}; left out"] if others else []


def _read_side(source: Source, files: list[Parts], base: Parts, wanted: str | None) -> _Side:
    """Collect the images in the category folders of one kind."""
    inside = [parts[len(base) :] for parts in files if parts[: len(base)] == base]
    rendering = _choose_rendering(source.locate("/".join(base)), inside, wanted)
    if rendering is not None:
        base = (*base, rendering)
        inside = [parts[1:] for parts in inside if parts[0] == rendering]
    images = [parts for parts in inside if _is_image(parts)]
    in_categories = [parts for parts in images if len(parts) == 2]
    where = "/".join(base)
    if not in_categories:
        raise DataError(
            f"no images in {source.locate(where)}; looked for <category>/<image> with {', '.join(ENDINGS)}; "
            "put them there or name another folder"
        )
    problems = []
    if other := ["/".join(parts) for parts in inside if len(parts) == 2 and not _is_image(parts)]:
        problems.append(f"{where}: files in category folders that are not images ({len(other)}): {_some(other)}")
    if stray := ["/".join(parts) for parts in images if len(parts) != 2]:
        problems.append(f"{where}: images outside category folders, left out ({len(stray)}): {_some(stray)}")
    return _Side(where, "flat" if rendering is None else "official", in_categories, problems)


def _choose_rendering(where: str, inside: list[Parts], wanted: str | None) -> str | None:
    """Return the rendering to read, None where there are none and none is wanted."""
    there = {parts[0] for parts in inside if len(parts) > 2 and parts[0].startswith(RENDERING_PREFIX)}
    if wanted is not None and wanted not in there:
        known = f"there are {', '.join(sorted(there))}" if there else "it holds categories; leave the rendering out"
        raise DataError(f"no rendering {wanted!r} in {where}; {known}")
    if wanted is not None or not there:
        return wanted
    return DEFAULT_RENDERING if DEFAULT_RENDERING in there else min(there)


def _records(kind: Kind, side: _Side) -> list[Record]:
    """Take whole file names for photo ids, in one Unicode form: some systems store é as e and an accent."""
    return [
        Record(kind, _normal(category), _normal(name.rpartition(".")[0]), f"{side.base}/{category}/{name}")
        for category, name in side.images
    ]


def _trace(sketches: list[Record], photos: set[tuple[str, str]]) -> tuple[list[Record], list[str]]:
    """Give each sketch the id of the photo it traces; return them with the problems of those that have none."""
    traced: list[Record] = []
    missing: defaultdict[str, list[Record]] = defaultdict(list)
    for sketch in sketches:
        stripped = re.sub(r"-[0-9]+\Z", "", sketch.photo_id) or sketch.photo_id
        if (sketch.category, stripped) in photos:
            traced.append(replace(sketch, photo_id=stripped))
        elif (sketch.category, sketch.photo_id) in photos:
            traced.append(sketch)
        else:
            missing[sketch.category].append(replace(sketch, photo_id=stripped))
    if not traced:
        return sketches, ["no sketch is named after a photo: which photo it shows is unknown"]
    pictured = {category for category, _ in photos}
    problems = [
        f"{category}: sketches of photos that are not there ({len(lost)}), such as {lost[0].name}"
        for category, lost in sorted(missing.items())
        if category in pictured
    ]
    return traced + [sketch for lost in missing.values() for sketch in lost], problems


def _category_problems(records: list[Record]) -> Iterator[str]:
    """Name categories that lack one kind or have a single photo, and photo ids that are there twice."""
    photos = Counter((record.category, record.photo_id) for record in records if record.kind == "photo")
    of_photos = Counter(record.category for record in records if record.kind == "photo")
    of_sketches = Counter(record.category for record in records if record.kind == "sketch")
    for label, categories in (
        ("photos but no sketches", of_photos.keys() - of_sketches.keys()),
        ("sketches but no photos", of_sketches.keys() - of_photos.keys()),
        ("a single photo, which is never held out", {name for name, n in of_photos.items() if n == 1}),
    ):
        if categories:
            yield f"categories with {label} ({len(categories)}): {_some(categories)}"
    for (category, photo_id), count in photos.items():
        if count > 1:
            yield f"{category}: {count} photos have the id {photo_id}; sketches count as drawn from the first"


def _some(names: Iterable[str]) -> str:
    """Join names in order, not more of them than a line holds."""
    ordered = sorted(names)
    more = f" and {len(ordered) - NAMES_SHOWN} more" if len(ordered) > NAMES_SHOWN else ""
    return ", ".join(ordered[:NAMES_SHOWN]) + more


def _is_image(parts: Parts) -> bool:
    return parts[-1].lower().endswith(ENDINGS)


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name)
