"""One image of a dataset, before it is opened."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from sketchy.image import Kind


@dataclass(frozen=True)
class Record:
    """An image, and what its folder and file name say about it.

    Attributes:
        kind: Photo or sketch.
        category: Name of its folder.
        photo_id: File name of the photo without suffix; for a sketch, of the photo that it traces.
        name: Path inside the source, parts joined by "/".
    """

    kind: Kind
    category: str
    photo_id: str
    name: str


def digest(records: Iterable[Record]) -> str:
    """Hash the names of a dataset's images by kind and category: the same in any folder and in any order."""
    names = sorted(f"{record.kind}/{record.category}/{record.name.rpartition('/')[2]}" for record in records)
    return hashlib.sha256("\n".join(names).encode(errors="surrogateescape")).hexdigest()
