"""One image of a dataset, before it is opened."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from sketchy.image import Kind


@dataclass(frozen=True)
class Record:
    """An image and what its place and name say about it.

    Attributes:
        kind: photo or sketch.
        category: the folder it lies in.
        photo_id: a photo's file name without suffix; of a sketch that of the photo it traces.
        name: its path inside the source, parts joined by "/".
    """

    kind: Kind
    category: str
    photo_id: str
    name: str


def digest(records: Iterable[Record]) -> str:
    """Hash which images a dataset has, by kind, category and file name: the same wherever it lies, in any order."""
    names = sorted(f"{record.kind}/{record.category}/{record.name.rpartition('/')[2]}" for record in records)
    return hashlib.sha256("\n".join(names).encode(errors="surrogateescape")).hexdigest()
