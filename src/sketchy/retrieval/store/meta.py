"""The metadata of a whole index, stored as JSON with a checksum."""

import json
import zlib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

from sketchy.errors import FormatError
from sketchy.retrieval.store.faults import Damage

FORMAT = 2
"""Version of the layout of an index folder; increased when older versions of sketchy cannot read it. Format 1, without
dates of photos, is read too, and upgraded when it is written."""


@dataclass(frozen=True)
class Meta:
    """State of an index as of one commit.

    Attributes:
        model: Fingerprint of the model, in hex.
        size: Size of an embedding, D.
        checkpoint: Path of the checkpoint when the index was created.
        format: Version of the layout of the folder; no later one can be read.
        generation: Number of the current file of vectors.
        rows: Number of committed vectors in that file; anything after them is garbage.
        photos: Number of photos in the index.
        version: Number of changes so far.
        updated: Time of the last change, ISO format, UTC.
        ann_rows: Number of rows in the approximate index of this generation; 0 if there is none.
        ann_size: Size in bytes of the file of the approximate index.
        ann_crc: CRC-32 of that file without its codes, see `approximate`.
    """

    model: str
    size: int
    checkpoint: str
    format: int = FORMAT
    generation: int = 1
    rows: int = 0
    photos: int = 0
    version: int = 0
    updated: str = ""
    ann_rows: int = 0
    ann_size: int = 0
    ann_crc: int = 0

    def encoded(self) -> tuple[str, int]:
        """Return JSON and its CRC-32."""
        text = json.dumps(asdict(self))
        return text, zlib.crc32(text.encode())

    @classmethod
    def decoded(cls, text: object, crc: object, folder: Path) -> Self:
        """Read what `encoded` returned; `folder` is the index, for messages.

        Raises:
            Damage: The checksum does not match, or a field is missing.
            FormatError: The index has another format.
        """
        if not isinstance(text, str) or zlib.crc32(text.encode()) != crc:
            raise Damage("its description does not match its checksum")
        content = json.loads(text)
        if content.get("format", FORMAT) not in range(1, FORMAT + 1):
            raise FormatError(
                f"the index {folder} has format {content['format']}, this version reads up to {FORMAT}; upgrade "
                f"sketchy, or run `sketchy index PHOTOS --out {folder} --force` to rebuild it"
            )
        known = {field.name: content.get(field.name) for field in fields(cls)}  # later versions may add fields
        if wrong := [name for name, value in known.items() if value is None]:
            raise Damage(f"its description has no {wrong[0]}")
        return cls(**known)
