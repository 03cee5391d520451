"""Finding the photos and sketches of a dataset, in any of the layouts that are in use."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from sketchy.dataset.records import FOLDERS, RENDERING_PREFIX, Record
from sketchy.dataset.source import Source
from sketchy.errors import DataError
from sketchy.image import SUFFIXES, Kind

DEFAULT_RENDERING = "tx_000000000000"
ENDINGS = tuple(sorted(SUFFIXES))
NAMES_SHOWN = 10

Parts = tuple[str, ...]
"""A name inside the source, or the end of one, split at "/"."""


@dataclass(frozen=True)
class Listing:
    """What a source holds.

    Attributes:
        layout: Official, flat or mixed, and the two folders that were read.
        records: The images, sorted by kind, category, photo id and name.
        problems: What is missing or odd, one line each, with names.
    """

    layout: str
    records: tuple[Record, ...]
    problems: tuple[str, ...]


def find_records(source: Source, photo_rendering: str | None = None, sketch_rendering: str | None = None) -> Listing:
    """Find a photo folder and a sketch folder side by side, at any depth, and the images of their categories.

    Each of the two holds category folders (flat), or `tx_...` folders of them, every one another rendering of the
    same images (official). The ids come from the file names: `<photo id>.jpg`, and `<photo id>-<n>.png` of its
    sketches. The `-<n>` is dropped also if that photo is missing, so that its sketches stay together in a split. Only
    if no sketch of the whole dataset names a photo, every sketch is an id of its own.

    Args:
        source: Where to look.
        photo_rendering: The `tx_...` folder of photos to read; None takes tx_000000000000, else the first.
        sketch_rendering: The `tx_...` folder of sketches to read, in the same way.

    Raises:
        DataError: There is no such pair of folders, one of them has no images, or a rendering does not exist.
    """
    files = sorted(tuple(entry.name.split("/")) for entry in source.entries())
    parent, folders, left_out = _find_siblings(source, files)
    photos = _read_side(source, files, (*parent, folders["photo"]), "photo", photo_rendering)
    sketches = _read_side(source, files, (*parent, folders["sketch"]), "sketch", sketch_rendering)
    traced, unpaired = _trace(sketches.records, {(r.category, r.photo_id) for r in photos.records})
    records = sorted(photos.records + traced, key=lambda r: (r.kind, r.category, r.photo_id, r.name))
    layout = photos.layout if photos.layout == sketches.layout else "mixed"
    return Listing(
        layout=f"{layout}: {photos.folder} and {sketches.folder}",
        records=tuple(records),
        problems=(*left_out, *photos.problems, *sketches.problems, *unpaired, *_category_problems(records)),
    )


def image_names(source: Source) -> list[str]:
    """Return the names of all files of a source that end like images."""
    return [entry.name for entry in source.entries() if _is_image(entry.name)]


class _Side(NamedTuple):
    """The images of one kind, with their whole file names as photo ids."""

    folder: str
    layout: str
    records: list[Record]
    problems: list[str]


def _find_siblings(source: Source, files: list[Parts]) -> tuple[Parts, dict[Kind, str], list[str]]:
    """Return the folder nearest to the root that holds both, the names of the two, and problems."""
    parents: dict[Parts, dict[Kind, str]] = {}
    for parts in files:
        for depth, part in enumerate(parts[:-1]):
            if kind := FOLDERS.get(part.lower()):
                parents.setdefault(parts[:depth], {}).setdefault(kind, part)
    complete = sorted((at for at, found in parents.items() if len(found) == 2), key=lambda at: (len(at), at))
    if not complete:
        lone = {"/".join((*at, name)) for at, found in parents.items() for name in found.values()}
        raise DataError(
            "no photo/ (or photos/) and sketch/ (or sketches/) folders with files in them side by side in "
            f"{source.path}{'; there is only ' + _some(lone) if lone else ''}; name the folder that holds both"
        )
    chosen, *others = complete
    more = _some("/".join(at) for at in others)
    return chosen, parents[chosen], [f"photos and sketches are also in {more}; left out"] if others else []


def _read_side(source: Source, files: list[Parts], base: Parts, kind: Kind, wanted: str | None) -> _Side:
    """Collect the images in the category folders of one kind."""
    inside = [parts[len(base) :] for parts in files if parts[: len(base)] == base]
    rendering = _choose_rendering(source.locate("/".join(base)), inside, wanted)
    if rendering is not None:
        base = (*base, rendering)
        inside = [parts[1:] for parts in inside if parts[0] == rendering]
    folder = "/".join(base)
    records = [
        Record(kind, _normal(category), _normal(file.rpartition(".")[0]), f"{folder}/{category}/{file}")
        for category, file in (parts for parts in inside if len(parts) == 2 and _is_image(parts[1]))
    ]
    if not records:
        raise DataError(
            f"no images in {source.locate(folder)}; looked for <category>/<image> with {', '.join(ENDINGS)}; "
            "put them there or name another folder"
        )
    others = ["/".join(parts) for parts in inside if len(parts) == 2 and not _is_image(parts[1])]
    stray = ["/".join(parts) for parts in inside if len(parts) != 2 and _is_image(parts[-1])]
    problems = [
        f"{folder}: {problem} ({len(names)}): {_some(names)}"
        for problem, names in (
            ("files in category folders that are not images", others),
            ("images outside category folders, left out", stray),
        )
        if names
    ]
    return _Side(folder, "flat" if rendering is None else "official", records, problems)


def _choose_rendering(where: str, inside: list[Parts], wanted: str | None) -> str | None:
    """Return the rendering to read; None if there are none and none is wanted."""
    found = {parts[0] for parts in inside if len(parts) > 2 and parts[0].startswith(RENDERING_PREFIX)}
    if wanted is not None and wanted not in found:
        known = f"there are {', '.join(sorted(found))}" if found else "it holds categories; leave the rendering out"
        raise DataError(f"no rendering {wanted!r} in {where}; {known}")
    if wanted is not None or not found:
        return wanted
    return DEFAULT_RENDERING if DEFAULT_RENDERING in found else min(found)


def _trace(sketches: list[Record], photos: set[tuple[str, str]]) -> tuple[list[Record], list[str]]:
    """Give each sketch the id of the photo it traces; return them, and the problems of those without one."""
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
        f"{category}: sketches of missing photos ({len(lost)}), such as {lost[0].name}"
        for category, lost in sorted(missing.items())
        if category in pictured
    ]
    return traced + [sketch for lost in missing.values() for sketch in lost], problems


def _category_problems(records: list[Record]) -> Iterator[str]:
    """Name categories that lack one kind or have a single photo, and photo ids that occur twice."""
    photos = Counter((record.category, record.photo_id) for record in records if record.kind == "photo")
    photo_counts = Counter(record.category for record in records if record.kind == "photo")
    sketched = {record.category for record in records if record.kind == "sketch"}
    for problem, categories in (
        ("photos but no sketches", photo_counts.keys() - sketched),
        ("sketches but no photos", sketched - photo_counts.keys()),
        ("a single photo, which is never held out", {name for name, count in photo_counts.items() if count == 1}),
    ):
        if categories:
            yield f"categories with {problem} ({len(categories)}): {_some(categories)}"
    for (category, photo_id), count in photos.items():
        if count > 1:
            yield f"{category}: {count} photos have the id {photo_id}; sketches count as drawn from the first"


def _some(names: Iterable[str]) -> str:
    """Join names in order, only as many as a line holds."""
    ordered = sorted(names)
    more = f" and {len(ordered) - NAMES_SHOWN} more" if len(ordered) > NAMES_SHOWN else ""
    return ", ".join(ordered[:NAMES_SHOWN]) + more


def _is_image(name: str) -> bool:
    return name.lower().endswith(ENDINGS)


def _normal(name: str) -> str:
    """Return one Unicode form of a name: some systems store é as e and an accent."""
    return unicodedata.normalize("NFC", name)
