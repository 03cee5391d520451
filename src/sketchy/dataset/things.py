"""The names of drawable things: which names mean the same, which are near, and their classes in ImageNet-1k.

The table is things.yaml; add a thing or a synonym there.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml


@dataclass(frozen=True)
class _Thing:
    near: frozenset[str]
    imagenet: tuple[int, ...]


def canonical(name: str) -> str:
    """Return the one name of a thing, whichever of its names this is.

    Case, spaces and punctuation do not count, nor does what is in brackets unless the table has the name with them.

    Args:
        name: Any name of a thing, such as that of a folder: `Tennis racquet`, `bear_(animal)`.

    Returns:
        The thing's name in things.yaml, which for the categories of the Sketchy Database is theirs; for a name that the
        table lacks, its words in lower case joined by `_`.
    """
    names = _names()
    bare = re.sub(r"\(.*?\)", " ", name).strip() or name
    return names.get(_key(name)) or names.get(_key(bare)) or "_".join(re.split(r"[\W_]+", bare.lower())).strip("_")


def related(a: str, b: str) -> bool:
    """Say whether two names are too close for one to be a negative of the other; the order does not matter.

    They are if they are the same thing, if things.yaml declares them near, or if they share a class of ImageNet.
    """
    a, b = canonical(a), canonical(b)
    return a == b or b in _near(a) or a in _near(b) or not set(imagenet(a)).isdisjoint(imagenet(b))


def imagenet(name: str) -> tuple[int, ...]:
    """Return the indices of a thing's classes in ImageNet-1k, ascending; empty if it has none or is unknown."""
    thing = _table().get(canonical(name))
    return thing.imagenet if thing else ()


def names_of(name: str) -> tuple[str, ...]:
    """Return all names of a thing, its own first; only the name itself if the table lacks it."""
    name = canonical(name)
    return name, *_entries().get(name, {}).get("also", [])


def things() -> tuple[str, ...]:
    """Return the names of all things in the table, sorted."""
    return tuple(sorted(_table()))


def _near(name: str) -> frozenset[str]:
    thing = _table().get(name)
    return thing.near if thing else frozenset()


@cache
def _names() -> dict[str, str]:
    """Return the thing of every name, by the letters and digits of the name."""
    names: dict[str, str] = {}
    for thing, fields in _entries().items():
        for name in (thing, *fields.get("also", [])):
            if names.setdefault(_key(name), thing) != thing:
                raise ValueError(f"things.yaml: {name} is a name of {names[_key(name)]} and of {thing}")
    return names


@cache
def _table() -> dict[str, _Thing]:
    return {
        name: _Thing(frozenset(fields.get("near", [])), _indices(fields.get("imagenet", [])))
        for name, fields in _entries().items()
    }


@cache
def _entries() -> dict[str, dict[str, list[str]]]:
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # without libyaml it takes ten times as long
    entries: dict[str, dict[str, list[str]]] = yaml.load(
        files(__package__).joinpath("things.yaml").read_bytes(), loader
    )
    return entries


def _indices(ranges: list[str]) -> tuple[int, ...]:
    indices: set[int] = set()
    for item in ranges:
        first, _, last = item.partition("-")
        indices.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(indices))


def _key(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())
