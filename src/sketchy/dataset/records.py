"""One image of a dataset, before it is opened."""

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
