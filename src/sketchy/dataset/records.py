"""One image of a dataset, before it is opened, and the names of the folders that it is in."""

from dataclasses import dataclass

from sketchy.image import Kind

FOLDERS: dict[str, Kind] = {"photo": "photo", "photos": "photo", "sketch": "sketch", "sketches": "sketch"}
"""Names, in lower case, of the folders that hold the categories of photos, and those of sketches."""
RENDERING_PREFIX = "tx_"
"""Start of the names of the folders between these and the categories in the layout of the Sketchy Database."""


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
